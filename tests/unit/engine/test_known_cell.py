"""Orientations of a known cell, from reciprocal lattice points with noise and spots that belong to nothing."""

import numpy as np
import pytest

from iota.crystallography.cells import basis_from_cell
from iota.crystallography.nearness import Tolerance
from iota.engine.stills.known_cell import CellSearch, find_bases
from iota.engine.stills.still_prediction import near_ewald_sphere
from iota.geometry.prediction import rotation

S0 = np.array([0.0, 0.0, -1.0 / 0.98])
REDUCED_CELLS = {
    "tetragonal": (38.1, 79.2, 79.2, 90.0, 90.0, 90.0),
    "long": (58.4, 58.4, 152.2, 90.0, 90.0, 90.0),
    "near tetragonal": (57.0, 60.0, 93.0, 90.0, 90.0, 90.0),
    "primitive of C2": (42.0, 51.94, 61.0, 106.4, 90.0, 113.85),
    "triclinic": (28.0, 32.0, 35.0, 88.0, 107.0, 109.0),
    "trigonal": (60.0, 60.0, 80.0, 90.0, 90.0, 120.0),
    "rhombohedral": (55.0, 55.0, 55.0, 75.0, 75.0, 75.0),
}


def _crystal(cell, seed):
    """Direct basis by rows in a random orientation."""
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    return basis_from_cell(cell) @ rotation(axis / np.linalg.norm(axis) * rng.uniform(0, np.pi)).T


def _points(basis, seed, share=0.9, strays=0.3):
    """A share of the points near the sphere, with an error of 3e-4 1/A, and stray spots."""
    rng = np.random.default_rng(seed)
    a_star = np.linalg.inv(basis)
    hkl = near_ewald_sphere(a_star, S0, 2.6, 0.002, 1000.0)
    q = hkl[rng.random(len(hkl)) < share] @ a_star.T
    q = q + rng.normal(size=q.shape) * 3e-4
    stray = rng.normal(size=(int(strays * len(q)), 3))
    stray *= (rng.uniform(0.05, 0.38, len(stray)) / np.linalg.norm(stray, axis=1))[:, None]
    return np.concatenate([q, stray]), len(q)


def _explains(basis, q):
    cycles = q @ basis.T
    return int((np.abs(cycles - np.rint(cycles)).max(axis=1) < 0.15).sum())


def _is_lattice(basis, true):
    change = basis @ np.linalg.inv(true)
    return np.abs(change - np.rint(change)).max() < 0.05 and abs(abs(np.linalg.det(change)) - 1) < 0.05


@pytest.mark.parametrize("name", REDUCED_CELLS)
@pytest.mark.parametrize("seed", range(6))
def test_a_lattice_is_found_in_any_orientation(name, seed):
    cell = REDUCED_CELLS[name]
    true = _crystal(cell, seed)
    q, n_true = _points(true, seed)
    search = CellSearch(basis_from_cell(cell), Tolerance(0.1, 5.0))
    found = find_bases(search, q, 5)
    assert found
    assert _is_lattice(found[0], true)
    assert np.linalg.det(found[0]) > 0
    assert search.fits(found[0])
    assert _explains(found[0], q[:n_true]) > 0.9 * n_true


def test_a_cell_that_is_off_by_two_percent_is_found():
    cell = REDUCED_CELLS["tetragonal"]
    true = _crystal(cell, 3)
    q, _ = _points(true, 3)
    wrong = tuple(1.02 * x for x in cell[:3]) + cell[3:]
    found = find_bases(CellSearch(basis_from_cell(wrong), Tolerance(0.1, 5.0)), q, 5)
    assert _is_lattice(found[0], true)
    np.testing.assert_allclose(sorted(np.linalg.norm(found[0], axis=1)), cell[:3], rtol=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_two_lattices_of_a_frame_are_found_one_after_the_other(seed):
    cell = REDUCED_CELLS["tetragonal"]
    search = CellSearch(basis_from_cell(cell), Tolerance(0.1, 5.0))
    crystals = [_crystal(cell, seed + n) for n in (11, 21)]
    q = np.concatenate([_points(basis, 5, strays=0.0)[0] for basis in crystals])
    first = find_bases(search, q, 5)[0]
    cycles = q @ first.T
    left = q[np.abs(cycles - np.rint(cycles)).max(axis=1) > 0.2]
    second = find_bases(search, left, 5)[0]
    for true in crystals:
        assert sum(_is_lattice(basis, true) for basis in (first, second)) == 1


def test_of_equivalent_settings_that_nearest_to_the_cell_is_given():
    cell = REDUCED_CELLS["near tetragonal"]  # 57 60: either order is within the tolerance of 10 %
    for seed in range(4):
        q, _ = _points(_crystal(cell, seed), seed)
        lengths = np.linalg.norm(find_bases(CellSearch(basis_from_cell(cell), Tolerance(0.1, 5.0)), q, 5)[0], axis=1)
        np.testing.assert_allclose(lengths, cell[:3], rtol=0.01)


def test_spots_of_nothing_have_no_lattice_worth_the_name():
    rng = np.random.default_rng(1)
    q = rng.normal(size=(120, 3))
    q *= (rng.uniform(0.05, 0.38, len(q)) / np.linalg.norm(q, axis=1))[:, None]
    found = find_bases(CellSearch(basis_from_cell(REDUCED_CELLS["tetragonal"]), Tolerance(0.1, 5.0)), q, 5)
    assert all(_explains(basis, q) < 0.3 * len(q) for basis in found)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_too_few_spots_give_nothing(n):
    assert (
        find_bases(CellSearch(basis_from_cell(REDUCED_CELLS["long"]), Tolerance(0.1, 5.0)), np.ones((n, 3)) * 0.1, 5)
        == []
    )
