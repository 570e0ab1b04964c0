"""Cells that are compared, numbers that are no cell, packed indices and shells."""

import itertools
import math
import time

import numpy as np
import pytest
from cctbx import uctbx

from iota.analysis.cells.consensus import Consensus
from iota.analysis.cells.fitting import NO_FILES, OTHER_CELL, OTHER_TYPE, reason_to_exclude
from iota.crystallography.cells import (
    basis_from_cell,
    cell_from_basis,
    cell_from_text,
    checked_cell,
    is_possible_cell,
    volume_A3,
)
from iota.crystallography.indices import (
    d_spacings_A,
    hkl_from_packed,
    hkl_in_asymmetric_unit,
    packed_from_hkl,
    positions_of,
    possible_reflections,
    unique_reflections,
)
from iota.crystallography.lattices import closest_setting, is_same_lattice, niggli_cell, niggli_cell_of_basis
from iota.crystallography.metric_symmetry import cell_in_setting_of, indexing_ambiguities, metric_symmetries
from iota.crystallography.multiples import supercell_index, true_cell_from_indices
from iota.crystallography.nearness import (
    AS_GIVEN,
    ONE_FORM,
    ONE_LATTICE,
    ONE_SETTING,
    Tolerance,
    are_near,
    is_near,
    is_within_fraction,
    squared_distances,
)
from iota.crystallography.shells import members_of_equal_shells, shell_limits, shell_numbers
from iota.engine.frame.filter import LatticeFilter
from iota.errors import ParameterError
from iota.records import FrameRef, FrameResult, Lattice

LYSOZYME = (79.2, 79.2, 38.1, 90.0, 90.0, 90.0)
TRICLINIC = (28.0, 32.0, 35.0, 88.0, 107.0, 109.0)
HKL = np.random.default_rng(1).integers(-9, 10, (60, 3)) * np.array([2, 1, 1])
GARBAGE = {
    "not a number": (math.nan, 50, 60, 90, 90, 90),
    "all not numbers": (math.nan,) * 6,
    "an angle that is not a number": (40, 50, 60, 90, math.nan, 90),
    "infinite": (math.inf, 50, 60, 90, 90, 90),
    "minus infinity": (40, -math.inf, 60, 90, 90, 90),
    "an infinite angle": (40, 50, 60, 90, 90, math.inf),
    "zeros": (0, 0, 0, 0, 0, 0),
    "an axis of zero": (40, 50, 0, 90, 90, 90),
    "negative": (-40, 50, 60, 90, 90, 90),
    "huge": (1e300, 1e300, 1e300, 90, 90, 90),
    "one huge": (40, 50, 1e9, 91, 92, 93),
    "tiny": (1e-300, 1e-300, 1e-300, 90, 90, 90),
    "one tiny": (1e-9, 50, 60, 91, 92, 93),
    "the least number": (5e-324, 50, 60, 90, 90, 90),
    "an angle of zero": (40, 50, 60, 0, 90, 90),
    "an angle of 180": (40, 50, 60, 180, 90, 90),
    "a negative angle": (40, 50, 60, -90, 90, 90),
    "an angle of more than a turn": (40, 50, 60, 450, 90, 90),
    "axes in a plane": (40, 50, 60, 120, 120, 120),
    "axes nearly in a plane": (40, 50, 60, 30, 30, 59.9999999),
    "axes nearly on a line": (40, 50, 60, 1e-9, 1e-9, 1e-9),
    "angles that add up to more than a turn": (79, 79, 38, 130, 130, 130),
    "two angles smaller than the third": (40, 50, 60, 20, 30, 90),
    "too few numbers": (40, 50, 60),
}  # fmt: skip
QUESTIONS = {
    "checked": checked_cell,
    "reduced": niggli_cell,
    "reduced, centred": lambda cell: niggli_cell(cell, "I 4"),
    "its setting": lambda cell: closest_setting(cell, LYSOZYME),
    "the reference": lambda cell: closest_setting(LYSOZYME, cell),
    "the same lattice": lambda cell: is_same_lattice(cell, cell),
    "a supercell": lambda cell: supercell_index(LYSOZYME, cell),
    "a subcell": lambda cell: supercell_index(cell, LYSOZYME),
    "the true cell": lambda cell: true_cell_from_indices(HKL, cell),
    "symmetries": metric_symmetries,
    "another setting": lambda cell: cell_in_setting_of(cell, "P 1 2 1", "P 2 1 1"),
    "ambiguities": lambda cell: indexing_ambiguities(cell, "P 4"),
    "reflections": lambda cell: unique_reflections(cell, "P 4", 5.0, HKL),
    "spacings": lambda cell: d_spacings_A(HKL, cell),
}


@pytest.mark.parametrize("numbers", GARBAGE.values(), ids=GARBAGE)
def test_numbers_that_are_no_cell_are_refused_at_once_by_whatever_is_asked_about_them(numbers):
    assert not is_possible_cell(numbers)
    start = time.process_time()
    for ask in QUESTIONS.values():
        with pytest.raises(ParameterError, match="is not a unit cell: six numbers are needed"):
            ask(numbers)
    with pytest.raises(ParameterError, match="is not a unit cell"):
        cell_from_text(" ".join(map(str, numbers)))
    assert time.process_time() - start < 1.0


