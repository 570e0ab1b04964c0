"""Detects drift of the beam centre and the detector distance during a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

_MIN_LATTICES = 10  # lattices in a third; fewer tell nothing
_Z_99 = 2.576  # three axes are looked at, so that 95 % would cry wolf in every seventh run
_AXES = {"beam_fast_mm": "x", "beam_slow_mm": "y", "distance_mm": "z"}


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How far the beam centre along an axis moved from the first to the last third of the lattices of a run."""

    axis: str
    """x: fast, y: slow, z: distance."""
    change_mm: float
    """Change of the median (mm)."""
    half_width_mm: float
    """Half-width of the 99 % confidence interval of the change (mm)."""
    n_lattices: int
    """Lattices in each third."""

    @property
    def is_significant(self) -> bool:
        """Whether so large a change is unlikely for a detector that did not move."""
        return abs(self.change_mm) > self.half_width_mm


def drifts(values: Mapping[str, npt.NDArray[np.floating[Any]]]) -> list[Drift]:
    """Drift along x, y and z; empty if there are too few lattices.

    Args:
        values: beam centre and distance of lattices (mm) by column, in the order in which frames were finished,
            `[n]` each, nan where unknown.
    """
    found = [(axis, _drift(axis, values[name])) for name, axis in _AXES.items()]
    return [drift for _, drift in found if drift is not None]


def _drift(axis: str, values: npt.NDArray[np.floating[Any]]) -> Drift | None:
    known = values[np.isfinite(values)].astype(np.float64)
    n = len(known) // 3
    if n < _MIN_LATTICES:
        return None
    first, last = known[:n], known[-n:]
    variance = sum(_variance_of_median(part) for part in (first, last))
    change = float(np.median(last) - np.median(first))
    return Drift(axis=axis, change_mm=change, half_width_mm=_Z_99 * float(np.sqrt(variance)), n_lattices=n)


def _variance_of_median(values: npt.NDArray[np.float64]) -> float:
    """Variance pi/2 sigma^2/n of the median of normal values; sigma is from the median absolute deviation (robust)."""
    sigma = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return np.pi / 2 * sigma**2 / len(values)
