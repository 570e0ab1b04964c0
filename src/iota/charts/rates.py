"""Hit, indexing and integration rate over time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iota.analysis.cells.proportions import percent, wilson_intervals
from iota.charts.colours import LATTICES, SELECTED
from iota.charts.description import INK, Axis, Band, Chart, Line, Mark

_LINES = (
    ("hits / frames", 1, 0, INK, 1.8, None),
    ("indexed / hits", 2, 1, SELECTED, 3.2, (6.0, 3.0)),
    ("integrated / hits", 3, 1, LATTICES, 1.8, None),
)
_UNITS = ((2 * 86400.0, 86400.0, "d"), (2 * 3600.0, 3600.0, "h"), (120.0, 60.0, "min"), (0.0, 1.0, "s"))


def rates(edges: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> Chart:
    """Describe three rates with the band in which the true one lies with 95 % (Wilson's binomial interval).

    Args:
        edges: limits of steps in time, seconds since the first frame, `[n + 1]`.
        counts: frames that could be read, hits, indexed and integrated frames of each step, `[n, 4]`.
    """
    title, size = "Rates over time", (560.0, 210.0)
    if not len(counts) or not counts[:, 0].sum():
        return Chart(title=title, size=size, empty="No frames finished yet")
    second, unit = next((second, unit) for limit, second, unit in _UNITS if edges[-1] >= limit)
    middles = (edges[:-1] + edges[1:]) / 2 / second
    marks: list[Mark] = []
    for words, part, whole, colour, width, dashes in _LINES:
        known = counts[:, whole] > 0
        n, of, at = counts[known, part], counts[known, whole], middles[known].tolist()
        low, high = (list(zip(at, (100 * limit).tolist(), strict=True)) for limit in wilson_intervals(n, of))
        total, share = int(counts[:, whole].sum()), int(counts[:, part].sum())
        name = f"{words}: {percent(share, total)}" if total else words
        points = list(zip(at, (100 * n / of).tolist(), strict=True))
        marks += [
            Band(low, high, colour),
            Line(points=points, colour=colour, width=width, dashes=dashes, name=name, has_dots=len(points) < 3),
        ]
    return Chart(
        title=title,
        size=size,
        x=Axis(label="time since the first frame", unit=unit, high=float(edges[-1] / second)),
        y=Axis(label="rate", unit="%", high=100.0),
        marks=marks,
    )
