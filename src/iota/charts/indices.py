"""The index chart: slices of reciprocal space with multiplicity as colour, and completeness below."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iota.analysis.cells.proportions import percent
from iota.analysis.intensities.index_chart import ABSENT, BEYOND, IndexChart, Slice
from iota.charts.colours import LATTICES, coloured
from iota.charts.description import Axis, Bar, Bars, Cells, Chart, Line, Swatch
from iota.charts.merging import shell_axis

_MISSING = (128, 128, 128, 60)  # possible, never measured


def _colours(multiplicity: npt.NDArray[np.int32], largest: int) -> npt.NDArray[np.uint8]:
    share = np.log(np.maximum(multiplicity, 1)) / max(np.log(max(largest, 2)), 1e-9)
    pixels = coloured(np.clip(share, 0, 1))
    pixels[multiplicity == 0] = _MISSING
    pixels[(multiplicity == ABSENT) | (multiplicity == BEYOND)] = 0
    return pixels


def largest_multiplicity(chart: IndexChart) -> int:
    """Multiplicity that gets the last colour: that of all but the most often measured percent."""
    values = np.concatenate([s.multiplicity[s.multiplicity > 0].ravel() for s in chart.slices])
    return int(max(2, np.quantile(values, 0.99))) if len(values) else 2


def slice_chart(part: Slice, largest: int) -> Chart:
    """Describe a slice, in true proportions of reciprocal space, with axes in indices and how complete it is."""
    title = f"{' '.join('0' if name == part.zero else name for name in 'hkl')} slice"
    n_possible = int(np.count_nonzero(part.multiplicity >= 0))
    n_measured = int(np.count_nonzero(part.multiplicity > 0))
    x, y = (
        Axis(label=name, unit="index", low=-most - 0.5, high=most + 0.5, is_whole=True)
        for name, most in ((part.across, part.across_max), (part.up, part.up_max))
    )
    return Chart(
        title=title,
        size=(330.0, 310.0),
        x=x,
        y=y,
        marks=[Cells(_colours(part.multiplicity, largest), x.ends, y.ends)],
        caption=f"{title}: {percent(n_measured, n_possible)} of {n_possible} reflections",
        has_grid=False,
        aspect=part.up_per_A / part.across_per_A,
    )


def colour_bar(largest: int) -> Chart:
    """Describe what the colours of slices mean."""
    marks = [1, *(m for m in (2, 3, 5, 10, 20, 50, 100, 200, 500, 1000) if m < 0.8 * largest), largest]
    ticks: list[tuple[float, str]] = []
    for mark in marks:
        x = float(np.log(mark) / np.log(largest))
        if mark == largest or not ticks or x - ticks[-1][0] > 0.08:
            ticks.append((x, f"≥{mark}" if mark == largest else str(mark)))
    red, green, blue, opacity = _MISSING
    return Chart(
        title="Multiplicity colour scale",
        size=(330.0, 64.0),
        x=Axis(label="multiplicity (measurements per reflection)", ticks=ticks),
        marks=[Cells(coloured(np.linspace(0, 1, 64)[None, :]), (0, 1), (0, 1))],
        swatches=[Swatch("not measured", f"#{red:02x}{green:02x}{blue:02x}", opacity / 255)],
    )


def completeness_chart(chart: IndexChart) -> Chart:
    """Describe completeness in shells of equal volume, and the mean multiplicity as a line."""
    shells, total = chart.shells, chart.all_shells
    bars = [
        Bar(
            k + 0.08,
            k + 0.92,
            100 * shell.completeness,
            f"{shell.d_max_A:.2f}–{shell.d_min_A:.2f} Å: {shell.n_measured} of {shell.n_possible} reflections,"
            f" multiplicity {shell.multiplicity:.1f}",
        )
        for k, shell in enumerate(shells)
    ]
    points = [(k + 0.5, shell.multiplicity) for k, shell in enumerate(shells)]
    words = f"{percent(total.n_measured, total.n_possible)} complete to {total.d_min_A:.2f} Å"
    return Chart(
        title="Completeness",
        size=(330.0, 200.0),
        x=shell_axis([shell.d_min_A for shell in shells]),
        y=Axis(label="completeness", unit="%; bars", high=100.0),
        right=Axis(label="multiplicity", unit="line", high=1.1 * max([y for _, y in points] + [1.0])),
        marks=[Bars(bars, LATTICES), Line(points=points, width=1.4, has_dots=True, is_on_right=True)],
        caption=f"{words}, multiplicity {total.multiplicity:.1f}",
    )
