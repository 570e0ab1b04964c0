"""Spots that do not belong, and the variances of the others, from the residuals of all lattices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iota.geometry.panels import Ints
from iota.geometry.prediction import Array

_MAD_TO_SIGMA = 1.4826
_MIN_SPOTS = 20  # spots from which a panel has a median and a spread of its own
_SMALLEST = np.array([1e-8, 1e-14])  # variances of data without errors, so that weights stay finite


def accepted(residual: Array, weight: Array, panel: Ints, cutoff: float) -> npt.NDArray[np.bool_]:
    """Which spots are no outliers, `[n]`.

    Residuals are compared with the median of their panel, which may be displaced, in units of the spread of its
    residuals, from the median of absolute deviations.

    Args:
        residual: x, y and delta psi, `[n, 3]`.
        weight: of x, y, `[n, 2]`; spots without weight are never accepted.
        panel: `[n]`.
        cutoff: largest accepted deviation (standard deviations).
    """
    used = (weight > 0).all(axis=1) & np.isfinite(residual).all(axis=1)
    scaled = np.where(used[:, None], residual, 0.0)
    scaled[:, :2] *= np.sqrt(weight)
    deviation = np.zeros(scaled.shape)
    everywhere = np.flatnonzero(used)
    by_panel = np.split(np.argsort(panel, kind="stable"), np.cumsum(np.bincount(panel))[:-1]) if len(panel) else []
    for spots in by_panel:
        spots = spots[used[spots]]
        reference = spots if len(spots) >= _MIN_SPOTS else everywhere
        if len(spots):
            deviation[spots, :2] = _deviation(scaled[spots, :2], scaled[reference, :2])
    if len(everywhere):
        deviation[:, 2] = _deviation(scaled[:, 2:], scaled[everywhere, 2:])[:, 0]
    return np.asarray(used & (np.abs(deviation) <= cutoff).all(axis=1))


def _deviation(values: Array, reference: Array) -> Array:
    median = np.median(reference, axis=0)
    spread = _MAD_TO_SIGMA * np.median(np.abs(reference - median), axis=0)
    return np.asarray((values - median) / np.maximum(spread, 1e-30))


def variances(residual: Array, weight: Array, freedom: Array) -> Array:
    """Variances of positions, relative to 1/weight, and of delta psi (rad^2): `[2]`.

    Args:
        residual: x, y and delta psi of accepted spots, `[n, 3]`.
        weight: of x, y, `[n, 2]`.
        freedom: number of parameters that were determined from positions and from delta psi, `[2]`.
    """
    positions, delpsi = float((weight * residual[:, :2] ** 2).sum()), float((residual[:, 2] ** 2).sum())
    n = len(residual)
    # with hardly more spots than parameters the excess does not tell; a tenth of the spots then stands for it
    left = np.maximum(np.array([2.0 * n, n]) - freedom, 0.1 * n + 1.0)
    return np.asarray(np.maximum(np.array([positions, delpsi]) / left, _SMALLEST))
