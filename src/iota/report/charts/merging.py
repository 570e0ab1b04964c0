"""Quality of merged intensities, by resolution and over lattices."""

from __future__ import annotations

from collections.abc import Sequence

from iota.analysis.intensities.merged import CurvePoint, Shell
from iota.report.charts.colours import LATTICES, OUTCOME_COLOURS
from iota.report.charts.svg import LETTER_PX, Plot, label, shape

_CC, _COMPLETENESS = LATTICES, OUTCOME_COLOURS["failed_refinement"]
_LINES = (("CC½ (%)", _CC, None), ("completeness (%)", _COMPLETENESS, "6 3"))


def by_resolution(shells: Sequence[Shell], width: float = 440, height: float = 220) -> str:
    """CC1/2 and completeness of the shells of table 1; shells are of equal size, so they stand side by side."""
    cc = [(k + 0.5, 100 * x.cc_half) for k, x in enumerate(shells) if x.cc_half is not None]
    plot = _plot(width, height, (0.0, float(max(len(shells), 1))), cc)
    _draw(plot, [cc, [(k + 0.5, 100 * shell.completeness) for k, shell in enumerate(shells)]])
    for k, shell in enumerate(shells, start=1):
        if k % 2 == 0 or len(shells) < 7:
            plot.add(label(min(plot.x(k), width - 16), plot.y.start + 15, f"{shell.d_min_A:.2f}", opacity=0.85))
    return plot.text("By resolution", "resolution limit of shell (Å)", "%", x_ticks=False)


def over_lattices(curve: Sequence[CurvePoint], width: float = 440, height: float = 220) -> str:
    """CC1/2 and completeness of the first n lattices."""
    cc = [(float(x.n_lattices), 100 * x.cc_half) for x in curve if x.cc_half is not None]
    most = float(max((x.n_lattices for x in curve), default=1))
    plot = _plot(width, height, (0.0, most), cc)
    _draw(plot, [cc, [(float(x.n_lattices), 100 * x.completeness) for x in curve]])
    return plot.text("By number of lattices", "number of lattices, in order of collection", "%")


def _plot(width: float, height: float, x: tuple[float, float], cc: Sequence[tuple[float, float]]) -> Plot:
    lowest = min([0.0, *(y for _, y in cc)])
    return Plot(width, height, x, (lowest, 100.0), top=26, right=12)


def _draw(plot: Plot, lines: Sequence[list[tuple[float, float]]]) -> None:
    x = plot.x.start
    for (words, colour, dashes), points in zip(_LINES, lines, strict=True):
        plot.line(points, colour, 1.8, dashes)
        plot.add(*(shape("circle", cx=plot.x(a), cy=plot.y(b), r=2.6, fill=colour) for a, b in points))
        plot.add(shape("line", x1=x, x2=x + 18, y1=9, y2=9, stroke=colour, stroke_width=1.8, stroke_dasharray=dashes))
        plot.add(label(x + 23, 13, words, "start"))
        x += 44 + LETTER_PX * len(words)
