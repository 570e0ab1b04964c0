"""What all panels together say about each: motions of which there is no evidence, and uncertainties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_stills import MONOCLINIC, displaced, displacement_px, modules, stills

from iota.geometry.joint import refine
from iota.geometry.outliers import variances_of_positions

PANELS = modules(4, 2, 256, distance_mm=80.0)
OUT_OF_PLANE = ("distance", "tilt about x", "tilt about y")


def in_plane(seed, px=1.0, degrees=0.1):
    """Panels shifted in their plane and rotated about their normals."""
    random = np.random.default_rng(seed)
    shift = np.column_stack([random.normal(size=(8, 2)) * px * 0.1, np.zeros(8)])
    turn = np.radians(np.column_stack([np.zeros((8, 2)), random.normal(size=8) * degrees]))
    return PANELS.moved(PANELS.groups[1], shift, turn, PANELS.centres_mm(1)), shift


def without_motion_of_the_whole(shift_mm):
    """Shifts `[8, 2]` of panels less shift and rotation of the detector, which the crystals absorb."""
    places = np.array([[x, y] for x in (-1, 1) for y in (-1, 1)]) * 25.6 / np.sqrt(12.0)
    points = PANELS.centres_mm(1)[:, None, :2] + places
    rigid = np.zeros((8, 4, 2, 3))
    rigid[..., 0, 0] = rigid[..., 1, 1] = 1.0
    rigid[..., 0, 2], rigid[..., 1, 2] = -points[..., 1], points[..., 0]
    fitted = np.linalg.lstsq(rigid.reshape(-1, 3), np.repeat(shift_mm, 4, axis=0).ravel(), rcond=None)[0]
    return shift_mm - (rigid @ fitted).mean(axis=1)


def test_panels_that_are_displaced_in_their_plane_stay_in_it():
    for seed in range(2):
        true, _ = in_plane(seed)
        observed, _ = stills(true, 40, seed, d_min_A=1.6, spots=80)
        found = refine(PANELS, observed, (0, 1))
        assert displacement_px(found.panels, true) < 0.05 * displacement_px(PANELS, true)
        for name, limit in (("distance", 0.02), ("tilt about x", 0.05), ("tilt about y", 0.05)):  # mm, degrees
            ones = [one for one in found.parameters if (one.level, one.name) == (1, name)]
            assert max(abs(one.value) for one in ones) < limit
            assert all(abs(one.value) < 4.0 * one.esd for one in ones)  # it is not said to be known to be zero


def test_panels_that_are_tilted_are_tilted():
    true = displaced(PANELS, 1, 5, px=0.3, degrees=0.5)
    observed, _ = stills(true, 60, 5, d_min_A=1.6, spots=150)
    found = refine(PANELS, observed, (0, 1))
    normals = [np.cross(panels.fast, panels.slow) for panels in (PANELS, true, found.panels)]
    before, after = (np.degrees(np.linalg.norm(one - normals[1], axis=1)) for one in (normals[0], normals[2]))
    assert np.sqrt((after**2).mean()) < 0.2 * np.sqrt((before**2).mean())


@pytest.mark.parametrize("px", [0.0, 1.0])
def test_uncertainties_of_panels_are_those_of_the_errors(px):
    pulls = []
    for seed in range(4):
        true, shift = in_plane(seed, px, degrees=0.0)
        observed, _ = stills(true, 40, seed, crystal=MONOCLINIC, d_min_A=1.8, spots=60)
        found = refine(PANELS, observed, (0, 1))
        wanted = without_motion_of_the_whole(shift[:, :2])
        for one in found.parameters:
            if one.level == 1 and one.name in ("shift x", "shift y"):
                pulls.append((one.value - wanted[one.group, "xy".index(one.name[-1])]) / one.esd)
    # where nothing is displaced, errors are smaller than can be known
    assert (0.0 if px == 0.0 else 0.6) < np.sqrt(np.mean(np.square(pulls))) < 1.3


def test_bright_spots_count_for_more():
    random = np.random.default_rng(1)
    counting = 10.0 ** random.uniform(-5, -2, size=(4000, 1)) * np.ones(2)  # mm^2
    panel = np.repeat([0, 1], 2000)
    residual = random.normal(size=(4000, 3)) * np.sqrt(np.column_stack([4.0 * counting + 2e-4, np.ones(4000)]))
    residual[panel == 1, 0] += 0.3  # displaced
    residual[::10, :2] += random.uniform(-1, 1, size=(400, 2))  # outliers
    found = variances_of_positions(residual, 1.0 / counting, panel)
    np.testing.assert_allclose(found, 4.0 * counting + 2e-4, rtol=0.35)
    same = np.full((4000, 2), 1e-4)
    assert variances_of_positions(residual, 1.0 / same, panel).std() == 0.0


def test_a_detector_is_found_more_accurately_from_spots_of_different_brightness():
    """Two thirds of the spots are as inaccurate as weak ones are, and the files tell."""
    errors = {True: [], False: []}
    for seed in range(3):
        observed, _ = stills(PANELS, 20, seed, noise_px=0.02, outliers=0.0)
        noise_mm = np.where(np.arange(len(observed)) % 3 == 0, 0.002, 0.04)
        moved = np.random.default_rng(seed).normal(size=(len(observed), 2)) * noise_mm[:, None]
        for is_told in errors:
            weight = np.ones((len(observed), 2)) / (noise_mm[:, None] if is_told else 0.03) ** 2
            found = refine(PANELS, replace(observed, xy_mm=observed.xy_mm + moved, weight=weight), (0,))
            errors[is_told].append(displacement_px(found.panels, PANELS))
    assert np.mean(errors[True]) < 0.5 * np.mean(errors[False])
