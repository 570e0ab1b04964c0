"""Refinement of a crystal against one still, on spots made from nothing but a crystal."""

import numpy as np
import pytest
from cctbx import sgtbx, uctbx

from iota.engine.stills.still_prediction import near_ewald_sphere
from iota.engine.stills.still_refinement import (
    DELPSI_WEIGHT,
    StillSpots,
    _predict,
    b_covariance,
    constrained,
    predict,
    refine,
)
from iota.geometry.prediction import metric_basis, rotation

S0 = np.array([0.0, 0.0, -1.0 / 0.98])
TO_PANEL = np.linalg.inv(
    np.array([[1.0, 0.0, -90.0], [0.0, -1.0, 85.0], [0.0, 0.0, -140.0]])
)  # fast, slow, origin (mm)
SPOT_WEIGHT = 1.0 / 0.03**2  # 1/mm^2
TETRAGONAL = (79.2, 79.2, 38.1, 90.0, 90.0, 90.0)
TRICLINIC = (41.0, 52.0, 63.0, 84.0, 98.0, 107.0)


def _group(symbol):
    return sgtbx.space_group_info(symbol).group()


def _a_star(cell, seed):
    b_matrix = np.array(uctbx.unit_cell(cell).fractionalization_matrix()).reshape(3, 3).T
    return rotation(np.random.default_rng(seed).normal(size=3)) @ b_matrix


def _spots(a_star, noise_mm=0.0, seed=0, to_panel=TO_PANEL):
    hkl = near_ewald_sphere(a_star, S0, 2.5, 0.001, 2000.0).astype(float)
    spots = StillSpots(hkl, np.zeros((len(hkl), 2)), np.full((len(hkl), 2), SPOT_WEIGHT), to_panel, S0)
    xy = predict(a_star, spots).xy_mm
    xy = xy + np.random.default_rng(seed).normal(size=xy.shape) * noise_mm
    return StillSpots(hkl, xy, spots.weight, to_panel, S0)


def test_points_on_the_sphere_have_no_excitation_error():
    a_star = _a_star(TETRAGONAL, 1)
    spots = _spots(a_star)
    prediction = predict(a_star, spots)
    np.testing.assert_allclose(np.linalg.norm(prediction.s1, axis=1), np.linalg.norm(S0), rtol=1e-12)
    q = spots.hkl @ a_star.T
    for relp, s1, delpsi in zip(q, prediction.s1, prediction.delpsi_rad, strict=True):
        # the point that was rotated onto the sphere is s1 - s0, at the angle delpsi from where it was
        cosine = relp @ (s1 - S0) / (np.linalg.norm(relp) * np.linalg.norm(s1 - S0))
        assert np.linalg.norm(s1 - S0) == pytest.approx(np.linalg.norm(relp), rel=1e-12)
        assert np.arccos(min(1.0, cosine)) == pytest.approx(abs(delpsi), abs=3e-8)


def test_derivatives_are_those_of_the_prediction():
    a_star = _a_star(TRICLINIC, 2)
    spots = _spots(a_star)
    directions = np.random.default_rng(3).normal(size=(4, 3, 3)) * np.abs(a_star).max()
    _, analytic = _predict(a_star, spots, directions)
    step = 1e-7
    for direction, derivative in zip(directions, analytic, strict=True):
        ahead, behind = (predict(a_star + sign * step * direction, spots) for sign in (1, -1))
        numeric = [
            *(ahead.xy_mm - behind.xy_mm).T / (2 * step),
            (ahead.delpsi_rad - behind.delpsi_rad) / (2 * step),
        ]
        np.testing.assert_allclose(derivative, numeric, rtol=1e-5, atol=1e-4 * np.abs(numeric).max())


@pytest.mark.parametrize(
    ("cell", "symbol", "n_metric"),
    [
        (TETRAGONAL, "P43212", 2),
        ((60.0, 60.0, 60.0, 90.0, 90.0, 90.0), "P23", 1),
        ((60.0, 60.0, 80.0, 90.0, 90.0, 120.0), "P61", 2),
        ((50.0, 60.0, 70.0, 90.0, 90.0, 90.0), "P212121", 3),
        ((95.0, 42.0, 61.0, 90.0, 108.0, 90.0), "C2", 4),
        (TRICLINIC, "P1", 6),
    ],
)
def test_a_disturbed_crystal_comes_back(cell, symbol, n_metric):
    true = _a_star(cell, 4)
    spots = _spots(true)
    assert len(metric_basis(_group(symbol))) == n_metric
    stretch = np.tensordot(np.linspace(-1, 1, n_metric), metric_basis(_group(symbol)), axes=1) * 2e-7
    disturbed = rotation(np.array([0.003, -0.002, 0.004])) @ (true + 0.5 * np.linalg.inv(true).T @ stretch)
    before, after = _cost(disturbed, spots), _cost(refine(disturbed, spots, _group(symbol)).a_star, spots)
    assert after <= _cost(true, spots) < before
    # whatever the start, the minimum is the same
    other = refine(rotation(np.array([-0.004, 0.003, 0.001])) @ true, spots, _group(symbol))
    np.testing.assert_allclose(other.a_star, refine(disturbed, spots, _group(symbol)).a_star, atol=1e-7)


