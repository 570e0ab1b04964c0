"""Histograms of cells, Wilson B, resolution and geometry over integrated lattices."""

from __future__ import annotations

from typing import NamedTuple

from iota.analysis.table.columns import COLUMNS
from iota.charts.axes import number_text
from iota.charts.colours import LATTICES
from iota.charts.counting import Bars as Counts
from iota.charts.counting import FineHistogram
from iota.charts.description import Axis, Bar, Bars, Chart, Upright

FLIPPED = frozenset(("d_min_A", "spots_d_min_A"))  # columns of which smaller is better


class Quantity(NamedTuple):
    """A column of the table that a histogram is drawn of."""

    name: str  # of the column
    words: str
    low: float  # range and width of fine bins
    high: float
    fine: float

    @property
    def unit(self) -> str:
        """That of the column."""
        return COLUMNS[self.name].unit

    @property
    def label(self) -> str:
        """Words with the unit."""
        return Axis(label=self.words, unit=self.unit).title

    def fine_histogram(self) -> FineHistogram:
        """Counts of this quantity, none yet."""
        return FineHistogram(self.low, self.high, self.fine)


CELL: tuple[Quantity, ...] = (
    Quantity("a_A", "a", 0, 2000, 0.01),
    Quantity("b_A", "b", 0, 2000, 0.01),
    Quantity("c_A", "c", 0, 2000, 0.01),
    Quantity("alpha_deg", "α", 0, 180, 0.01),
    Quantity("beta_deg", "β", 0, 180, 0.01),
    Quantity("gamma_deg", "γ", 0, 180, 0.01),
)
WILSON = Quantity("wilson_b_A2", "Wilson B", -200, 800, 0.1)
RESOLUTION = Quantity("d_min_A", "resolution", 0, 60, 0.005)
MOSAICITY = Quantity("half_mosaicity_deg", "half-width mosaicity", 0, 20, 0.0005)
DISTANCE = Quantity("distance_mm", "distance (beam z)", 0, 20000, 0.02)
BEAM: tuple[Quantity, ...] = (
    Quantity("beam_fast_mm", "beam x", -1000, 2000, 0.005),
    Quantity("beam_slow_mm", "beam y", -1000, 2000, 0.005),
    DISTANCE,
)
QUANTITIES: dict[str, Quantity] = {q.name: q for q in (*CELL, WILSON, RESOLUTION, MOSAICITY, *BEAM)}


def histogram(
    quantity: Quantity, counts: Counts, *, mark: float | None = None, mark_words: str = "median", width: float = 300
) -> Chart:
    """Describe a histogram; ``mark`` is where the dashed line is, None is the median of what is counted.

    A bar is picked as ``low:high``, with the quantity's unit.
    """
    size = (width, 170.0)
    if not counts.n:
        return Chart(title=quantity.label, size=size, empty="No integrated lattices yet")
    edges = counts.edges.tolist()
    low, high, step = edges[0], edges[-1], edges[1] - edges[0]
    bars = []
    for left, right, n in zip(edges[:-1], edges[1:], counts.counts.tolist(), strict=True):
        if n:
            span = f"{number_text(left, step)}–{number_text(right, step)} {quantity.unit}".strip()
            bars.append(Bar(left, right, n, f"{n} lattices, {quantity.words} {span}", f"{left:.9g}:{right:.9g}"))
    value = counts.median if mark is None else mark
    text = COLUMNS[quantity.name].text(value).replace("-", "\N{MINUS SIGN}")
    words = f"{mark_words} {text} {quantity.unit}".strip()
    if counts.n_outside:
        words += f" · {counts.n_outside} out of range"
    return Chart(
        title=quantity.label,
        size=size,
        x=Axis(label=quantity.words, unit=quantity.unit, low=low, high=high, is_flipped=quantity.name in FLIPPED),
        y=Axis(label="lattices", high=max(1.0, 1.06 * float(counts.counts.max())), is_whole=True),
        marks=[Bars(bars, LATTICES), *([Upright(value, words)] if low <= value <= high else [])],
    )
