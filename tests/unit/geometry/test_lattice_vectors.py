"""Vectors of a lattice from spots with a wrong origin."""

import numpy as np
import pytest

from iota.geometry.centre_vote import vote
from iota.geometry.lattice_vectors import LatticeVectors, lattice_vectors
from iota.simulate.lattice import random_rotation, reciprocal_basis

CELL = (60.0, 75.0, 90.0, 90.0, 105.0, 90.0)


def _still(rng, shift, n=60):
    """Spots `[n, 3]` (1/A) at lattice points near the Ewald sphere, all shifted, and the reciprocal basis."""
    A = random_rotation(rng) @ reciprocal_basis(CELL)
    hkl = np.array(np.meshgrid(*[np.arange(-28, 29)] * 3)).reshape(3, -1).T
    q = hkl @ A.T
    length = np.linalg.norm(q, axis=1)
    q = q[(np.abs(np.linalg.norm(q - [0.0, 0.0, 1.0], axis=1) - 1.0) < 0.0005) & (length < 0.29) & (length > 0.03)]
    return q[rng.permutation(len(q))[:n]] + shift, A


def test_vectors_are_of_the_lattice_whatever_the_shift():
    rng = np.random.default_rng(2)
    q, A = _still(rng, [0.013, -0.008, 0.0])
    found = lattice_vectors(q)
    best = found.t_A[np.abs(found.sums) > 0.9]
    assert len(best) > 10
    cycles = best @ A
    assert np.abs(cycles - np.rint(cycles)).max() < 0.1
    phase = np.angle(found.sums[np.abs(found.sums) > 0.9]) / (2.0 * np.pi) - best @ [0.013, -0.008, 0.0]
    assert np.abs(phase - np.rint(phase)).max() < 0.1


def test_too_few_spots():
    assert len(lattice_vectors(np.zeros((7, 3))).t_A) == 0
    assert len(lattice_vectors(np.empty((0, 3))).t_A) == 0


def test_stills_agree_on_the_shift_only_together():
    """One still leaves many shifts, ten leave one."""
    rng = np.random.default_rng(3)
    px = 0.001
    stills = [lattice_vectors(_still(rng, [0.007, -0.012, 0.0])[0]) for _ in range(10)]
    assert vote(stills[:1], [px], 20.0).ratio < 1.3
    together = vote(stills, [px] * 10, 20.0)
    assert together.shift_px == pytest.approx([7.0, -12.0], abs=0.2)
    assert together.ratio > 3.0
    assert together.agreement > 0.9


def test_no_vectors_no_vote():
    empty = LatticeVectors(np.empty((0, 3)), np.empty(0, dtype=complex), 0)
    assert vote([empty], [0.001], 20.0).ratio < 1.6