def test_whatever_passes_for_a_cell_can_be_reduced_however_long_and_skew_it_is():
    rng = np.random.default_rng(2)
    cells = []
    while len(cells) < 400:
        cell = (*np.exp(rng.uniform(0, np.log(1e5), 3)).tolist(), *rng.uniform(1, 179, 3).tolist())
        if is_possible_cell(cell):
            cells.append(cell)
    start = time.process_time()
    for cell in cells:
        assert volume_A3(niggli_cell(cell)) == pytest.approx(volume_A3(cell), rel=1e-4)
    assert time.process_time() - start < 10.0


def test_the_reduced_cell_is_that_of_cctbx_from_whatever_basis():
    rng = np.random.default_rng(3)
    wanted = uctbx.unit_cell(TRICLINIC).niggli_cell().parameters()
    for _ in range(20):
        change = np.triu(rng.integers(-9, 10, (3, 3)), 1) + np.eye(3)
        rows = (change.T @ change) @ basis_from_cell(TRICLINIC)
        assert niggli_cell_of_basis(rows[rng.permutation(3)]) == pytest.approx(wanted, abs=1e-6)


def test_basis_and_volume_are_those_of_cctbx():
    rows = np.array(uctbx.unit_cell(TRICLINIC).orthogonalization_matrix()).reshape(3, 3).T
    np.testing.assert_allclose(basis_from_cell(TRICLINIC), rows, atol=1e-9)
    assert cell_from_basis(rows) == pytest.approx(TRICLINIC)
    assert volume_A3(TRICLINIC) == pytest.approx(uctbx.unit_cell(TRICLINIC).volume())


@pytest.mark.parametrize("tolerance", [ONE_LATTICE, ONE_FORM, ONE_SETTING, AS_GIVEN])
def test_one_cell_and_many_are_near_by_the_same_rule_and_so_are_lattices(tolerance):
    reference = np.array([28.0, 41.0, 63.0, 82.0, 95.0, 99.0])  # no other setting is near
    rng = np.random.default_rng(4)
    shifts = rng.uniform(-1.5, 1.5, (200, 6))
    shifts[:100] /= 1.6  # all of these within
    units = np.array([*(tolerance.length * reference[:3]), *[tolerance.angle_deg] * 3])
    cells = reference + shifts * units
    near = are_near(cells, reference, tolerance)
    assert near[:100].all() and not near[100:].all()
    assert near.tolist() == [is_near(cell, reference, tolerance) for cell in cells.tolist()]
    volumes = np.array([volume_A3(cell) for cell in cells.tolist()]) / volume_A3(reference.tolist())
    same = [is_same_lattice(cell, reference.tolist(), tolerance) for cell in cells.tolist()]
    assert same == (near & (np.abs(volumes - 1) <= tolerance.volume)).tolist()


def test_the_closest_setting_is_found_by_the_measure_that_finds_it_among_many_cells():
    reference, cell = (60.0, 61.0, 62.0, 88.0, 91.0, 89.0), (62.3, 60.2, 60.8, 89.2, 88.3, 91.1)
    settings = []
    for order in itertools.permutations(range(3)):
        for sign in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)):
            settings.append(cell_from_basis(basis_from_cell(cell)[list(order)] * np.array(sign)[:, None]))
    assert are_near(settings, reference, Tolerance(0.02, 3.5)).sum() > 1
    best = settings[int(np.argmin(squared_distances(settings, reference)))]
    assert closest_setting(cell, reference, Tolerance(0.02, 3.5)) == pytest.approx(best)


def test_a_lattice_as_near_in_two_settings_keeps_its_own():
    cell = (58.2, 58.8, 151.6, 90.3, 89.9, 90.3)
    assert closest_setting(cell, (58.4, 58.4, 152.2, 90.0, 90.0, 90.0)) == cell


def test_a_fraction_holds_for_each_angle_in_other_settings_too():
    wanted, exchanged = (70.0, 61.0, 73.0, 90.0, 110.0, 90.0), (73.0, 61.0, 70.0, 90.0, 115.0, 90.0)
    lattice_filter = LatticeFilter(unit_cell=wanted, uc_tolerance=0.05)
    for cell, is_kept in (((70.0, 61.0, 73.0, 90.0, 115.0, 90.0), True), (exchanged, True), ((70.0, 61.0, 73.0, 90.0, 116.0, 90.0), False), ((73.0, 61.0, 70.0, 90.0, 116.0, 90.0), False)):  # fmt: skip  # noqa: E501
        lattice = Lattice(
            bravais="mP", space_group="P 1 2 1", unit_cell=cell, a_matrix=(0.0,) * 9, n_indexed=50, n_integrated=90
        )
        assert (lattice_filter.objection(lattice) is None) is is_kept


