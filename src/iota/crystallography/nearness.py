"""How far cells in the same setting differ, and the tolerances within which they count as one.

All cells here are in one setting. :func:`iota.crystallography.lattices.closest_setting` compares cells as lattices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LENGTHS_IN_VOLUME = 3.5  # a volume may differ by so many times the tolerance of a length: three lengths, and angles


class Tolerance(NamedTuple):
    """How far two cells may differ: each length, relative to that of the reference, and each angle."""

    length: float
    angle_deg: float

    @property
    def volume(self) -> float:
        """Maximum difference of the volumes, relative to that of the reference."""
        return _LENGTHS_IN_VOLUME * self.length


ONE_LATTICE = Tolerance(0.03, 2.5)  # single frames of one crystal form
ONE_FORM = Tolerance(0.015, 2.5)  # medians of several frames of one crystal form, each good to a fifth of this
ONE_SETTING = Tolerance(0.05, 3.0)  # cells of which indices mean the same reflections; one of them may be an outlier
AS_GIVEN = Tolerance(0.01, 1.0)  # a cell that a person gives, and the constraints of its space group
SCALED = Tolerance(0.2, 180.0)  # one crystal form at a wrong detector distance: any angle, as it is compared later


def cell_differences(cells: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Relative differences of lengths, and differences of angles (degrees), from a reference.

    Args:
        cells: `[..., 6]`.
        reference: `[6]`.

    Returns:
        Both `[..., 3]`.
    """
    table, wanted = np.asarray(cells, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    return table[..., :3] / wanted[:3] - 1.0, table[..., 3:] - wanted[3:]


def are_near(cells: npt.ArrayLike, reference: npt.ArrayLike, tolerance: Tolerance) -> npt.NDArray[np.bool_]:
    """Which of many cells `[..., 6]` are within a tolerance of a reference `[6]`: `[...]`."""
    lengths, angles_deg = cell_differences(cells, reference)
    near: npt.NDArray[np.bool_] = (
        (np.abs(lengths) <= tolerance.length) & (np.abs(angles_deg) <= tolerance.angle_deg)
    ).all(axis=-1)
    return near


def is_near(cell: Sequence[float], reference: Sequence[float], tolerance: Tolerance) -> bool:
    """The same for one cell, ten times as fast."""
    return all(abs(x / y - 1.0) <= tolerance.length for x, y in zip(cell[:3], reference[:3], strict=True)) and all(
        abs(x - y) <= tolerance.angle_deg for x, y in zip(cell[3:], reference[3:], strict=True)
    )


def is_within_fraction(cell: Sequence[float], reference: Sequence[float], fraction: float) -> bool:
    """Whether each length and each angle differs by at most a fraction of that of the reference: ``uc_tolerance``."""
    return all(abs(x - y) <= fraction * y for x, y in zip(cell, reference, strict=True))


def squared_distances(cells: npt.ArrayLike, reference: npt.ArrayLike) -> Floats:
    """Difference of cells `[..., 6]` from a reference `[6]` as one number, to find the closest: `[...]`.

    The sum of squares of relative lengths and of angles (rad), about the square of the strain between the two.
    """
    lengths, angles_deg = cell_differences(cells, reference)
    total: Floats = (lengths**2).sum(axis=-1) + (np.radians(angles_deg) ** 2).sum(axis=-1)
    return total
