import numpy as np
import pytest

from iota.crystallography.cells import cell_from_text, volume_A3
from iota.crystallography.compatibility import cell_problem
from iota.crystallography.lattices import is_same_lattice, niggli_cell
from iota.crystallography.metric_symmetry import cell_in_setting_of, metric_symmetries
from iota.crystallography.multiples import supercell_index, true_cell_from_indices
from iota.crystallography.space_groups import bravais_symbol, crystal_system, point_group, without_screw_axes
from iota.errors import ParameterError

THAUMATIN = (58.4, 58.4, 152.2, 90.0, 90.0, 90.0)
TRICLINIC = (60.0, 70.0, 80.0, 85.0, 95.0, 100.0)


def test_a_cell_is_read_from_text():
    assert cell_from_text("58.4, 58.4 152.2 90 90 90") == THAUMATIN


@pytest.mark.parametrize("text", ["1 2 3", "a b c d e f", "10 10 10 90 90 200", ""])
def test_what_is_no_cell_is_refused_with_a_sentence(text):
    with pytest.raises(ParameterError, match="six numbers are needed"):
        cell_from_text(text)


def test_jumps_of_the_reduction_do_not_separate_cells():
    # angles just above and just below 90 degrees give different reduced settings of nearly the same lattice
    assert is_same_lattice((58.3, 58.7, 152.9, 90.3, 90.3, 90.1), (58.4, 58.6, 152.8, 89.7, 89.7, 89.9))


def test_cells_five_percent_apart_are_two_lattices():
    assert not is_same_lattice(THAUMATIN, (61.3, 61.3, 152.2, 90.0, 90.0, 90.0))


@pytest.mark.parametrize(
    ("large", "multiple"),
    [
        ((58.4, 58.4, 152.2, 90, 90, 90), 1),
        ((58.4, 116.8, 152.2, 90, 90, 90), 2),
        ((58.3, 117.1, 163.2, 69.4, 90.0, 89.9), 2),  # met on real frames: doubled and sheared
        ((58.4, 58.4, 456.6, 90, 90, 90), 3),
        ((60.0, 117.0, 170.0, 90, 90, 90), None),
    ],
)
def test_super_cells_are_recognised(large, multiple):
    assert supercell_index(THAUMATIN, niggli_cell(large)) == multiple


def test_a_sub_cell_is_not_a_super_cell():
    assert supercell_index(niggli_cell((58.4, 116.8, 152.2, 90, 90, 90)), THAUMATIN) is None


@pytest.mark.parametrize("plane", [(0, 1, 0), (1, 1, 0), (1, 1, 1)])
@pytest.mark.parametrize("n", [2, 3])
def test_empty_classes_of_indices_give_the_multiple_away(plane, n):
    rng = np.random.default_rng(1)
    hkl = rng.integers(-12, 13, (3000, 3))
    hkl = hkl[(hkl @ np.array(plane)) % n == 0][:400]
    junk = rng.integers(-12, 13, (16, 3))
    cell, multiple = true_cell_from_indices(np.vstack([hkl, junk]), TRICLINIC)
    assert multiple == n
    assert volume_A3(cell) == pytest.approx(volume_A3(TRICLINIC) / n)
    assert supercell_index(cell, niggli_cell(TRICLINIC)) == n


def test_a_cell_multiplied_twice_is_reduced_twice():
    hkl = np.random.default_rng(2).integers(-10, 11, (300, 3)) * np.array([1, 4, 1])
    cell, multiple = true_cell_from_indices(hkl, (60, 280, 80, 90, 90, 90))
    assert multiple == 4
    assert cell == pytest.approx((60, 70, 80, 90, 90, 90))


def test_a_true_cell_is_left_alone():
    hkl = np.random.default_rng(3).integers(-10, 11, (300, 3))
    assert true_cell_from_indices(hkl, THAUMATIN)[1] == 1


def test_few_reflections_are_no_reason_to_reduce():
    hkl = np.array([[2, 0, 0], [4, 0, 2], [6, 2, 0]])
    assert true_cell_from_indices(hkl, THAUMATIN)[1] == 1


def test_the_highest_symmetry_comes_first_and_has_no_screw_axes():
    found = metric_symmetries((58.3, 58.7, 152.9, 90.3, 89.7, 89.9))
    assert (found[0].bravais, found[0].space_group) == ("tP", "P 4 2 2")
    assert found[0].unit_cell[0] == found[0].unit_cell[1]
    assert found[-1].bravais == "aP"


def test_a_clearly_orthorhombic_cell_is_not_called_tetragonal():
    assert metric_symmetries((56.0, 61.0, 152.9, 90.0, 90.0, 90.0))[0].bravais == "oP"


def test_centred_lattices_become_primitive():
    assert volume_A3(niggli_cell((80, 80, 40, 90, 90, 90), "I 4")) == pytest.approx(128000)


def test_point_group_and_system_of_a_space_group():
    assert point_group("P43212") == point_group("P41212") == "P 4 2 2"
    assert crystal_system("P43212") == "Tetragonal"
    assert bravais_symbol("C2") == "mC"