def _cost(a_star, spots):
    prediction = predict(a_star, spots)
    squares = spots.weight * (prediction.xy_mm - spots.xy_mm) ** 2
    return squares.sum() + DELPSI_WEIGHT * (prediction.delpsi_rad**2).sum()


def test_spots_on_the_sphere_give_the_crystal_back_exactly():
    true = _a_star(TRICLINIC, 10)
    spots = _spots(true)
    chosen = np.argsort(np.abs(predict(true, spots).delpsi_rad))[:150]
    mask = np.isin(np.arange(len(spots)), chosen)
    # a weight of nothing but positions: excitation errors are not zero for the true crystal
    positions = StillSpots(spots.hkl, spots.xy_mm, spots.weight * 1e9, spots.to_panel, S0).select(mask)
    refined = refine(rotation(np.array([0.002, 0.001, -0.003])) @ true, positions, _group("P1"))
    np.testing.assert_allclose(refined.a_star, true, atol=3e-6)


def test_the_symmetry_of_the_metric_stays():
    group = _group("P43212")
    a_star = constrained(_a_star((79.0, 79.6, 38.1, 90.3, 89.8, 90.1), 5), group)
    refined = refine(a_star, _spots(_a_star(TETRAGONAL, 5), noise_mm=0.05), group)
    metric = refined.a_star.T @ refined.a_star
    assert metric[0, 0] == pytest.approx(metric[1, 1], rel=1e-12)
    np.testing.assert_allclose(metric[[0, 0, 1], [1, 2, 2]], 0.0, atol=1e-15)


def test_constrained_turns_a_crystal_as_little_as_it_can():
    a_star = _a_star((79.0, 79.6, 38.1, 90.3, 89.8, 90.1), 6)
    near = constrained(a_star, _group("P4"))
    metric = near.T @ near
    assert metric[0, 0] == pytest.approx(metric[1, 1], rel=1e-12)
    turned = near @ np.linalg.inv(a_star)
    np.testing.assert_allclose(turned, turned.T, atol=0.01)
    np.testing.assert_allclose(constrained(near, _group("P4")), near, atol=1e-15)


def test_spots_on_several_panels_are_the_same_as_on_one():
    a_star = _a_star(TETRAGONAL, 7)
    one = _spots(a_star, noise_mm=0.02)
    several = StillSpots(one.hkl, one.xy_mm, one.weight, np.tile(TO_PANEL, (len(one), 1, 1)), S0)
    np.testing.assert_allclose(
        refine(a_star, several, _group("P4")).a_star, refine(a_star, one, _group("P4")).a_star, atol=1e-12
    )


def test_esds_tell_how_far_cells_scatter():
    true, group = _a_star(TETRAGONAL, 8), _group("P43212")
    cells, esds = [], []
    for seed in range(60):
        refined = refine(true, _spots(true, noise_mm=0.03, seed=seed), group)
        metric = refined.a_star.T @ refined.a_star
        cells.append(1.0 / np.sqrt(metric[0, 0]))
        b_matrix = np.array(
            uctbx.unit_cell((cells[-1], cells[-1], 1 / np.sqrt(metric[2, 2]), 90, 90, 90)).fractionalization_matrix()
        )
        covariance = b_covariance(b_matrix.reshape(3, 3).T, refined)
        esds.append(np.sqrt(covariance[0, 0]) * cells[-1] ** 2)  # a = 1/b11 for right angles
    # the weight of delta psi is no variance, so the residual scales the esds: right within a factor of two
    assert 0.5 < np.std(cells) / np.median(esds) < 2.0


def test_too_few_spots_are_refused_and_few_refine_no_cell():
    a_star = _a_star(TRICLINIC, 9)
    spots = _spots(a_star)
    with pytest.raises(ValueError, match="2 spots are too few"):
        refine(a_star, spots.select(np.arange(len(spots)) < 2), _group("P1"))
    refined = refine(a_star, spots.select(np.arange(len(spots)) < 5), _group("P1"))
    assert len(refined.metric_basis) == 0
    assert b_covariance(np.eye(3), refined) is None
    np.testing.assert_allclose(refined.a_star.T @ refined.a_star, a_star.T @ a_star, rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_every_index_near_the_sphere_is_found(seed):
    a_star = _a_star((30.0, 40.0, 55.0, 85.0, 100.0, 95.0), seed)
    d_min, mosaicity, size = 3.0, 0.004, 600.0
    found = {tuple(h) for h in near_ewald_sphere(a_star, S0, d_min, mosaicity, size).tolist()}
    grid = np.array(np.meshgrid(*[np.arange(-20, 21)] * 3, indexing="ij")).reshape(3, -1).T
    q = grid @ a_star.T
    length = np.linalg.norm(q, axis=1)
    inside = (length > 0) & (length <= 1 / d_min)
    grid, q, length = grid[inside], q[inside], length[inside]
    wavenumber = np.linalg.norm(S0)
    angle = np.abs(np.arccos(-q @ S0 / (length * wavenumber)) - np.arccos(length / (2 * wavenumber)))
    wanted = {tuple(h) for h in grid[angle < mosaicity + 1 / (length * size)].tolist()}
    assert wanted <= found
    assert len(found) < 3 * len(wanted)
    assert (0, 0, 0) not in found
