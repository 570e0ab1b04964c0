"""Descriptions painted into files, PNG and PDF; importing matplotlib takes 0.5 s, so only what writes files does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle as CirclePatch
from matplotlib.patches import Patch

from iota.charts.colours import ink_on
from iota.charts.description import (
    INK,
    X_TICK_PX,
    Y_TICK_PX,
    Axis,
    Band,
    Bars,
    Cells,
    Chart,
    Circle,
    Cross,
    Line,
    Mark,
    Swatch,
    Upright,
)
from iota.figures import Figure, write_figure

_PX_PER_INCH = 55.0  # of a page's px: letters of 11 px then have the size of those in a paper
_LETTERS_PT = 10.0
_SMALL_PT = 9.0


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Charts that are painted into one file."""

    name: str  # of the file, without its ending
    title: str = ""
    charts: Sequence[Chart]
    in_a_row: int = 1


def write_sheet(sheet: Sheet, folder: Path) -> None:
    """Paint charts into a folder, as PNG and PDF.

    Raises:
        OSError: the folder cannot be written.
    """
    write_figure(figure_of(sheet), folder, sheet.name)


def figure_of(sheet: Sheet) -> Figure:
    """Paint charts side by side."""
    charts, in_a_row = sheet.charts, sheet.in_a_row
    rows = [charts[k : k + in_a_row] for k in range(0, len(charts), in_a_row)]
    widths = [max(row[k].size[0] for row in rows if k < len(row)) for k in range(len(rows[0]))]
    heights = [max(chart.size[1] for chart in row) for row in rows]
    size = (sum(widths) / _PX_PER_INCH, (sum(heights) + (20 if sheet.title else 0)) / _PX_PER_INCH)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(len(rows), len(widths), width_ratios=widths, height_ratios=heights)
    for k, chart in enumerate(charts):
        _paint(figure.add_subplot(grid[divmod(k, in_a_row)]), chart)
    if sheet.title:
        figure.suptitle(sheet.title, fontsize=_LETTERS_PT + 2)
    return figure


def _paint(axes: Axes, chart: Chart) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    if chart.empty:
        axes.set_axis_off()
        axes.text(0.5, 0.5, chart.empty, ha="center", va="center", transform=axes.transAxes, alpha=0.7)
        return
    width, height = chart.size
    axes.set_xlim(*chart.x.ends)
    _ticks(axes.xaxis, chart.x, width / X_TICK_PX)
    right = axes.twinx() if chart.right is not None else axes
    if chart.right is not None:
        right.spines[["top", "left"]].set_visible(False)
        right.set_ylim(*chart.right.ends)
        _ticks(right.yaxis, chart.right, height / Y_TICK_PX)
    if chart.y is None:
        axes.yaxis.set_visible(False)
    else:
        axes.set_ylim(*chart.y.ends)
        _ticks(axes.yaxis, chart.y, height / Y_TICK_PX)
    if chart.has_grid and chart.y is not None:
        axes.grid(axis="y", alpha=0.25, linewidth=0.7)
        axes.set_axisbelow(True)
    axes.set_aspect("auto" if chart.aspect is None else chart.aspect)
    for level, mark in enumerate(chart.marks, start=2):
        _mark(right if isinstance(mark, Line) and mark.is_on_right else axes, mark, level)
    _head(axes, chart)


def _ticks(axis: Any, described: Axis, most: float) -> None:
    found = described.tick_texts(most)
    axis.set_ticks([value for value, _ in found], [words for _, words in found], fontsize=_SMALL_PT)
    axis.set_label_text(described.title, fontsize=_LETTERS_PT)


def _head(axes: Axes, chart: Chart) -> None:
    """What is above the axes: caption and notes, below them the legend."""
    above = 4.0
    if chart.legend:
        keys = [_key(entry) for entry in chart.legend]
        axes.legend(handles=keys, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(keys), frameon=False,
                    fontsize=_SMALL_PT, borderaxespad=0.2)  # fmt: skip
        above += 18.0
    lines = [*([chart.caption] if chart.caption else []), *chart.notes]
    if lines:
        axes.set_title("\n".join(lines), loc="left", fontsize=_LETTERS_PT, pad=above)


def _key(entry: Line | Swatch) -> Line2D | Patch:
    if isinstance(entry, Line):
        return Line2D([], [], label=entry.name, **_stroke(entry))
    outline = {} if entry.colour else {"edgecolor": "black", "linestyle": "--"}
    return Patch(facecolor=entry.colour or "none", alpha=entry.opacity, label=entry.words, **outline)


def _stroke(line: Line) -> dict[str, Any]:
    dashes = "-" if line.dashes is None else (0, tuple(part / line.width for part in line.dashes))
    dots = {"marker": "o", "markersize": line.width + 2.2} if line.has_dots else {}
    return {"color": _colour(line.colour), "linewidth": line.width, "linestyle": dashes, **dots}


def _colour(colour: str) -> str:
    return "black" if colour == INK else colour


def _mark(axes: Axes, mark: Mark, level: int) -> None:
    match mark:
        case Bars():
            lows, widths = [bar.low for bar in mark.bars], [bar.high - bar.low for bar in mark.bars]
            axes.bar(lows, [bar.value for bar in mark.bars], widths, align="edge", color=mark.colour,
                     edgecolor="white", linewidth=0.3, zorder=level)  # fmt: skip
        case Line():
            if mark.points:
                axes.plot(*zip(*mark.points, strict=True), zorder=level, **_stroke(mark))
        case Band():
            if mark.low:
                x, low = zip(*mark.low, strict=True)
                axes.fill_between(x, low, [y for _, y in mark.high], color=_colour(mark.colour), alpha=0.18,
                                  linewidth=0, zorder=level)  # fmt: skip
        case Upright():
            axes.axvline(mark.value, color="black", linewidth=1.2, linestyle=(0, (4, 2)), zorder=level)
            axes.annotate(mark.words, (mark.value, 1.0), (0, 4), xycoords=axes.get_xaxis_transform(),
                          textcoords="offset points", ha="center", fontsize=_SMALL_PT)  # fmt: skip
        case Cells():
            _cells(axes, mark, level)
        case Circle():
            axes.add_patch(CirclePatch((mark.x, mark.y), mark.radius, fill=False, linestyle="--", zorder=level))
        case Cross():
            axes.plot(mark.x, mark.y, marker="+", color="black", markersize=11, markeredgewidth=1.3, zorder=level)


def _cells(axes: Axes, mark: Cells, level: int) -> None:
    axes.imshow(mark.pixels, origin="lower", extent=(*mark.x, *mark.y), aspect=axes.get_aspect(),
                interpolation="nearest", zorder=level)  # fmt: skip
    if mark.texts is None:
        return
    n_rows, n_columns, _ = mark.pixels.shape
    wide, high = (mark.x[1] - mark.x[0]) / n_columns, (mark.y[1] - mark.y[0]) / n_rows
    for row, texts in enumerate(mark.texts):
        for column, words in enumerate(texts):
            at = mark.x[0] + (column + 0.5) * wide, mark.y[0] + (row + 0.5) * high
            red, green, blue, _ = mark.pixels[row, column].tolist()
            axes.text(*at, words, ha="center", va="center", fontsize=_SMALL_PT, color=ink_on(red, green, blue),
                      zorder=level + 1)  # fmt: skip
