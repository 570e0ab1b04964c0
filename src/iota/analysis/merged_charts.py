"""Charts of merged intensities, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from iota.analysis.merged import CurvePoint, Shell

_BLUE, _ORANGE = "#0072b2", "#d55e00"


def write_merging_charts(shells: Sequence[Shell], curve: Sequence[CurvePoint], folder: Path) -> None:
    """Draw quality by resolution and over lattices, ``merging.png`` and ``merging.pdf``.

    Raises:
        OSError: the folder cannot be written.
    """
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    axes = figure.add_subplot(1, 2, 1)
    middles = [(shell.d_max_A**-2 + shell.d_min_A**-2) / 2 for shell in shells]
    for name, colour, marker in (("cc_half", _BLUE, "o"), ("completeness", _ORANGE, "s")):
        points = [(x, getattr(shell, name)) for x, shell in zip(middles, shells, strict=True)]
        known = [(x, y) for x, y in points if y is not None]
        axes.plot(*zip(*known, strict=True), color=colour, marker=marker, label=_NAMES[name])
    ticks = middles[:: max(1, len(middles) // 6)]
    axes.set_xticks(ticks, [f"{x**-0.5:.2f}" for x in ticks])
    axes.set(title="By resolution", xlabel="resolution (A)", ylim=(min(0.0, *axes.get_ylim()), 1.03))
    axes.legend()
    axes = figure.add_subplot(1, 2, 2)
    for name, colour, marker in (("cc_half", _BLUE, "o"), ("completeness", _ORANGE, "s")):
        known = [(point.n_lattices, getattr(point, name)) for point in curve if getattr(point, name) is not None]
        if known:
            axes.plot(*zip(*known, strict=True), color=colour, marker=marker, label=_NAMES[name])
    axes.set(title="Over lattices", xlabel="lattices", ylim=(min(0.0, *axes.get_ylim()), 1.03))
    axes.set_xlim(left=0)
    axes.legend()
    FigureCanvasAgg(figure)
    for ending in ("png", "pdf"):
        figure.savefig(folder / f"merging.{ending}", dpi=150)


_NAMES = {"cc_half": "CC1/2", "completeness": "completeness"}
