"""Positions at which rays enter a sensor, from pixels in which photons are absorbed on average."""

from __future__ import annotations

import numpy as np
import pytest
from dials.array_family import flex
from dxtbx.model import OffsetParallaxCorrectedPxMmStrategy, Panel, ParallaxCorrectedPxMmStrategy

from iota.engine.geometry.parallax import at_surface

PIXEL_MM, MU_PER_MM, THICKNESS_MM = 0.172, 3.966, 0.32


def panel(strategy=None):
    made = Panel()
    made.set_frame((1, 0, 0), (0, -1, 0), (-80.0, 90.0, -130.0))
    made.set_pixel_size((PIXEL_MM, PIXEL_MM))
    made.set_image_size((1000, 1000))
    if strategy is not None:
        made.set_px_mm_strategy(strategy)
    return made


@pytest.mark.parametrize("has_offsets", [False, True])
def test_rays_are_followed_back_from_the_mean_depth_of_photons_that_are_absorbed(has_offsets):
    strategy = ParallaxCorrectedPxMmStrategy(MU_PER_MM, THICKNESS_MM)
    if has_offsets:
        zero = flex.double(flex.grid(1000, 1000), 0.0)
        strategy = OffsetParallaxCorrectedPxMmStrategy(MU_PER_MM, THICKNESS_MM, zero, zero)
    made = panel(strategy)
    entry_mm = np.array([[80.0, 90.0], [85.0, 95.0], [20.0, 140.0], [165.0, 10.0]])  # the first along the normal
    rays = np.column_stack([entry_mm[:, 0] - 80.0, 90.0 - entry_mm[:, 1], np.full(4, -130.0)])
    rays /= np.linalg.norm(rays, axis=1)[:, None]
    # mean over depths, weighted by the probability to be absorbed there
    depth = (np.arange(20_000) + 0.5) / 20_000 * (THICKNESS_MM / -rays[:, 2:])
    weight = np.exp(-MU_PER_MM * depth)
    absorbed_mm = entry_mm + ((depth * weight).sum(axis=1) / weight.sum(axis=1))[:, None] * rays[:, :2] * [1.0, -1.0]
    as_dials = made.pixel_to_millimeter(flex.vec2_double(np.ascontiguousarray(absorbed_mm / PIXEL_MM)))
    as_dials = as_dials.as_double().as_numpy_array().reshape(-1, 2)
    np.testing.assert_allclose(at_surface(made, as_dials), entry_mm, atol=3e-4)
    assert np.abs(as_dials - entry_mm).max() > 0.012  # a tenth of a pixel


def test_positions_without_a_correction_stay():
    xy_mm = np.array([[3.0, 4.0], [150.0, 160.0]])
    np.testing.assert_array_equal(at_surface(panel(), xy_mm), xy_mm)
    corrected = panel(ParallaxCorrectedPxMmStrategy(MU_PER_MM, THICKNESS_MM))
    assert at_surface(corrected, np.empty((0, 2))).shape == (0, 2)
