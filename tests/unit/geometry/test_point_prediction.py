"""Positions and excitation errors of reciprocal lattice points, and their derivatives."""

import numpy as np
import pytest

from iota.geometry.prediction import directions, metric_basis, predict, rotation, rotations

S0 = np.array([0.02, -0.01, -1.0])
TO_PANEL = np.linalg.inv(np.array([[1.0, 0.0, -90.0], [0.0, -1.0, 85.0], [0.02, 0.0, -140.0]]))


def _points(n=50, seed=1):
    q = np.random.default_rng(seed).normal(size=(n, 3)) * [0.15, 0.15, 0.01]
    return q + np.array([0.0, 0.0, 0.02])


def test_derivatives_by_the_points_are_those_of_finite_differences():
    q, step = _points(), 1e-7
    _, analytic = predict(q, S0, TO_PANEL, np.broadcast_to(np.eye(3)[:, None], (3, len(q), 3)))
    for axis, derivative in zip(np.eye(3), analytic, strict=True):
        ahead, behind = (predict(q + sign * step * axis, S0, TO_PANEL)[0] for sign in (1, -1))
        numeric = [*(ahead.xy_mm - behind.xy_mm).T, ahead.delpsi_rad - behind.delpsi_rad]
        numeric = np.array(numeric) / (2 * step)
        np.testing.assert_allclose(derivative, numeric, rtol=1e-5, atol=1e-6 * np.abs(numeric).max())


def test_each_point_can_have_its_own_beam_and_panel():
    q = _points()
    d_q = np.random.default_rng(2).normal(size=(4, len(q), 3))
    one, d_one = predict(q, S0, TO_PANEL, d_q)
    each, d_each = predict(q, np.tile(S0, (len(q), 1)), np.tile(TO_PANEL, (len(q), 1, 1)), d_q)
    np.testing.assert_allclose(each.xy_mm, one.xy_mm, rtol=1e-12)
    np.testing.assert_allclose(each.delpsi_rad, one.delpsi_rad, atol=1e-13)
    np.testing.assert_allclose(d_each, d_one, rtol=1e-9, atol=1e-9)


def test_many_rotations_are_those_of_single_vectors():
    vectors = np.concatenate([np.random.default_rng(3).normal(size=(5, 3)), np.zeros((1, 3))])
    for vector, turn in zip(vectors, rotations(vectors), strict=True):
        np.testing.assert_allclose(turn, rotation(vector), atol=1e-14)


@pytest.mark.parametrize("symbol", ["P 1", "P 1 21 1", "P 43 21 2"])
def test_directions_of_many_crystals_are_those_of_each(symbol):
    a_star = np.random.default_rng(4).normal(size=(3, 3, 3))
    basis = metric_basis(symbol)
    together = directions(a_star, np.tile(basis, (3, 1, 1, 1)))
    for one, expected in zip(together, (directions(a, basis) for a in a_star), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-12)
