"""Hit, indexing and integration rate over time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iota.analysis.cells.shares import percent, wilson_intervals
from iota.report.charts.colours import LATTICES, SELECTED
from iota.report.charts.svg import LETTER_PX, Plot, empty, label, shape

_LINES = (
    ("hits / frames", 1, 0, "currentColor", 1.8, None),
    ("indexed / hits", 2, 1, SELECTED, 3.2, "6 3"),
    ("integrated / hits", 3, 1, LATTICES, 1.8, None),
)
_UNITS = ((2 * 86400.0, 86400.0, "d"), (2 * 3600.0, 3600.0, "h"), (120.0, 60.0, "min"), (0.0, 1.0, "s"))


def rates(
    edges: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], width: float = 560, height: float = 210
) -> str:
    """Draw three rates with the band in which the true one lies with 95 % (Wilson's binomial interval).

    Args:
        edges: limits of steps in time, seconds since the first frame, `[n + 1]`.
        counts: frames that could be read, hits, indexed and integrated frames of each step, `[n, 4]`.
        width: of the picture (px).
        height: of the picture (px).
    """
    title = "Rates over time"
    if not len(counts) or not counts[:, 0].sum():
        return empty(width, height, title, "No frames finished yet")
    size, unit = next((size, unit) for limit, size, unit in _UNITS if edges[-1] >= limit)
    plot = Plot(width, height, (0.0, float(edges[-1] / size)), (0.0, 100.0), top=30)
    middles = (edges[:-1] + edges[1:]) / 2 / size
    x = plot.x.start
    for words, part, whole, colour, thick, dashes in _LINES:
        known = counts[:, whole] > 0
        if known.any():
            n, of = counts[known, part], counts[known, whole]
            low, high = (100 * limit for limit in wilson_intervals(n, of))
            at = middles[known].tolist()
            plot.band(list(zip(at, low.tolist(), strict=True)), list(zip(at, high.tolist(), strict=True)), colour)
            points = list(zip(at, (100 * n / of).tolist(), strict=True))
            plot.line(points, colour, thick, dashes)
            if len(points) < 3:
                plot.add(*(shape("circle", cx=plot.x(a), cy=plot.y(b), r=3, fill=colour) for a, b in points))
        total, share = int(counts[:, whole].sum()), int(counts[:, part].sum())
        legend = f"{words}: {percent(share, total)}" if total else words
        plot.add(shape("line", x1=x, x2=x + 15, y1=8, y2=8, stroke=colour, stroke_width=thick, stroke_dasharray=dashes))
        plot.add(label(x + 19, 12, legend, "start"))
        x += 32 + LETTER_PX * len(legend)
    return plot.text(title, f"time since the first frame ({unit})", "rate (%)")
