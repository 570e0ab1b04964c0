"""The shadow of the beamstop on made-up counts."""

import numpy as np
import pytest

from iota.engine.preparation.beamstop import shadow
from iota.errors import UsageError


@pytest.fixture
def counts():
    """20 counts, a round shadow around (150, 200) with an arm to the right, a gap through it, and a dark corner."""
    picture = np.random.default_rng(1).poisson(20, (400, 300)).astype(float)
    slow, fast = np.mgrid[:400, :300]
    dark = (np.hypot(fast - 150, slow - 200) < 25) | ((abs(slow - 200) < 8) & (fast > 150) & (fast < 290))
    picture[dark] = np.random.default_rng(2).poisson(1, picture.shape)[dark]
    picture[:40, :40] = 0
    gap = (fast >= 220) & (fast < 237)
    picture[gap] = -1
    return picture, dark & ~gap


def test_the_shadow_and_its_arm_beyond_a_gap_are_found_and_nothing_else(counts):
    picture, dark = counts
    found = shadow(picture, (152.0, 203.0), 8.0)
    assert found[dark].mean() > 0.98
    valid = picture >= 0
    assert np.count_nonzero(found & ~dark & valid) < 0.35 * np.count_nonzero(dark)  # its margin
    assert not found[:60, :60].any()


def test_no_shadow_is_an_empty_one(counts):
    picture, _ = counts
    assert not shadow(picture, (40.0, 330.0), 8.0).any()
    assert not shadow(picture, (-500.0, 330.0), 8.0).any()


def test_a_threshold_above_the_background_is_refused(counts):
    with pytest.raises(UsageError, match="above the background"):
        shadow(counts[0], (150.0, 200.0), 30.0)
