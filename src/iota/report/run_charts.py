"""The charts of a run, from counts that grow with its table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from iota.analysis.columns import CELL
from iota.analysis.consensus import Consensus
from iota.analysis.table import RunTable
from iota.errors import RunFolderError
from iota.records import OUTCOMES, Outcome
from iota.report.charts.counting import RatesOverTime
from iota.report.charts.geometry import MOST_POINTS, beam_chart
from iota.report.charts.histograms import QUANTITIES, histogram
from iota.report.charts.outcomes import funnel, outcome_bar
from iota.report.charts.rates import rates


class RunCharts:
    """Counts of a run that grow with its table, and the pictures of them."""

    def __init__(self, table: RunTable, n_frames: int = 0) -> None:
        self._table = table
        self._n_frames = n_frames  # of the run, finished or not
        self._consensus: Consensus | None = None
        self._generation = table.generation
        self._clear()

    def _clear(self) -> None:
        self.n_rows = self.n_lattices = 0
        self._fine = {name: quantity.fine_histogram() for name, quantity in QUANTITIES.items()}
        self._rates = RatesOverTime()
        self._outcomes = np.zeros(len(OUTCOMES), np.int64)
        self._pictures: dict[str, str] = {}
        self._one_index_mm: float | None = None

    def count(self, n_frames: int, consensus: Consensus | None) -> None:
        """Count the rows that came since the last time.

        Args:
            n_frames: frames of the run, finished or not.
            consensus: lattice of most frames, which charts of cells show.
        """
        table = self._table
        is_same = n_frames == self._n_frames and consensus == self._consensus
        self._n_frames, self._consensus = n_frames, consensus
        if table.generation != self._generation:
            self._generation = table.generation
            self._clear()
        n_rows, n_lattices = table.n_rows, table.n_lattices
        if is_same and (n_rows, n_lattices) == (self.n_rows, self.n_lattices):
            return
        self._pictures.clear()
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

    def _picture(self, key: str, make: Callable[[], str]) -> str:
        if key not in self._pictures:
            self._pictures[key] = make()
        return self._pictures[key]

    def outcome_bar(self) -> str:
        """All frames of the run by outcome."""
        return self._picture("outcomes", lambda: outcome_bar(self.counts, self._n_frames))

    def funnel(self) -> str:
        """Finished frames through the stages."""
        return self._picture("funnel", lambda: funnel(self.counts))

    def rates(self) -> str:
        """Rates over time."""
        return self._picture("rates", lambda: rates(*self._rates.points()))

    def histogram(self, name: str, width: float = 300.0) -> str:
        """Histogram of a quantity over lattices; cells show the median of the consensus."""

        def make() -> str:
            consensus = self._consensus
            bars = self._fine[name].bars()
            if name in CELL and consensus is not None:
                value = consensus.unit_cell[CELL.index(name)]
                return histogram(QUANTITIES[name], bars, mark=value, mark_words="consensus", width=width)
            return histogram(QUANTITIES[name], bars, width=width)

        return self._picture(f"{name} {width}", make)

    def beam(self) -> str:
        """Beam centres of lattices."""
        x, y = (_some(self._table.lattice_column(name)) for name in ("beam_fast_mm", "beam_slow_mm"))
        n = min(len(x), len(y))
        return self._picture("beam", lambda: beam_chart(x[:n], y[:n], self._one_index_mm))


def _some(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return values[:: max(1, len(values) // MOST_POINTS)]


def _one_index_mm(table: RunTable) -> float | None:
    """How far a beam moves when indices are wrong by one along the longest axis (mm), from the first lattice."""
    try:
        lattice = table.record(int(table.lattice_column("row")[0])).lattices[0]
    except (RunFolderError, IndexError):
        return None
    if lattice.distance_mm is None or lattice.wavelength_A is None:
        return None
    return lattice.distance_mm * lattice.wavelength_A / max(lattice.unit_cell[:3])
