"""Histograms of cells, Wilson B, resolution and geometry over integrated lattices."""

from __future__ import annotations

from typing import NamedTuple

from iota.report.charts.axes import number_text
from iota.report.charts.colours import LATTICES
from iota.report.charts.counting import Bars, FineHistogram
from iota.report.charts.svg import Plot, empty


class Quantity(NamedTuple):
    """A column of the table that a histogram is drawn of."""

    name: str  # of the column
    words: str
    unit: str
    low: float  # range and width of fine bins
    high: float
    fine: float
    written: float = 0.01  # to which a median is written
    better_right: bool = False  # resolution: better is smaller, and stands to the right

    @property
    def label(self) -> str:
        """Words with the unit."""
        return f"{self.words} ({self.unit})" if self.unit else self.words

    def fine_histogram(self) -> FineHistogram:
        """Counts of this quantity, none yet."""
        return FineHistogram(self.low, self.high, self.fine)


CELL: tuple[Quantity, ...] = (
    Quantity("a_A", "a", "Å", 0, 2000, 0.01),
    Quantity("b_A", "b", "Å", 0, 2000, 0.01),
    Quantity("c_A", "c", "Å", 0, 2000, 0.01),
    Quantity("alpha_deg", "α", "°", 0, 180, 0.01),
    Quantity("beta_deg", "β", "°", 0, 180, 0.01),
    Quantity("gamma_deg", "γ", "°", 0, 180, 0.01),
)
WILSON = Quantity("wilson_b_A2", "Wilson B", "Å²", -200, 800, 0.1, 0.1)
RESOLUTION = Quantity("d_min_A", "resolution", "Å", 0, 60, 0.005, better_right=True)
MOSAICITY = Quantity("mosaicity_deg", "half-width mosaicity", "°", 0, 20, 0.0005, 0.001)
BEAM: tuple[Quantity, ...] = (
    Quantity("beam_fast_mm", "beam x", "mm", -1000, 2000, 0.005, 0.001),
    Quantity("beam_slow_mm", "beam y", "mm", -1000, 2000, 0.005, 0.001),
    Quantity("distance_mm", "distance (beam z)", "mm", 0, 20000, 0.02),
)
QUANTITIES: dict[str, Quantity] = {q.name: q for q in (*CELL, WILSON, RESOLUTION, MOSAICITY, *BEAM)}


def histogram(
    quantity: Quantity,
    bars: Bars,
    *,
    mark: float | None = None,
    mark_words: str = "median",
    width: float = 300,
    height: float = 170,
) -> str:
    """Draw a histogram; ``mark`` is where the dashed line stands, None is the median of what is counted.

    A bar is picked as ``low:high``, with the quantity's unit.
    """
    if not bars.n:
        return empty(width, height, quantity.label, "No integrated lattices yet")
    low, high = float(bars.edges[0]), float(bars.edges[-1])
    plot = Plot(
        width, height, (high, low) if quantity.better_right else (low, high), (0, max(1.0, 1.06 * bars.counts.max()))
    )
    bar_step = float(bars.edges[1] - bars.edges[0])
    for left, right, count in zip(bars.edges[:-1].tolist(), bars.edges[1:].tolist(), bars.counts.tolist(), strict=True):
        if count:
            tip = f"{count} lattices, {quantity.words} {number_text(left, bar_step)}–{number_text(right, bar_step)}"
            plot.bar(left, right, count, LATTICES, f"{left:.9g}:{right:.9g}", f"{tip} {quantity.unit}".strip())
    value = bars.median if mark is None else mark
    words = f"{mark_words} {number_text(value, quantity.written)} {quantity.unit}"
    if bars.n_outside:
        words += f" · {bars.n_outside} out of range"
    if low <= value <= high:
        plot.upright(value, words.strip())
    return plot.text(quantity.label, quantity.label, "lattices", whole_y=True)
