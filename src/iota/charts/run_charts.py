"""All charts of a run, described from counts that grow with its table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from iota.analysis.rates import RatesOverTime
from iota.analysis.summary import Summary
from iota.analysis.table.columns import CELL
from iota.analysis.table.table import RunTable
from iota.charts.beam import MAX_POINTS, beam_chart
from iota.charts.description import Chart, Rows
from iota.charts.histograms import QUANTITIES, histogram
from iota.charts.outcomes import funnel, outcome_bar
from iota.charts.rates import rates
from iota.errors import RunFolderError
from iota.records import OUTCOMES, Outcome

D = TypeVar("D", Chart, Rows)


class RunCharts:
    """Counts of a run that grow with its table, and charts of them, the same object until a count changes."""

    def __init__(self, table: RunTable, n_frames: int = 0) -> None:
        self._table = table
        self._n_frames = n_frames  # of the run, finished or not
        self._medians: dict[str, float] = {}
        self._generation = table.generation
        self._clear()

    def _clear(self) -> None:
        self.n_rows = self.n_lattices = 0
        self._fine = {name: quantity.fine_histogram() for name, quantity in QUANTITIES.items()}
        self._rates = RatesOverTime()
        self._outcomes = np.zeros(len(OUTCOMES), np.int64)
        self._described: dict[str, Chart | Rows] = {}
        self._one_index_mm: float | None = None

    def count(self, n_frames: int, summary: Summary) -> None:
        """Count the rows that came since the last time.

        Args:
            n_frames: frames of the run, finished or not.
            summary: of the run; charts show its medians, as all else does.
        """
        table = self._table
        medians = _medians(summary)
        is_same = n_frames == self._n_frames and medians == self._medians
        self._n_frames, self._medians = n_frames, medians
        if table.generation != self._generation:
            self._generation = table.generation
            self._clear()
        n_rows, n_lattices = table.n_rows, table.n_lattices
        if is_same and (n_rows, n_lattices) == (self.n_rows, self.n_lattices):
            return
        self._described.clear()
        if n_rows > self.n_rows:
            outcome = table.column("outcome", self.n_rows, n_rows)
            self._outcomes += np.bincount(outcome, minlength=len(OUTCOMES))
            self._rates.add(table.column("finished", self.n_rows, n_rows), outcome)
        for name, fine in self._fine.items():
            fine.add(table.lattice_column(name)[self.n_lattices : n_lattices])
        self.n_rows, self.n_lattices = n_rows, n_lattices
        if self._one_index_mm is None and n_lattices:
            self._one_index_mm = _one_index_mm(table)

    @property
    def counts(self) -> dict[Outcome, int]:
        """Finished frames by outcome."""
        return {outcome: n for outcome, n in zip(OUTCOMES, self._outcomes.tolist(), strict=True) if n}

    def _once(self, key: str, make: Callable[[], D]) -> D:
        if key not in self._described:
            self._described[key] = make()
        return self._described[key]  # type: ignore[return-value]

    def outcome_bar(self, width: float = 1200.0) -> Rows:
        """All frames of the run by outcome."""
        return self._once(f"outcomes {width}", lambda: outcome_bar(self.counts, self._n_frames, width))

    def funnel(self) -> Rows:
        """Finished frames that survive each stage."""
        return self._once("funnel", lambda: funnel(self.counts))

    def rates(self) -> Chart:
        """Rates over time."""
        return self._once("rates", lambda: rates(*self._rates.points()))

    def histogram(self, name: str, width: float = 300.0) -> Chart:
        """Histogram of a quantity over lattices; cells show the median of the consensus."""

        def make() -> Chart:
            words = "consensus" if name in CELL and name in self._medians else "median"
            bars = self._fine[name].bars()
            return histogram(QUANTITIES[name], bars, mark=self._medians.get(name), mark_words=words, width=width)

        return self._once(f"{name} {width}", make)

    def quantiles(self, name: str) -> list[float]:
        """Values of a quantity below which 2, 25, 50, 75 and 98 % of the lattices lie; empty when there is none."""
        fine = self._fine[name]
        if not fine.n:
            return []
        lowest, low, middle, high, highest = fine.quantiles(0.02, 0.25, 0.5, 0.75, 0.98)
        middle = self._medians.get(name, middle)  # the others are as exact as the fine bins
        return [min(lowest, middle), min(low, middle), middle, max(high, middle), max(highest, middle)]

    @property
    def _beam_median(self) -> tuple[float, float] | None:
        names = ("beam_fast_mm", "beam_slow_mm")
        return (self._medians[names[0]], self._medians[names[1]]) if self._medians.keys() >= set(names) else None

    def beam(self) -> Chart:
        """Beam centres of lattices."""
        x, y = (_some(self._table.lattice_column(name)) for name in ("beam_fast_mm", "beam_slow_mm"))
        n = min(len(x), len(y))
        return self._once("beam", lambda: beam_chart(x[:n], y[:n], self._one_index_mm, median=self._beam_median))


def _medians(summary: Summary) -> dict[str, float]:
    """Medians by column, those of cells being of the consensus."""
    found: dict[str, float] = {}
    if summary.consensus is not None:
        found |= dict(zip(CELL, summary.consensus.unit_cell, strict=True))
    if summary.d_min_A is not None:
        found["d_min_A"] = summary.d_min_A[1]
    if summary.wilson_b_A2_median is not None:
        found["wilson_b_A2"] = summary.wilson_b_A2_median
    if summary.half_mosaicity_deg_median is not None:
        found["half_mosaicity_deg"] = summary.half_mosaicity_deg_median
    if summary.beam_centre_mm_median is not None:
        found["beam_fast_mm"], found["beam_slow_mm"] = summary.beam_centre_mm_median
    if summary.distance_mm_median is not None:
        found["distance_mm"] = summary.distance_mm_median
    return found


def _some(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return values[:: max(1, len(values) // MAX_POINTS)]


def _one_index_mm(table: RunTable) -> float | None:
    """How far a beam moves when indices are wrong by one along the longest axis (mm), from the first lattice."""
    try:
        lattice = table.record(int(table.lattice_column("row")[0])).lattices[0]
    except (RunFolderError, IndexError):
        return None
    if lattice.distance_mm is None or lattice.wavelength_A is None:
        return None
    return lattice.distance_mm * lattice.wavelength_A / max(lattice.unit_cell[:3])
