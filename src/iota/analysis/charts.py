"""Charts of a whole run from its records, as files: resolution, unit cells, beam centre, spot-finding settings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from iota.analysis.grid_tally import Tally, add_to_tally
from iota.figures import Figure, FigureCanvasAgg
from iota.records import FrameResult, Lattice
from iota.whole_files import whole_file

_BLUE, _ORANGE = "#0072b2", "#d55e00"
_CELL = (("a", "A"), ("b", "A"), ("c", "A"), ("alpha", "degrees"), ("beta", "degrees"), ("gamma", "degrees"))
MOST_LATTICES = 200_000  # of which charts are drawn; more change no histogram that a person can see


class ChartColumns:
    """What the charts need of the records of a run."""

    def __init__(self, results: Iterable[FrameResult]) -> None:
        lattices: list[Lattice] = []
        self.points: Tally = {}
        for result in results:
            add_to_tally(self.points, [result])
            if len(lattices) < MOST_LATTICES:
                lattices += result.lattices
        self.d_min_A = _known([x.d_min_A for x in lattices])
        self.cells = np.array([x.unit_cell for x in lattices], dtype=float).reshape(-1, 6)
        placed = [x for x in lattices if x.beam_centre_mm is not None and x.distance_mm is not None]
        self.beam_mm = np.array([x.beam_centre_mm for x in placed], dtype=float).reshape(-1, 2)
        self.distance_mm = _known([x.distance_mm for x in placed])
        # index errors of one move the beam by this much at this distance (mm), for the longest axis
        self.one_index_mm = [
            (x.distance_mm or 0.0) * (x.wavelength_A or 0.0) / max(x.unit_cell[:3]) for x in placed[:1000]
        ]


def _known(values: Iterable[float | None]) -> npt.NDArray[np.float64]:
    return np.array([value for value in values if value is not None], dtype=float)


def write_charts(results: Iterable[FrameResult], folder: Path) -> list[str]:
    """Draw the charts of a run as PNG and PDF; returns their names, none when nothing was integrated.

    Raises:
        OSError: the folder cannot be written.
    """
    columns = ChartColumns(results)
    figures: dict[str, Figure] = {}
    if len(columns.d_min_A):
        figures["resolution"] = resolution_chart(columns)
        figures["unit_cells"] = cell_chart(columns)
    if len(columns.beam_mm):
        figures["beam_centre"] = beam_chart(columns)
    if columns.points:
        figures["spotfinding_heatmap"] = heatmap(columns)
    if figures:
        folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        FigureCanvasAgg(figure)
        for ending in ("png", "pdf"):
            with whole_file(folder / f"{name}.{ending}") as part:
                figure.savefig(part, dpi=150)
    return list(figures)


def resolution_chart(columns: ChartColumns) -> Figure:
    """Histogram of the resolution that lattices reach."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    _histogram(axes, columns.d_min_A)
    axes.invert_xaxis()  # better to the right
    axes.set(title="Resolution of integrated lattices", xlabel="resolution (A)", ylabel="lattices")
    return figure


def cell_chart(columns: ChartColumns) -> Figure:
    """Six histograms of unit-cell parameters."""
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    for k, (name, unit) in enumerate(_CELL):
        axes = figure.add_subplot(2, 3, k + 1)
        _histogram(axes, columns.cells[:, k])
        axes.set(xlabel=f"{name} ({unit})", ylabel="lattices")
    figure.suptitle(f"Unit cells of {len(columns.cells)} integrated lattices")
    return figure


def _histogram(axes: Any, values: npt.NDArray[np.float64]) -> None:
    low, middle, high = np.percentile(values, [1, 50, 99])
    spread = max(high - low, 1e-4 * abs(middle), 0.02)
    inside = values[(values >= low - spread) & (values <= high + spread)]  # strays do not squeeze the rest
    bins = int(np.clip(np.sqrt(len(inside)) * 2, 10, 80))
    axes.hist(inside, bins=bins, range=(low - spread * 0.2, high + spread * 0.2), color=_BLUE)
    label = f"median {middle:.2f}"
    if len(inside) < len(values):
        label += f"; {len(values) - len(inside)} farther away"
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.axvline(middle, color=_ORANGE, linewidth=1.2, label=label)
    axes.legend(fontsize=8)


def beam_chart(columns: ChartColumns) -> Figure:
    """Beam centre and distance of lattices, with the shift that an index error of one would make."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.add_subplot(1, 2, 1)
    x, y = columns.beam_mm.T
    middle = np.median(columns.beam_mm, axis=0)
    axes.scatter(x, y, s=8, color=_BLUE, alpha=0.5, label=f"{len(x)} lattices")
    axes.plot(*middle, marker="+", color=_ORANGE, markersize=12, label=f"median {middle[0]:.3f}, {middle[1]:.3f} mm")
    radius = float(np.median(columns.one_index_mm)) if columns.one_index_mm else 0.0
    angles = np.linspace(0, 2 * np.pi, 181)
    axes.plot(
        middle[0] + radius * np.cos(angles),
        middle[1] + radius * np.sin(angles),
        color=_ORANGE,
        linewidth=0.8,
        label=f"misindexed by one: {radius:.2f} mm",
    )
    axes.set(title="Beam centre", xlabel="x (mm)", ylabel="y (mm)", aspect="equal")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.25 * (high - low))  # room for the legend
    axes.legend(fontsize=8, loc="upper right")
    axes = figure.add_subplot(1, 2, 2)
    _histogram(axes, columns.distance_mm)
    axes.set(title="Distance", xlabel="distance (mm)", ylabel="lattices")
    return figure


def heatmap(columns: ChartColumns) -> Figure:
    """How often each spot-finding setting led to a lattice, and how often it was chosen."""
    areas = sorted({area for area, _ in columns.points})
    heights = sorted({height for _, height in columns.points})
    figure = Figure(figsize=(11, 5), layout="constrained")
    for number, (title, k) in enumerate((("Indexed frames", 1), ("Chosen", 2)), start=1):
        axes = figure.add_subplot(1, 2, number)
        table = np.array([[columns.points.get((a, h), [0, 0, 0])[k] for a in areas] for h in heights])
        picture = axes.imshow(table, origin="lower", cmap="cividis", vmin=0)
        for row, column in np.ndindex(table.shape):
            colour = "white" if table[row, column] < 0.6 * max(1, table.max()) else "black"
            axes.text(column, row, str(table[row, column]), ha="center", va="center", fontsize=9, color=colour)
        axes.set_xticks(range(len(areas)), [str(a) for a in areas])
        axes.set_yticks(range(len(heights)), [str(h) for h in heights])
        axes.set(title=title, xlabel="spot area (px)", ylabel="spot height")
        figure.colorbar(picture, ax=axes, label="frames", ticks=MaxNLocator(integer=True))
    return figure
