"""Strong pixels, against the rule of DIALS' dispersion_extended threshold written down plainly."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from iota.engine.spots.strong_pixels import StrongPixels


def _window_sum(values, ky, kx):
    return ndimage.convolve(values.astype(np.int64), np.ones((2 * ky + 1, 2 * kx + 1), np.int64), mode="constant")


def _by_the_rule(
    image, valid, lowest, highest, kernel_size=(3, 3), min_local=2, b=6.0, s=3.0, threshold=0.0, masked_spread=False
):
    (ky, kx), image = kernel_size, image.astype(np.int64)
    ok = (valid == 1) & (image >= lowest) & (image <= highest)
    counted = ok & (image < 2**24)
    m, x, y = (_window_sum(counted * image**power, ky, kx).astype(float) for power in (0, 1, 2))
    least = min_local if min_local > 0 else (2 * ky + 1) * (2 * kx + 1)
    spread = ok & (m >= least) & (x >= 0) & (m * y - x * x - x * (m - 1) > x * b * np.sqrt(2 * np.maximum(m - 1, 0)))
    reach = min(ky, kx) - 1
    # where the neighbourhood leaves the image, only what is on it counts
    near = spread | ~ok if masked_spread else spread
    inside = ok & (ndimage.minimum_filter(near.astype(int), 2 * reach + 1, mode="constant", cval=1) == 1)
    background = counted & ~inside
    m, x = (_window_sum(background * image**power, ky + 2, kx + 2).astype(float) for power in (0, 1))
    mean = np.where(m >= 2, np.maximum(x, 0) / np.maximum(m, 1), 0.0)
    strong = ok & inside & (x >= 0) & (image > threshold) & (image >= mean + s * np.sqrt(mean))
    return np.flatnonzero(strong)


def _image(seed, shape, background=3.0, n_spots=12, brightness=80.0):
    """Counts with a sloping background, spots of all strengths, hot pixels, a gap and an overload."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    expected = background * (0.2 + np.arange(nx) / nx) * np.ones((ny, 1))
    j, i = np.mgrid[:ny, :nx]
    for _ in range(n_spots):
        y, x, width = rng.uniform(0, ny), rng.uniform(0, nx), rng.uniform(0.5, 1.6)
        expected += rng.exponential(brightness) * np.exp(-((j - y) ** 2 + (i - x) ** 2) / (2 * width**2))
    image = rng.poisson(expected).astype(np.int32)
    image[rng.integers(ny, size=4), rng.integers(nx, size=4)] = [300, 5_000, 70_000, 2**24 + 5]
    gap = rng.integers(nx)
    image[:, gap : gap + 3] = -1
    image[rng.integers(ny), rng.integers(nx)] = 2**30
    return image


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    background=st.sampled_from([0.02, 0.5, 4.0, 200.0]),
    kernel_size=st.sampled_from([(3, 3), (3, 3), (2, 4), (4, 2), (1, 3), (5, 5), (7, 7), (10, 12)]),
    min_local=st.sampled_from([2, 0, 20]),
    sigmas=st.sampled_from([(6.0, 3.0), (3.0, 3.0), (1.0, 0.0), (6.0, 8.0)]),
    threshold=st.sampled_from([0.0, 10.0]),
    highest=st.sampled_from([100_000, 2**31 - 1]),
    lowest=st.sampled_from([0, -1, 1]),
    masked_spread=st.booleans(),
)
def test_they_are_those_of_the_rule(
    seed, shape, background, kernel_size, min_local, sigmas, threshold, highest, lowest, masked_spread
):
    min_local = min(min_local, (2 * kernel_size[0] + 1) * (2 * kernel_size[1] + 1))
    image = _image(seed, shape, background)
    valid = (np.random.default_rng(seed).random(shape) > 0.01).astype(np.uint8)
    finder = StrongPixels(kernel_size, min_local, *sigmas, threshold, masked_spread=masked_spread)
    rule = (kernel_size, min_local, *sigmas, threshold, masked_spread)
    wanted = _by_the_rule(image, valid, lowest, highest, *rule)
    np.testing.assert_array_equal(finder.find(image, valid, lowest, highest), wanted)
    np.testing.assert_array_equal(finder.find(image, valid, lowest, highest), wanted)  # no trace of the first time


def test_there_are_some_to_compare():
    image = _image(1, (200, 300), n_spots=60)
    assert len(_by_the_rule(image, np.ones(image.shape, np.uint8), 0, 10**6)) > 100


@pytest.mark.parametrize("least_is_there", [(0, 0), (0, 299), (199, 0), (199, 299), (2, 150), (100, 150)])
def test_a_spot_is_found_wherever_it_lies(least_is_there):
    y, x = least_is_there
    j, i = np.mgrid[:200, :300]
    image = (1000 * np.exp(-((j - y) ** 2 + (i - x) ** 2) / 2.0)).astype(np.int32)
    found = StrongPixels().find(image, np.ones(image.shape, np.uint8), 0, 10**6)
    assert y * 300 + x in found


def test_a_hot_pixel_is_one_pixel_and_a_step_is_none():
    image = np.random.default_rng(2).poisson(5.0, (100, 100)).astype(np.int32)
    image[40, 40] = 1000
    image[:, 70:] = np.random.default_rng(3).poisson(7.0, (100, 30))  # the edge of a shadow
    assert list(StrongPixels().find(image, np.ones(image.shape, np.uint8), 0, 10**6)) == [40 * 100 + 40]


@pytest.mark.slow
@pytest.mark.parametrize(
    "obstacle",
    [
        pytest.param("caching.CacheImpl._locator_classes = []", id="nowhere to keep what was compiled"),
        pytest.param("caching.IndexDataCacheFile.save = full", id="no room to keep it"),
    ],
)
def test_without_a_cache_it_compiles_for_itself(obstacle, tmp_path):
    code = (
        "from numba.core import caching\ndef full(*_): raise OSError(28, 'No space left on device')\n"
        f"{obstacle}\nfrom iota.engine.spots.strong_pixels import warm_up\nwarm_up()\nprint('warm')"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment)
    assert done.stdout.strip() == "warm", done.stderr
    assert not list(tmp_path.rglob("*.nbi"))
