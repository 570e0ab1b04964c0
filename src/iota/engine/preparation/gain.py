"""Estimates the gain of a detector from the background of images.

Photons obey Poisson's law, so where each makes g counts, the variance of the counts is g times their mean without the
pedestal, plus that of the readout noise and of differences between pixels. Pedestal and noise are the same in bright
and dark regions, so neither affects the slope of variance against mean: the slope is the gain (photon transfer:
Janesick, Klaasen & Elliott, Opt. Eng. (1987) 26, 972). The ratio of variance to mean, as in dials.estimate_gain, is
the gain only if there is neither pedestal nor noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_CELL = 8  # px; the background is even over a square so small
_CELLS = 4  # to a side of a region, most of which hold no spot
_MIN_GOOD = 0.75  # of the pixels of a cell
_MIN_REGIONS = 20
_BIASED = 1.01  # mean of a variance of 64 values, by its median
_BEST = 0.1  # relative standard error up to which a slope is given
_UNEVEN = 2.0  # by how much the spread of means must surpass that of counting statistics for a slope
_TUNING = 4.685  # of Tukey's biweight
_PASSES = 30


class Gain(NamedTuple):
    """Counts per photon."""

    value: float
    assumes_no_pedestal: bool  # the background is so even that a pedestal, or noise, would not show


class Line(NamedTuple):
    """Variance against mean, ``slope * mean + constant``, with standard errors."""

    slope: float
    constant: float
    slope_error: float
    constant_error: float


def regions(counts: Floats, good: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean and variance of the counts in regions of a panel, robust to spots and bad pixels.

    Args:
        counts: `[rows, columns]`.
        good: pixels that measure, of the same shape.

    Returns:
        Mean `[n]` and variance `[n]` of the regions with enough good pixels.
    """
    side = _CELL * _CELLS
    n_rows, n_columns = counts.shape[0] // side, counts.shape[1] // side
    if not n_rows or not n_columns or not good.any():
        return np.empty(0), np.empty(0)
    middle = float(np.median(counts[good]))  # taken off, for the sake of the digits
    shape = (n_rows, _CELLS, _CELL, n_columns, _CELLS, _CELL)
    used = good[: n_rows * side, : n_columns * side].reshape(shape)
    value = np.where(used, counts[: n_rows * side, : n_columns * side].reshape(shape) - middle, 0.0)
    n = used.sum(axis=(2, 5))
    is_full = n >= _MIN_GOOD * _CELL * _CELL
    divisor = np.maximum(n, 2)
    mean = value.sum(axis=(2, 5)) / divisor
    variance = ((value**2).sum(axis=(2, 5)) - divisor * mean**2) / (divisor - 1)
    enough = is_full.sum(axis=(1, 3)) >= _CELLS * _CELLS // 2
    by_region = [
        np.where(is_full, x, np.nan).transpose(0, 2, 1, 3).reshape(n_rows, n_columns, -1)[enough]
        for x in (mean, variance)
    ]
    if not len(by_region[0]):
        return np.empty(0), np.empty(0)
    return np.nanmedian(by_region[0], axis=1) + middle, _BIASED * np.nanmedian(by_region[1], axis=1)


def variance_line(mean: Floats, variance: Floats) -> Line:
    """Robust fit of a line to variances `[n]` with errors proportional to them."""
    least = 1e-3 * float(np.median(variance))
    order = np.array_split(np.argsort(mean), 10)
    start = np.polyfit([np.median(mean[k]) for k in order], [np.median(variance[k]) for k in order], 1)
    expected = np.maximum(np.polyval(start, mean), least)
    design = np.stack([mean, np.ones_like(mean)], axis=1)
    for _ in range(_PASSES):
        residual = (variance - expected) / expected
        spread = max(1.4826 * float(np.median(np.abs(residual - np.median(residual)))), 1e-9)
        weight = np.clip(1.0 - (residual / (_TUNING * spread)) ** 2, 0.0, None) ** 2 / expected**2
        normal = design.T @ (weight[:, None] * design)
        slope, constant = np.linalg.lstsq(normal, design.T @ (weight * variance), rcond=None)[0]
        expected = np.maximum(slope * mean + constant, least)
    errors = spread * np.sqrt(np.abs(np.diag(np.linalg.pinv(normal))))
    return Line(float(slope), float(constant), float(errors[0]), float(errors[1]))


def gain_of(mean: Floats, variance: Floats) -> Gain | None:
    """Counts per photon, from regions of images; None if they do not determine it within 20 %.

    Args:
        mean: of the counts in regions, `[n]`.
        variance: of the same, `[n]`.
    """
    typical = float(np.median(variance)) if len(mean) >= _MIN_REGIONS else 0.0
    if typical <= 0:
        return None
    spread = 1.4826 * float(np.median(np.abs(mean - np.median(mean))))
    of_counting = np.sqrt(0.5 * np.pi * typical / (_CELL * _CELLS) ** 2)  # 0.5 pi: of a median
    if spread < _UNEVEN * of_counting:
        return Gain(float(np.median(variance) / np.median(mean)), True) if np.median(mean) > 0 else None
    line = variance_line(mean, variance)
    return Gain(line.slope, False) if 0 < line.slope_error < _BEST * line.slope else None
