"""Spots that do not belong, and the variances of the others, from the residuals of all lattices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from iota.geometry.panels import Ints
from iota.geometry.prediction import Array

_MAD_TO_SIGMA = 1.4826
_MIN_SPOTS = 20  # spots from which a panel has a median and a spread of its own
_ALIKE = 1.1  # ratio of variances that are all the same for this purpose
_CLASSES = 10  # of positions by the variances given, from each of which a variance is found...
_MIN_CLASS = 100  # ...if it has so many values
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
    for spots in _by_panel(panel):
        spots = spots[used[spots]]
        reference = spots if len(spots) >= _MIN_SPOTS else everywhere
        if len(spots):
            deviation[spots, :2] = _deviation(scaled[spots, :2], scaled[reference, :2])
    if len(everywhere):
        deviation[:, 2] = _deviation(scaled[:, 2:], scaled[everywhere, 2:])[:, 0]
    return np.asarray(used & (np.abs(deviation) <= cutoff).all(axis=1))


def variances_of_positions(residual: Array, weight: Array, panel: Ints) -> Array:
    """Variance of each position `[n, 2]` (mm^2): that given by a factor, plus one that all have in common.

    The variances given are those of counting photons. Bright spots are not as accurate as these imply if the model is
    not, and weak ones less so than others: with equal weights, most of the accuracy of the bright ones is lost.

    Args:
        residual: x, y and delta psi, `[n, 3]`.
        weight: of x, y, 1/variance, `[n, 2]`; 0: not used.
        panel: `[n]`; each may be displaced.
    """
    used = (weight > 0).all(axis=1) & np.isfinite(residual).all(axis=1)
    given = 1.0 / np.where(used[:, None], weight, 1.0)
    if not used.any():
        return np.asarray(given)
    off = residual[used, :2].copy()
    for spots in _by_panel(panel[used]):
        off[spots] -= np.median(off[spots], axis=0)
    order = np.argsort(given[used].ravel(), kind="stable")
    n_classes = int(np.clip(len(order) // _MIN_CLASS, 1, _CLASSES))
    classes = [(given[used].ravel()[part], off.ravel()[part]) for part in np.array_split(order, n_classes)]
    expected = np.array([variance.mean() for variance, _ in classes])
    found = np.array([(_MAD_TO_SIGMA * np.median(np.abs(values))) ** 2 for _, values in classes])
    found = np.maximum(found, _SMALLEST[0])
    if expected.max() < _ALIKE * expected.min():
        factor, common = float(np.median(found / expected)), 0.0
    else:
        (factor, common), _ = nnls(np.column_stack([expected / found, 1.0 / found]), np.ones(n_classes))
    return np.asarray(np.maximum(factor * given + common, _SMALLEST[0]))


def _by_panel(panel: Ints) -> list[Ints]:
    """Numbers of the spots of each panel."""
    parts = np.split(np.argsort(panel, kind="stable"), np.cumsum(np.bincount(panel))[:-1]) if len(panel) else []
    return [spots for spots in parts if len(spots)]


def _deviation(values: Array, reference: Array) -> Array:
    median = np.median(reference, axis=0)
    spread = _MAD_TO_SIGMA * np.median(np.abs(reference - median), axis=0)
    return np.asarray((values - median) / np.maximum(spread, 1e-30))


def variances(residual: Array, weight: Array, freedom: Array) -> Array:
    """Variances of positions, as a factor on 1/weight, and of delta psi (rad^2): `[2]`.

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
