"""Ways of indexing, found from stills whose truth is known."""

import time

import numpy as np
import pytest
from cctbx import sgtbx

from iota.analysis.intensities.indexing_ambiguity import UNCLEAR, assign_indexing
from iota.crystallography.indices import reindexed, unique_reflections
from iota.crystallography.metric_symmetry import indexing_ambiguities

HEXAGONAL = (60, 60, 90, 90, 90, 120)


def _stills(space_group, cell, n_lattices, n_seen, d_min_A=2.2, noise=0.3, seed=1):
    """Lattices that each see some reflections, to any share of them, and are indexed in any way."""
    rng = np.random.default_rng(seed)
    operators = ["x,y,z", *indexing_ambiguities(cell, space_group)]
    hkl, d_A, _ = unique_reflections(cell, space_group, d_min_A, np.zeros((1, 3), dtype=int))
    truth = rng.exponential(1.0, len(d_A)) * np.exp(-12 / (2 * d_A**2))
    operator = rng.integers(0, len(operators), n_lattices)
    lattice = np.repeat(np.arange(n_lattices), n_seen)
    seen = np.concatenate([rng.choice(len(d_A), n_seen, replace=False) for _ in range(n_lattices)])
    scale = rng.lognormal(0, 0.5, n_lattices)[lattice]
    intensity = truth[seen] * rng.uniform(0, 1, len(seen)) * scale + rng.normal(0, noise * truth.mean(), len(seen))
    given = hkl[seen]
    for k, name in enumerate(operators):  # operator k is what has to be applied to get the true indices
        back = str(sgtbx.change_of_basis_op(name).inverse().as_xyz())
        given[operator[lattice] == k] = reindexed(given[operator[lattice] == k], back)
    unique = np.array([unique_reflections(cell, space_group, d_min_A, reindexed(given, name))[2] for name in operators])
    used = (unique >= 0).all(axis=0)
    return unique[:, used], lattice[used], intensity[used], d_A, operator


@pytest.mark.parametrize(
    ("space_group", "cell"), [("P 31", HEXAGONAL), ("P 6", HEXAGONAL), ("P 43", (79, 79, 38, 90, 90, 90))]
)
def test_twelve_hundred_lattices_follow_two_hundred_of_which_some_are_wrong(space_group, cell):
    unique, lattice, intensity, d_A, operator = _stills(space_group, cell, 1200, 120)
    known = np.full(1200, -1)
    known[:200] = operator[:200]
    known[:10] = (operator[:10] + 1) % len(unique)
    start = time.process_time()
    assigned = assign_indexing(unique, lattice, intensity, d_A, known)
    assert time.process_time() - start < 10  # 0.3 to 0.9 s
    wrong = assigned.operator != operator
    assert wrong.mean() < 0.005
    assert not wrong[assigned.clarity > 2 * UNCLEAR].any()
    assert np.count_nonzero(assigned.clarity < UNCLEAR) < 30


def test_the_first_way_stays_that_of_the_known_ones():
    unique, lattice, intensity, d_A, operator = _stills("P 6", HEXAGONAL, 200, 300)
    known = np.full(200, -1)
    known[:50] = 1 - operator[:50]
    assigned = assign_indexing(unique, lattice, intensity, d_A, known)
    assert np.array_equal(assigned.operator, 1 - operator)


def test_a_lattice_does_not_agree_with_itself():
    unique, lattice, _, d_A, operator = _stills("P 6", HEXAGONAL, 300, 60)
    nothing = np.random.default_rng(2).exponential(1.0, len(lattice))
    assigned = assign_indexing(unique, lattice, nothing, d_A, operator, max_passes=1)
    assert (
        0.35 < (assigned.operator == operator).mean() < 0.65
    )  # by chance half; with its own share in the mean nearly all
    assert np.count_nonzero(assigned.clarity < UNCLEAR) > 150


@pytest.mark.parametrize(
    ("space_group", "cell", "n_operators"),
    [("P 4 2 2", (60, 60, 60.1, 90, 90, 90), 3), ("P 1 2 1", (60, 60.1, 60.2, 90, 90, 90), 12), ("P 31", HEXAGONAL, 4)],
)
def test_all_ways_are_different_ones(space_group, cell, n_operators):
    operators = ["x,y,z", *indexing_ambiguities(cell, space_group)]
    hkl = np.array([[1, -5, 8], [2, 4, -7], [3, 6, 5]])
    found = {
        tuple(unique_reflections(cell, space_group, 4.0, reindexed(hkl, operator))[2].tolist())
        for operator in operators
    }
    assert len(operators) == len(found) == n_operators
    assert not any(-1 in numbers for numbers in found)
