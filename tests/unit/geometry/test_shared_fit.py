"""Shift and common cell by least squares, with the orientation of each still eliminated."""

import numpy as np
import pytest

from iota.crystallography.cells import basis_from_cell, cell_from_basis
from iota.geometry.shared_fit import Still, fit_shared, nearest_rotation
from iota.simulate.lattice import random_rotation

CELL = (45.0, 58.0, 66.0, 82.0, 75.0, 68.0)
DISTANCE_MM = 120.0


def _stills(n, move_mm, noise_mm, seed=1, jitter_mm=0.01):
    """Spots of a crystal exactly on the Ewald sphere, on a plane; placed without the shift, those of a still together
    off by the jitter."""
    rng = np.random.default_rng(seed)
    basis = basis_from_cell(CELL)
    made = []
    for _ in range(n):
        rotation = random_rotation(rng)
        hkl = np.array(np.meshgrid(*[np.arange(-25, 26)] * 3)).reshape(3, -1).T
        q = hkl @ np.linalg.inv(basis).T @ rotation.T
        near = np.abs(np.linalg.norm(q - [0.0, 0.0, 1.0], axis=1) - 1.0) < 2e-4
        near &= (np.linalg.norm(q, axis=1) < 0.5) & (np.linalg.norm(q, axis=1) > 0.05)
        hkl, s1 = hkl[near][:80], (q[near] - [0.0, 0.0, 1.0])[:80]
        xyz = s1 * (-DISTANCE_MM / s1[:, 2:]) + np.append(jitter_mm * rng.standard_normal(2), 0.0)
        xyz[:, :2] += noise_mm * rng.standard_normal((len(xyz), 2))
        start = rotation @ random_rotation_near(rng, 0.002)
        made.append(Still(xyz - move_mm, hkl, np.ones(len(hkl), dtype=bool), start, 1.0))
    return made, basis


def random_rotation_near(rng, angle):
    """A rotation by a small angle."""
    x, y, z = angle * rng.standard_normal(3)
    return nearest_rotation(np.eye(3) + np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]).T, np.eye(3))


@pytest.mark.parametrize("free_cell", [False, True])
def test_fit_recovers_the_shift(free_cell):
    move_mm = np.array([0.4, -0.3, 2.0])
    stills, basis = _stills(12, move_mm, 0.01)
    fit = fit_shared(stills, basis * (1.01 if free_cell else 1.0), np.zeros(3), free_cell)
    error = np.abs(fit.move_mm - move_mm)
    assert (error[:2] < 0.03).all()
    assert error[2] < (0.3 if free_cell else 0.1)
    assert (fit.esd_mm < [0.02, 0.02, 0.2]).all()
    assert cell_from_basis(fit.basis)[:3] == pytest.approx(CELL[:3], rel=0.003)


def test_uncertainties_include_that_stills_differ():
    stills, basis = _stills(16, np.zeros(3), 0.005, jitter_mm=0.06)
    fit = fit_shared(stills, basis, np.zeros(3), free_cell=False)
    assert (fit.esd_mm[:2] > 0.7 * 0.06 / np.sqrt(16)).all() and (fit.esd_mm[:2] < 2 * 0.06 / np.sqrt(16)).all()
    assert (np.abs(fit.move_mm) < 4 * fit.esd_mm).all()


def test_outliers_do_not_matter():
    stills, basis = _stills(12, np.array([0.2, 0.1, 0.5]), 0.01)
    rng = np.random.default_rng(5)
    for still in stills:
        wrong = rng.choice(len(still.xyz_mm), len(still.xyz_mm) // 5, replace=False)
        still.xyz_mm[wrong, :2] += rng.uniform(-2.0, 2.0, (len(wrong), 2))
    fit = fit_shared(stills, basis, np.zeros(3), free_cell=False)
    assert fit.move_mm == pytest.approx([0.2, 0.1, 0.5], abs=0.1)


def test_stills_with_hardly_any_spots_change_nothing():
    stills, basis = _stills(1, np.zeros(3), 0.01)
    stills[0].used[3:] = False
    fit = fit_shared(stills, basis, np.array([0.1, 0.0, 0.0]), free_cell=True)
    assert np.isfinite(fit.move_mm).all()
