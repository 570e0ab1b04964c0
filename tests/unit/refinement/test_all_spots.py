"""A geometry that was so wrong that spots were not indexed is found as from all spots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_stills import MONOCLINIC, TETRAGONAL, moved_whole, one_panel, stills

from iota.geometry.indices import reindexed
from iota.geometry.joint import refine
from iota.geometry.normal_equations import residuals
from iota.refinement.fitting import fit_geometry, fit_spots

TILT_DEG = 0.5


def near_their_predictions(observed, limit_px):
    """As an indexer leaves them: with crystals refined for the wrong geometry, spots far from it have no indices."""
    alone = refine(one_panel(), observed, ())
    off = residuals(one_panel(), observed, alone.a_star, alone.s0)[:, :2] / 0.1
    far = np.hypot(*off.T) > limit_px
    return replace(observed, a_star=alone.a_star, hkl=np.where(far[:, None], 0, observed.hkl))


@pytest.mark.parametrize("crystal", [TETRAGONAL, MONOCLINIC])
def test_the_tilt_does_not_depend_on_which_spots_were_indexed(crystal):
    everything, _ = stills(moved_whole(one_panel(), rotation_deg=(TILT_DEG, 0, 0)), 30, 1, crystal=crystal)
    spots = near_their_predictions(everything, 0.3)
    assert len(spots.indexed) < 0.8 * len(spots)

    def tilt(fit):
        return next(p for p in fit.parameters if p.name == "tilt about x")

    once = tilt(fit_geometry(one_panel(), spots.indexed, (0,), None))
    fit, indexed = fit_spots(one_panel(), spots, (0,), None)
    assert abs(once.value - TILT_DEG) > 5.0 * tilt(fit).esd  # the spots that were indexed favour the wrong geometry
    assert tilt(fit).value == pytest.approx(TILT_DEG, abs=4.0 * tilt(fit).esd)
    assert len(indexed) > 0.95 * len(spots)


def test_indices_are_those_of_the_nearest_points():
    true = moved_whole(one_panel(), rotation_deg=(TILT_DEG, 0, 0))
    everything, a_star = stills(true, 5, 2, outliers=0.0, noise_px=0.05, mosaic_rad=0.0005)
    unknown = replace(everything, hkl=np.zeros_like(everything.hkl))
    found = reindexed(unknown, true, a_star, everything.s0)
    np.testing.assert_array_equal(found.hkl, everything.hkl)
    # two spots at one point: the nearer one has its indices; spots between points have none
    twice = np.repeat(np.arange(len(everything)), 2)
    doubled = unknown.select_spots(twice)
    doubled.xy_mm[1::2] += 0.05
    found = reindexed(doubled, true, a_star, everything.s0)
    assert not found.hkl[1::2].any() and (found.hkl[::2] == everything.hkl).all()
    between = replace(everything, xy_mm=everything.xy_mm + 0.5 * 120.0 / 79.2 / np.sqrt(2.0))
    assert reindexed(between, true, a_star, everything.s0).hkl.any(axis=1).mean() < 0.3
