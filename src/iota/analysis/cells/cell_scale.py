"""Detects cells that all differ from the given one by the same factor, as at a wrong detector distance.

At small angles Bragg's law makes d-spacings proportional to the distance, so a distance that is wrong by a factor
scales every axis by that factor and leaves the cell angles unchanged. Axes of another crystal form differ by different
factors.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from iota.crystallography.cells import Cell
from iota.crystallography.nearness import SCALED, are_near
from iota.geometry.deviations import scale_sentence

_MIN_LATTICES = 3
_MIN = 0.005  # crystals of one form differ by less, and so do cells in publications
_SIGNIFICANT = 4.0  # standard errors of the factor
_ALIKE = 0.2  # of the common factor's logarithm, by which single axes may differ from it...
_ALIKE_ERRORS = 3.0  # ...or in standard errors
_ANGLE_DEG = 0.5

Floats = npt.NDArray[np.float64]


class CellScale(msgspec.Struct, frozen=True, kw_only=True):
    """The factor by which the cell axes differ from the given ones."""

    factor: float
    """Found axes divided by given axes."""
    standard_error: float
    """Standard error of the factor."""
    n_lattices: int
    """Lattices that were compared."""
    distance_mm: float | None = None
    """Detector distance at which the cells would be as given (mm); None if the distance is not known."""

    @property
    def sentence(self) -> str:
        """The same as a sentence."""
        said = scale_sentence(self.factor, None if self.distance_mm is None else f"{self.distance_mm:.1f}")
        return f"{said[0].upper()}{said[1:]}."


def cell_scale(cells: Floats, given: Cell, distance_mm: float | None) -> CellScale | None:
    """Find the factor by which all axes differ from the given ones; None if they agree, or differ by different factors.

    Args:
        cells: of integrated lattices, in the setting of the given one (A, degrees), `[n, 6]`.
        given: the cell that was given (A, degrees).
        distance_mm: with which the images were processed.
    """
    wanted = np.array(given)
    near = are_near(cells, wanted, SCALED)
    logs = np.log(cells[near, :3] / wanted[:3])
    n = len(logs)
    if n < _MIN_LATTICES:
        return None
    middle = float(np.median(logs.mean(axis=1)))
    error = _standard_error(logs.mean(axis=1))
    if abs(math.expm1(middle)) < _MIN or abs(middle) < _SIGNIFICANT * error:
        return None
    unlike = np.abs(np.median(logs, axis=0) - middle)
    errors = np.array([_standard_error(axis) for axis in logs.T])
    angles = np.abs(np.median(cells[near, 3:], axis=0) - wanted[3:])
    if (unlike > np.maximum(_ALIKE * abs(middle), _ALIKE_ERRORS * errors)).any() or (angles > _ANGLE_DEG).any():
        return None
    factor = math.exp(middle)
    return CellScale(
        factor=factor,
        standard_error=factor * error,
        n_lattices=n,
        distance_mm=None if distance_mm is None else distance_mm / factor,
    )


def _standard_error(values: Floats) -> float:
    """Standard error of the median of values `[n]`, from their median absolute deviation."""
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return 1.2533 * spread / math.sqrt(len(values))
