"""Where the beam meets the detector, according to the lattices of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from iota.charts.colours import coloured
from iota.charts.description import Axis, Cells, Chart, Circle, Cross

MAX_POINTS = 50_000  # more change no picture that a person can see
_CELLS = 54  # across


def beam_chart(
    x_mm: npt.NDArray[np.floating[Any]],
    y_mm: npt.NDArray[np.floating[Any]],
    one_index_mm: float | None = None,
    *,
    median: tuple[float, float] | None = None,
) -> Chart:
    """Describe beam centres of lattices as counts in squares, with the circle of frames misindexed by one.

    Args:
        x_mm: beam centre along the fast axis, `[n]`; not a number where unknown.
        y_mm: the same along the slow axis.
        one_index_mm: radius of that circle, None when it is not known.
        median: of both, where it is known of more lattices than these.
    """
    title, size = "Beam centre", (340.0, 320.0)
    known = np.isfinite(x_mm) & np.isfinite(y_mm)
    x, y = x_mm[known].astype(float), y_mm[known].astype(float)
    if not len(x):
        return Chart(title=title, size=size, empty="No integrated lattices yet")
    stride = -(-len(x) // MAX_POINTS)
    x, y = x[::stride], y[::stride]
    middle_x, middle_y = median or (float(np.median(x)), float(np.median(y)))
    reach = max(float(np.quantile(np.hypot(x - middle_x, y - middle_y), 0.98)) * 1.3, 0.05)
    x_range, y_range = (middle_x - reach, middle_x + reach), (middle_y - reach, middle_y + reach)
    counts, _, _ = np.histogram2d(y, x, bins=_CELLS, range=(y_range, x_range))
    outside = len(x) - int(counts.sum())
    notes = [f"median {middle_x:.3f}, {middle_y:.3f} mm" + (f" · {outside} out of range" if outside else "")]
    share = np.log1p(counts) / max(float(np.log1p(counts.max())), 1e-9)
    pixels = coloured(0.15 + 0.85 * share, np.where(counts > 0, 255, 0).astype(np.uint8))
    circle = []
    if one_index_mm is not None:
        notes.append(f"circle: misindexed by one ({one_index_mm:.2f} mm)")
        circle = [Circle(middle_x, middle_y, one_index_mm)] if one_index_mm < reach * 2**0.5 else []
    return Chart(
        title=title,
        size=size,
        x=Axis(label="beam x, fast axis", unit="mm", low=x_range[0], high=x_range[1]),
        y=Axis(label="beam y, slow axis", unit="mm", low=y_range[0], high=y_range[1]),
        marks=[Cells(pixels, x_range, y_range), *circle, Cross(middle_x, middle_y)],
        notes=notes,
        aspect=1.0,
    )