def test_merging_and_export_exclude_by_type_cell_and_files():
    consensus = Consensus(
        bravais="tP", space_group="P 4 2 2", n_lattices=9, unit_cell=LYSOZYME, unit_cell_spread=(0.1,) * 6
    )
    files = {"experiments": "a.expt", "reflections": "a.refl"}

    def reason(tolerance, bravais="tP", cell=LYSOZYME, files=files):
        lattice = Lattice(bravais=bravais, space_group="P 4 2 2", unit_cell=cell, a_matrix=(0.0,) * 9, n_indexed=9)
        result = FrameResult(
            frame=FrameRef("/x/1.cbf"), name="1", outcome="integrated", lattices=[lattice], files=files
        )
        return reason_to_exclude(result, lattice, consensus, tolerance)

    far = (79.2, 79.2, 39.0, 90.0, 90.0, 90.0)
    assert [reason(0.02), reason(0.02, "oP"), reason(0.02, cell=far), reason(0.03, cell=far)] == [
        "", OTHER_TYPE, OTHER_CELL, "",
    ]  # fmt: skip
    assert [reason(None, "oP", far), reason(None, files={}), reason(0.02, files={})] == ["", NO_FILES, NO_FILES]
    assert is_within_fraction(far, LYSOZYME, 0.9 / 38.1 + 1e-9) and not is_within_fraction(far, LYSOZYME, 0.9 / 38.2)


def test_packed_indices_are_in_the_order_of_indices_and_come_back():
    rng = np.random.default_rng(5)
    hkl = np.concatenate(
        [rng.integers(-40, 41, (500, 3)), [[-(2**20)] * 3, [2**20 - 1] * 3, [0, 0, 0], [-20000, 3, 1]]]
    )
    packed = packed_from_hkl(hkl)
    np.testing.assert_array_equal(hkl_from_packed(packed), hkl)
    np.testing.assert_array_equal(hkl[np.argsort(packed, kind="stable")], hkl[np.lexsort(hkl.T[::-1])])
    assert len(np.unique(packed)) == len(np.unique(hkl, axis=0))
    assert packed_from_hkl(np.zeros((0, 3), int)).tolist() == []
    for beyond in ([2**20, 0, 0], [0, -(2**20) - 1, 0]):
        with pytest.raises(ValueError, match="beyond a million"):
            packed_from_hkl(np.array([beyond]))


def test_places_are_those_of_what_is_there():
    among = np.array([2, 5, 9])
    assert positions_of(np.array([9, 1, 5, 10, 2, 3]), among).tolist() == [2, -1, 1, -1, 0, -1]
    assert positions_of(np.array([4, 5]), among[:0]).tolist() == [-1, -1]


def test_unique_reflections_are_the_possible_ones_and_equivalents_have_one_number():
    hkl = np.array([[1, 2, 3], [2, 1, -3], [-1, -2, -3], [0, 0, 2], [0, 0, 8], [60, 0, 0]])  # 0 0 2 is absent
    unique, d_A, numbers = unique_reflections(LYSOZYME, "P 43 21 2", 2.0, hkl)
    assert len(set(numbers[:3].tolist())) == 1 and numbers[3] == numbers[5] == -1
    np.testing.assert_array_equal(unique[numbers[[0, 4]]], hkl_in_asymmetric_unit(hkl[[0, 4]], "P 43 21 2"))
    np.testing.assert_allclose(d_spacings_A(unique, LYSOZYME), d_A)
    np.testing.assert_array_equal(unique, possible_reflections(LYSOZYME, "P 43 21 2", 2.0)[0])
    assert math.isinf(d_spacings_A(np.zeros((1, 3), int), LYSOZYME)[0])


def test_shells_of_equal_number_hold_every_reflection_once():
    d_A = np.random.default_rng(6).uniform(1.5, 40.0, 103)
    parts = members_of_equal_shells(d_A, 10)
    assert sorted(np.concatenate(parts).tolist()) == list(range(103))
    assert {len(part) for part in parts} == {10, 11}
    assert all(d_A[one].min() >= d_A[two].max() for one, two in itertools.pairwise(parts))
    assert len(members_of_equal_shells(d_A[:3], 10)) == 3


@pytest.mark.parametrize("d_max_A", [math.inf, 4.5])
def test_shells_of_equal_volume_have_their_limits_and_volumes(d_max_A):
    limits = shell_limits(8, 1.7, d_max_A)
    assert (limits[0], limits[-1]) == pytest.approx((d_max_A, 1.7))
    np.testing.assert_allclose(np.diff(limits**-3.0), (1.7**-3 - d_max_A**-3) / 8)
    d_A = np.random.default_rng(7).uniform(1.7, 4.5, 300)
    numbers = shell_numbers(d_A, 8, 1.7, d_max_A)
    assert ((d_A <= limits[numbers]) & (d_A >= limits[numbers + 1])).all()
    assert shell_numbers(np.array([1.0, 1.7, 100.0]), 8, 1.7, d_max_A).tolist() == [7, 7, 0]
