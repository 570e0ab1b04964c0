"""The index chart: slices of reciprocal space with multiplicity as colour, and completeness below."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iota.analysis.cells.shares import percent
from iota.analysis.intensities.index_chart import ABSENT, BEYOND, IndexChart, Shell, Slice
from iota.report.charts.axes import number_text, step_for
from iota.report.charts.colours import LATTICES, few_to_many
from iota.report.charts.svg import Plot, document, label, picture, shape

_MISSING = (128, 128, 128, 60)  # possible, never measured


def _colours(multiplicity: npt.NDArray[np.int32], largest: int) -> npt.NDArray[np.uint8]:
    share = np.log(np.maximum(multiplicity, 1)) / max(np.log(max(largest, 2)), 1e-9)
    pixels = np.zeros((*multiplicity.shape, 4), np.uint8)
    pixels[..., :3] = few_to_many(np.clip(share, 0, 1))
    pixels[..., 3] = 255
    pixels[multiplicity == 0] = _MISSING
    pixels[(multiplicity == ABSENT) | (multiplicity == BEYOND)] = 0
    return pixels


def largest_multiplicity(chart: IndexChart) -> int:
    """Multiplicity that gets the last colour: that of all but the most often measured percent."""
    values = np.concatenate([s.multiplicity[s.multiplicity > 0].ravel() for s in chart.slices])
    return int(max(2, np.quantile(values, 0.99))) if len(values) else 2


def slice_chart(part: Slice, largest: int, *, width: float = 330, height: float = 310) -> str:
    """One slice, in true proportions of reciprocal space, with axes in indices and how complete it is."""
    left, right, top, bottom = 40.0, 8.0, 24.0, 34.0
    room_x, room_y = width - left - right, height - top - bottom
    wide, high = (2 * part.across_max + 1) * part.across_per_A, (2 * part.up_max + 1) * part.up_per_A
    scale = min(room_x / wide, room_y / high)
    wide, high = wide * scale, high * scale
    left += (room_x - wide) / 2
    top += (room_y - high) / 2
    title = f"{' '.join('0' if name == part.zero else name for name in 'hkl')} slice"
    plot = Plot(width, height, (-part.across_max - 0.5, part.across_max + 0.5), (-part.up_max - 0.5, part.up_max + 0.5),
                left=left, right=width - left - wide, top=top, bottom=height - top - high)  # fmt: skip
    plot.add(picture(_colours(part.multiplicity, largest)[::-1], left, top, wide, high))
    n_possible = int(np.count_nonzero(part.multiplicity >= 0))
    n_measured = int(np.count_nonzero(part.multiplicity > 0))
    words = f"{title}: {percent(n_measured, n_possible)} of {n_possible}"
    plot.add(label(width / 2, top - 9, words, font_weight="600"))
    return plot.text(title, f"{part.across} (index)", f"{part.up} (index)", grid=False, whole_y=True)


def colour_bar(largest: int, width: float = 330, height: float = 40) -> str:
    """What the colours of slices mean."""
    left, wide = 96.0, width - 96.0 - 24.0
    ramp = np.zeros((1, 64, 4), np.uint8)
    ramp[0, :, :3], ramp[0, :, 3] = few_to_many(np.linspace(0, 1, 64)), 255
    marks = [1, *(m for m in (2, 3, 5, 10, 20, 50, 100, 200, 500, 1000) if m < 0.8 * largest), largest]
    red, green, blue, opacity = _MISSING
    parts = [
        shape("rect", x=2, y=4, width=11, height=11, fill=f"rgb({red},{green},{blue})", fill_opacity=opacity / 255),
        label(18, 14, "not measured", "start"),
        picture(ramp, left, 4, wide, 11),
    ]
    last = -1e9
    for mark in marks:
        x = left + wide * float(np.log(mark) / np.log(largest))
        if x - last < 24 and mark != largest:
            continue
        last = x
        words = f"≥{mark}" if mark == largest else str(mark)
        parts.append(label(x, 27, words))
    parts.append(label(left + wide / 2, 39, "multiplicity (measurements per reflection)"))
    return document(width, height + 2, "Multiplicity colour scale", "".join(parts))


def completeness_chart(chart: IndexChart, *, width: float = 330, height: float = 200) -> str:
    """Completeness in shells of equal volume, and the mean multiplicity as a line."""
    shells = chart.shells
    plot = Plot(width, height, (0, max(len(shells), 1)), (0, 100), right=46, top=24)
    most = max([shell.multiplicity for shell in shells] + [1.0]) * 1.1
    for k, shell in enumerate(shells):
        tip = (
            f"{shell.d_max_A:.2f}–{shell.d_min_A:.2f} Å: {shell.n_measured} of {shell.n_possible} reflections,"
            f" multiplicity {shell.multiplicity:.1f}"
        )
        plot.bar(k + 0.08, k + 0.92, 100 * shell.completeness, LATTICES, None, tip)
    points = [(k + 0.5, 100 * shell.multiplicity / most) for k, shell in enumerate(shells)]
    plot.line(points, "currentColor", 1.4)
    plot.add(*(shape("circle", cx=plot.x(x), cy=plot.y(y), r=2.4) for x, y in points))
    total = chart.all_shells
    words = f"{percent(total.n_measured, total.n_possible)} complete to {total.d_min_A:.2f} Å"
    plot.add(label(plot.x.start, 13, f"{words}, multiplicity {total.multiplicity:.1f}", "start", font_weight="600"))
    plot.add(_right_axis(plot, most))
    return _shell_axis(plot, shells)


def _right_axis(plot: Plot, most: float) -> str:
    step = step_for(most, 4)
    x = plot.x.end
    parts = [shape("line", x1=x, x2=x, y1=plot.y.start, y2=plot.y.end, stroke="currentColor", opacity=0.55)]
    k = 0
    while k * step <= most:
        y = plot.y(100 * k * step / most)
        parts.append(label(x + 5, y + 3.5, number_text(k * step, step), "start", opacity=0.85))
        k += 1
    middle = (plot.y.start + plot.y.end) / 2
    at = plot.width - 6
    parts.append(label(at, middle, "multiplicity (line)", transform=f"rotate(-90 {at:g} {middle:g})"))
    return "".join(parts)


def _shell_axis(plot: Plot, shells: list[Shell]) -> str:
    """The picture, with resolutions at the limits of shells instead of their numbers."""
    every = 1 if len(shells) <= 6 else 2
    for k, shell in enumerate(shells, start=1):
        if k % every == 0:
            x = plot.x(k)
            words = f"{shell.d_min_A:.2f}"
            plot.add(label(min(x, plot.width - 14), plot.y.start + 15, words, opacity=0.85))
            plot.add(shape("line", x1=x, x2=x, y1=plot.y.start, y2=plot.y.start + 4, stroke="currentColor"))
    return plot.text("Completeness", "resolution limit of shell (Å)", "completeness (%, bars)", x_ticks=False)
