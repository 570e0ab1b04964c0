"""Charts of merged intensities, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from iota.analysis.intensities.merged import CurvePoint, Shell
from iota.figures import Figure, FigureCanvasAgg
from iota.whole_files import whole_file

_BLUE, _ORANGE = "#0072b2", "#d55e00"


def write_merging_charts(shells: Sequence[Shell], curve: Sequence[CurvePoint], folder: Path) -> None:
    """Draw quality by resolution and over lattices, ``merging.png`` and ``merging.pdf``.

    Raises:
        OSError: the folder cannot be written.
    """
    figure = Figure(figsize=(9, 7), layout="constrained")
    (quality, growing), (strength, multiplicity) = figure.subplots(2, 2)
    middles = [(shell.d_max_A**-2 + shell.d_min_A**-2) / 2 for shell in shells]
    numbers = [float(point.n_lattices) for point in curve]
    for name, colour, marker in (("cc_half", _BLUE, "o"), ("completeness", _ORANGE, "s")):
        _draw(quality, middles, [getattr(shell, name) for shell in shells], colour, marker, _NAMES[name])
        _draw(growing, numbers, [getattr(point, name) for point in curve], colour, marker, _NAMES[name])
    _draw(strength, middles, [shell.i_over_sigma for shell in shells], _BLUE, "o")
    _draw(multiplicity, middles, [shell.multiplicity for shell in shells], _BLUE, "o")
    ticks = middles[:: max(1, len(middles) // 5)]
    for axes in (quality, strength, multiplicity):
        axes.set_xticks(ticks, [f"{x**-0.5:.2f}" for x in ticks])
        axes.set_xlabel("resolution (Å)")
    for axes in (quality, growing):
        axes.set_ylim(min(0.0, *axes.get_ylim()), 1.03)
        axes.legend()
    for axes in (strength, multiplicity):
        axes.set_ylim(bottom=0.0)
    quality.set_title("By resolution")
    growing.set(title="By number of lattices, as collected", xlabel="lattices")
    growing.set_xlim(left=0)
    strength.set_title("I/sigma of merged intensities")
    multiplicity.set_title("Multiplicity")
    for axes in figure.axes:
        axes.grid(alpha=0.3)
    FigureCanvasAgg(figure)
    for ending in ("png", "pdf"):
        with whole_file(folder / f"merging.{ending}") as part:
            figure.savefig(part, dpi=150)


def _draw(
    axes: Axes, x: Sequence[float], y: Sequence[float | None], colour: str, marker: str, label: str | None = None
) -> None:
    known = [(a, b) for a, b in zip(x, y, strict=True) if b is not None]
    if known:
        axes.plot(*zip(*known, strict=True), color=colour, marker=marker, markersize=4, label=label)


_NAMES = {"cc_half": "CC1/2", "completeness": "completeness"}
