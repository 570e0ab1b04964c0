"""Completeness as a function of the number of frames, and the frames needed for a given completeness."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from iota.crystallography.shells import members_of_equal_shells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]  # type: ignore[type-arg]  # of any size

_SHELLS = 10
_MAX_FRAMES = 1e9  # more is "never"
_TRIALS = 100
_MAX_DRAWN = 10_000  # frames to come; of more, chance averages out
_CONFIDENCE = 0.95
_SEED = 1057
_SHAPES = np.geomspace(0.1, 100.0, 41)  # of gamma distributions of rates that are tried; 100 is all rates alike


class FramesNeeded(msgspec.Struct, frozen=True, kw_only=True):
    """Integrated frames needed for a completeness, including the present ones; None if no number is sufficient."""

    completeness: float
    n_frames: float | None
    interval: tuple[float | None, float | None]  # 95 %


class _Rates(msgspec.Struct, frozen=True):
    """How often reflections of a shell are measured per frame: a gamma distribution over reflections."""

    n_reflections: int
    mean: float  # observations of a reflection on a frame
    shape: float


class Growth:
    """How completeness grows with frames.  Get it from :func:`growth`."""

    def __init__(self, counts: Sequence[Ints], rates: Sequence[_Rates], reaching: npt.NDArray[np.bool_]) -> None:
        self._counts, self._rates = counts, rates
        self._reaching = reaching  # whether frames go as far as shells, `[n_frames, n_shells]`
        self.n_frames = len(reaching)

    def completeness(self, n_frames: npt.ArrayLike) -> Floats:
        """Expected completeness for a number of integrated frames, smaller or larger than the present one."""
        return _completeness(self._rates, np.asarray(n_frames, dtype=np.float64))

    @property
    def completeness_now(self) -> float:
        """Fraction of the possible reflections that have been measured."""
        return sum(int(np.count_nonzero(shell)) for shell in self._counts) / sum(len(shell) for shell in self._counts)

    def multiplicity(self, n_frames: float) -> float:
        """Expected observations for each possible reflection after so many frames."""
        total = sum(rates.n_reflections for rates in self._rates)
        return n_frames * sum(rates.n_reflections * rates.mean for rates in self._rates) / total

    def frames_needed(self, completeness: float) -> FramesNeeded:
        """Frames needed for a completeness, with a confidence interval.

        Chance decides which reflections were hit so far (resampled by reflections), and how far the frames reach that
        were collected and those that are to come (resampled by frames).
        """
        rng = np.random.default_rng(_SEED)
        trials = []
        for _ in range(_TRIALS):
            ratios = self._sampling_ratios(rng, self.n_frames)
            rates = [
                _fit(rng.choice(shell, len(shell)), self.n_frames * ratio)
                for shell, ratio in zip(self._counts, ratios.tolist(), strict=True)
            ]
            needed = _needed(rates, completeness)
            if math.isfinite(needed):
                ratios = self._sampling_ratios(rng, min(_MAX_DRAWN, math.ceil(needed)))
                needed = _needed(
                    [_faster(r, ratio) for r, ratio in zip(rates, ratios.tolist(), strict=True)], completeness
                )
            trials.append(needed)
        tail = 100 * (1 - _CONFIDENCE) / 2
        low, high = np.percentile(trials, [tail, 100 - tail], method="nearest").tolist()
        best = _needed(self._rates, completeness)
        n_frames, least, most = (n if math.isfinite(n) else None for n in (best, low, high))
        return FramesNeeded(completeness=completeness, n_frames=n_frames, interval=(least, most))

    def _sampling_ratios(self, rng: np.random.Generator, n: int) -> Floats:
        """How many of n frames reach each shell, over their expected number, `[n_shells]`."""
        share = self._reaching.mean(axis=0)
        drawn = self._reaching[rng.integers(self.n_frames, size=n)].mean(axis=0)
        ratio: Floats = np.where(share > 0, np.maximum(drawn, 0.5 / n) / np.maximum(share, 0.5 / n), 1.0)
        return ratio


def growth(counts: Ints, d_A: Floats, frame_d_min_A: npt.ArrayLike) -> Growth:
    """Fit the growth of completeness with the number of frames to the counts of a run.

    In each of ten resolution shells the rate at which reflections are seen follows a gamma distribution, so counts
    follow a negative binomial one (Fisher, J. Anim. Ecol. (1943) 12, 42), whose shape is fitted by maximum likelihood:
    orientations that crystals prefer, and frames that reach different resolutions, make it broad.

    Args:
        counts: observations of each possible unique reflection, zeros included, `[n]`.
        d_A: their resolution (A), `[n]`.
        frame_d_min_A: resolution of each integrated frame that they are from (A), `[n_frames]`, at least one; nan is
            taken for the middle of the others.
    """
    parts = members_of_equal_shells(d_A, _SHELLS)
    reached = np.asarray(frame_d_min_A, dtype=np.float64)
    if np.isfinite(reached).any():
        reached = np.where(np.isfinite(reached), reached, np.nanmedian(reached))
    else:
        reached = np.zeros(len(reached))
    shells = [np.asarray(counts)[part] for part in parts]
    middles = np.array([np.median(d_A[part]) for part in parts])
    rates = [_fit(shell, len(reached)) for shell in shells]
    return Growth(shells, rates, reached[:, None] <= middles[None, :])


def _fit(counts: Ints, n_frames: float) -> _Rates:
    """Maximum likelihood of a negative binomial distribution; its mean is that of the counts."""
    from scipy.special import gammaln

    values, numbers = np.unique(counts, return_counts=True)
    mean = float(counts.mean())
    if mean == 0.0:
        return _Rates(len(counts), 0.0, 1.0)
    shape, x = _SHAPES[:, None], values[None, :]
    likelihood = gammaln(x + shape) - gammaln(shape) + shape * np.log(shape / (shape + mean))
    likelihood = likelihood + x * np.log(mean / (shape + mean))
    best = int(np.argmax((likelihood * numbers).sum(axis=1)))
    return _Rates(len(counts), mean / n_frames, float(_SHAPES[best]))


def _faster(rates: _Rates, factor: float) -> _Rates:
    return _Rates(rates.n_reflections, rates.mean * factor, rates.shape)


def _completeness(rates: Sequence[_Rates], n_frames: Floats) -> Floats:
    total = sum(shell.n_reflections for shell in rates)
    seen = np.zeros(np.shape(n_frames))
    for shell in rates:
        seen += shell.n_reflections * (1.0 - (1.0 + n_frames * shell.mean / shell.shape) ** -shell.shape)
    return seen / total


def _needed(rates: Sequence[_Rates], completeness: float) -> float:
    low, high = 0.0, _MAX_FRAMES
    if _completeness(rates, np.float64(high)) < completeness:  # type: ignore[arg-type]
        return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _completeness(rates, np.float64(middle)) < completeness else (low, middle)  # type: ignore[arg-type]
    return high