@pytest.mark.parametrize(
    ("cell", "space_group"),
    [
        ((79.2, 79.2, 38.1, 90, 90, 90), "P43212"),
        ((57.3, 57.3, 57.3, 106.7, 106.7, 106.7), "R3:R"),
        ((91.9, 91.9, 60, 90, 90, 120), "R3:H"),
        ((91.9, 91.9, 60, 90, 90, 120), "H32"),
        ((50, 65, 72, 90, 105, 90), "P 1 21 1"),
        ((65, 50, 72, 105, 90, 90), "P 21 1 1"),
        ((65, 50, 72, 90, 90, 105), "B 1 1 2"),
        ((65, 50, 72, 90, 95, 90), "I 1 2 1"),
        ((65, 50, 72, 90, 107, 90), "A 2"),
        ((38, 79, 79, 90, 90, 90), "P 4 (c,a,b)"),
        ((60, 50, 70, 90, 90, 90), "P 2 21 21"),
        ((78, 78, 78.5, 90, 90, 90), "I23"),  # as near as cells of one form are
        ((10, 11, 12, 80, 85, 95), "P1"),
    ],
)
def test_a_cell_in_the_setting_of_its_space_group_is_no_problem(cell, space_group):
    assert cell_problem(cell, space_group) is None


@pytest.mark.parametrize(
    ("cell", "space_group", "needs", "fits"),
    [
        ((38.1, 79.2, 79.2, 90, 90, 90), "P43212", "a = b and α = β = γ = 90°", "79.2 79.2 38.1 90 90 90"),
        ((79.2, 79.2, 38.1, 90, 90, 90), "P6122", "a = b, α = β = 90° and γ = 120°", ""),
        ((60, 91.9, 91.9, 120, 90, 90), "H32", "a = b, α = β = 90° and γ = 120°", "91.9 91.9 60 90 90 120"),
        ((60, 60, 60, 70, 70, 70), "R3", "a = b, α = β = 90° and γ = 120°", "68.83 68.83 134.86 90 90 120"),
        ((68.83, 68.83, 134.86, 90, 90, 120), "R3:R", "a = b = c and α = β = γ", "60 60 60 70 70 70"),
        ((79, 79, 38, 90, 90, 90), "P 4 (c,a,b)", "b = c and α = β = γ = 90°", "38 79 79 90 90 90"),
        ((50, 65, 72, 90, 105, 90), "P 21 1 1", "β = γ = 90°", "65 50 72 105 90 90 or 65 72 50 105 90 90"),
        ((65, 50, 72, 90, 90, 95), "I 1 2 1", "α = γ = 90°", "65 72 50 90 95 90 or 50 72 65 90 95 90"),
        ((78, 78, 79.5, 90, 90, 90), "I23", "a = b = c and α = β = γ = 90°", ""),
    ],
)
def test_a_cell_that_contradicts_its_space_group_is_told_with_axes_that_fit(cell, space_group, needs, fits):
    said = cell_problem(cell, space_group)
    assert f"needs {needs}." in said
    assert f"The cell {fits} would fit." in said if fits else "would fit" not in said
    assert ("With R 3 :" in said) == space_group.startswith("R3")


def test_a_rhombohedral_lattice_is_one_in_both_settings():
    assert bravais_symbol("R3:R") == bravais_symbol("R3:H") == bravais_symbol("R32") == "hR"
    assert bravais_symbol("P3") == "hP"


@pytest.mark.parametrize(
    ("space_group", "rotations"),
    [("I41", "I 4"), ("P 43 21 2", "P 4 2 2"), ("R3:H", "R 3 :H"), ("R3:R", "R 3 :R"), ("I213", "I 2 3"),
     ("F23", "F 2 3"), ("P 21 1 1", "P 2 1 1"), ("C 1 2 1", "C 1 2 1"), ("I 1 1 2", "I 1 1 2")],
)  # fmt: skip
def test_screw_axes_are_dropped_and_centring_is_not(space_group, rotations):
    assert without_screw_axes(space_group) == rotations


@pytest.mark.parametrize(
    ("cell", "space_group", "other", "expected"),
    [
        ((50, 65, 72, 90, 105, 90), "P 1 2 1", "P 21 1 1", (65, 72, 50, 105, 90, 90)),
        ((60, 60, 60, 70, 70, 70), "R3:R", "R3:H", (68.829, 68.829, 134.862, 90, 90, 120)),
        ((79, 79, 38, 90, 90, 90), "P 4 2 2", "P43212", (79, 79, 38, 90, 90, 90)),
        ((79, 79, 38, 90, 90, 90), "P 4 2 2", "P222", None),
        ((79, 79, 38, 90, 90, 90), "P 4 2 2", "I4", None),
    ],
)
def test_a_cell_is_turned_into_the_setting_of_its_space_group(cell, space_group, other, expected):
    found = cell_in_setting_of(cell, space_group, other)
    assert found is None if expected is None else found == pytest.approx(expected, abs=0.01)
    if found is not None:
        assert cell_problem(found, other) is None


def test_body_centred_monoclinic_cells_are_turned_into_c_centred_ones_and_back():
    i_cell = (65.0, 50.0, 72.0, 90.0, 95.0, 90.0)
    c_cell = cell_in_setting_of(i_cell, "I 1 2 1", "C2")
    assert volume_A3(c_cell) == pytest.approx(volume_A3(i_cell))
    one, two = niggli_cell(c_cell, "C2"), niggli_cell(i_cell, "I 1 2 1")
    assert one == pytest.approx(two, abs=1e-6)
    assert cell_in_setting_of(c_cell, "C2", "I 1 2 1") == pytest.approx(i_cell, abs=1e-6)
