import numpy as np
import pytest

from iota import symmetry
from iota.errors import ParameterError

THAUMATIN = (58.4, 58.4, 152.2, 90.0, 90.0, 90.0)
TRICLINIC = (60.0, 70.0, 80.0, 85.0, 95.0, 100.0)


def test_a_cell_is_read_from_text():
    assert symmetry.cell_from_text("58.4, 58.4 152.2 90 90 90") == THAUMATIN


@pytest.mark.parametrize("text", ["1 2 3", "a b c d e f", "10 10 10 90 90 200", ""])
def test_what_is_no_cell_is_refused_with_a_sentence(text):
    with pytest.raises(ParameterError, match="six numbers are needed"):
        symmetry.cell_from_text(text)


def test_jumps_of_the_reduction_do_not_separate_cells():
    # angles just above and just below 90 degrees give different reduced settings of nearly the same lattice
    assert symmetry.same_lattice((58.3, 58.7, 152.9, 90.3, 90.3, 90.1), (58.4, 58.6, 152.8, 89.7, 89.7, 89.9))


def test_cells_five_percent_apart_are_two_lattices():
    assert not symmetry.same_lattice(THAUMATIN, (61.3, 61.3, 152.2, 90.0, 90.0, 90.0))


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
    assert symmetry.multiple_of(THAUMATIN, symmetry.primitive_niggli(large)) == multiple


def test_a_sub_cell_is_not_a_super_cell():
    assert symmetry.multiple_of(symmetry.primitive_niggli((58.4, 116.8, 152.2, 90, 90, 90)), THAUMATIN) is None


@pytest.mark.parametrize("plane", [(0, 1, 0), (1, 1, 0), (1, 1, 1)])
@pytest.mark.parametrize("n", [2, 3])
def test_empty_classes_of_indices_give_the_multiple_away(plane, n):
    rng = np.random.default_rng(1)
    hkl = rng.integers(-12, 13, (3000, 3))
    hkl = hkl[(hkl @ np.array(plane)) % n == 0][:400]
    junk = rng.integers(-12, 13, (16, 3))
    cell, multiple = symmetry.true_sublattice(np.vstack([hkl, junk]), TRICLINIC)
    assert multiple == n
    assert symmetry.volume(cell) == pytest.approx(symmetry.volume(TRICLINIC) / n)
    assert symmetry.multiple_of(cell, symmetry.primitive_niggli(TRICLINIC)) == n


def test_a_cell_multiplied_twice_is_reduced_twice():
    hkl = np.random.default_rng(2).integers(-10, 11, (300, 3)) * np.array([1, 4, 1])
    cell, multiple = symmetry.true_sublattice(hkl, (60, 280, 80, 90, 90, 90))
    assert multiple == 4
    assert cell == pytest.approx((60, 70, 80, 90, 90, 90))


def test_a_true_cell_is_left_alone():
    hkl = np.random.default_rng(3).integers(-10, 11, (300, 3))
    assert symmetry.true_sublattice(hkl, THAUMATIN)[1] == 1


def test_few_reflections_are_no_reason_to_reduce():
    hkl = np.array([[2, 0, 0], [4, 0, 2], [6, 2, 0]])
    assert symmetry.true_sublattice(hkl, THAUMATIN)[1] == 1


def test_the_highest_symmetry_comes_first_and_has_no_screw_axes():
    found = symmetry.symmetries((58.3, 58.7, 152.9, 90.3, 89.7, 89.9))
    assert (found[0].bravais, found[0].space_group) == ("tP", "P 4 2 2")
    assert found[0].unit_cell[0] == found[0].unit_cell[1]
    assert found[-1].bravais == "aP"


def test_a_clearly_orthorhombic_cell_is_not_called_tetragonal():
    assert symmetry.symmetries((56.0, 61.0, 152.9, 90.0, 90.0, 90.0))[0].bravais == "oP"


def test_centred_lattices_become_primitive():
    assert symmetry.volume(symmetry.primitive_niggli((80, 80, 40, 90, 90, 90), "I 4")) == pytest.approx(128000)


def test_point_group_and_system_of_a_space_group():
    assert symmetry.point_group("P43212") == symmetry.point_group("P41212") == "P 4 2 2"
    assert symmetry.crystal_system("P43212") == "Tetragonal"
    assert symmetry.bravais_symbol("C2") == "mC"
