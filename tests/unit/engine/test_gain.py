"""The gain from frames of a charge-integrating detector: photons times gain, readout noise, a pedestal."""

import numpy as np
import pytest

from iota.engine.preparation.gain import gain_of, regions

SHAPE = (448, 512)


def _frame(rng, gain, background, noise, pedestal):
    """Counts with a diffuse ring and spots, and which pixels are good."""
    y, x = np.indices(SHAPE)
    r = np.hypot(x - 256, y - 200)
    photons = background * (0.4 + 1.2 * np.exp(-(((r - 120) / 90) ** 2)))
    for _ in range(60):
        j, i = rng.uniform(6, SHAPE[0] - 6), rng.uniform(6, SHAPE[1] - 6)
        near = slice(int(j) - 5, int(j) + 6), slice(int(i) - 5, int(i) + 6)
        photons[near] += rng.exponential(400) * np.exp(-((y[near] - j) ** 2 + (x[near] - i) ** 2) / 1.6)
    counts = np.rint(gain * rng.poisson(photons) + rng.normal(0, noise, SHAPE) + pedestal)
    good = rng.random(SHAPE) > 0.002
    good[200:217] = False
    counts[~good] = -1
    return counts, good


def _gain(rng, n_frames, *words):
    found = [regions(*_frame(rng, *words)) for _ in range(n_frames)]
    return gain_of(*(np.concatenate(column) for column in zip(*found, strict=True)))


@pytest.mark.parametrize("gain", [1, 8, 25, 40])
@pytest.mark.parametrize("background", [0.5, 3, 20])
@pytest.mark.parametrize(("noise", "pedestal"), [(0, 0), (0.4, 3), (1.2, 10)])  # photons
def test_neither_pedestal_nor_noise_changes_the_gain(gain, background, noise, pedestal):
    rng = np.random.default_rng([gain, int(10 * background), int(10 * noise)])
    found = _gain(rng, 2, gain, background, noise * gain, pedestal * gain)
    assert found.value == pytest.approx(gain, rel=0.2)
    assert not found.assumes_no_pedestal


@pytest.mark.parametrize("seed", range(3))
def test_noise_of_many_photons_leaves_no_gain_rather_than_a_wrong_one(seed):
    found = _gain(np.random.default_rng(seed), 1, 1, 3, 15, 40)
    assert found is None or found.assumes_no_pedestal


def test_an_even_background_gives_a_gain_with_a_reservation():
    counts = 8.0 * np.random.default_rng(4).poisson(2, SHAPE)
    found = gain_of(*regions(counts, np.ones(SHAPE, dtype=bool)))
    assert found.value == pytest.approx(8, rel=0.05)
    assert found.assumes_no_pedestal


def test_a_blank_detector_tells_nothing():
    assert gain_of(*regions(np.zeros(SHAPE), np.ones(SHAPE, dtype=bool))) is None
    assert gain_of(*regions(np.zeros((20, 20)), np.ones((20, 20), dtype=bool))) is None
    assert gain_of(*regions(np.zeros(SHAPE), np.zeros(SHAPE, dtype=bool))) is None
