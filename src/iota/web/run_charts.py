"""The charts of a run, made once for all who look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from iota.analysis.columns import CELL
from iota.analysis.table import RunTable
from iota.errors import RunFolderError
from iota.records import OUTCOMES, Outcome
from iota.web.charts.counting import RatesOverTime
from iota.web.charts.geometry import MOST_POINTS, beam_chart
from iota.web.charts.histograms import QUANTITIES, histogram
from iota.web.charts.outcomes import funnel, outcome_bar
from iota.web.charts.rates import rates
from iota.web.live import LiveRun


class RunCharts:
    """Counts of a run that grow with its table, and the pictures of them; get it from :func:`charts_of`."""

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._lock = asyncio.Lock()
        self._generation = -1
        self._version = (-1, 0, 0)
        self._clear()

    def _clear(self) -> None:
        self.n_rows = self.n_lattices = 0
        self._fine = {name: quantity.fine_histogram() for name, quantity in QUANTITIES.items()}
        self._rates = RatesOverTime()
        self._outcomes = np.zeros(len(OUTCOMES), np.int64)
        self._pictures: dict[str, str] = {}
        self._one_index_mm: float | None = None

    async def update(self) -> None:
        """Count the rows that came since; in a thread, for there may be a million of them."""
        async with self._lock:
            await asyncio.to_thread(self._update)

    def _update(self) -> None:
        table = self._live.table
        if table.generation != self._generation:
            self._generation = table.generation
            self._clear()
        n_rows, n_lattices = table.n_rows, table.n_lattices
        version = (self._live.version, n_rows, n_lattices)
        if version == self._version:
            return
        self._version = version
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
        return self._picture("outcomes", lambda: outcome_bar(self.counts, self._live.n_frames))

    def funnel(self) -> str:
        """Finished frames through the stages."""
        return self._picture("funnel", lambda: funnel(self.counts))

    def rates(self) -> str:
        """Rates over time."""
        return self._picture("rates", lambda: rates(*self._rates.points()))

    def histogram(self, name: str, width: float = 300.0) -> str:
        """Histogram of a quantity over lattices; cells show the median of the consensus."""

        def make() -> str:
            consensus = self._live.summary().consensus
            bars = self._fine[name].bars()
            if name in CELL and consensus is not None:
                value = consensus.unit_cell[CELL.index(name)]
                return histogram(QUANTITIES[name], bars, mark=value, mark_words="consensus", width=width)
            return histogram(QUANTITIES[name], bars, width=width)

        return self._picture(f"{name} {width}", make)

    def beam(self) -> str:
        """Beam centres of lattices."""
        x, y = (_some(self._live.table.lattice_column(name)) for name in ("beam_fast_mm", "beam_slow_mm"))
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


def charts_of(live: LiveRun) -> RunCharts:
    """The charts of a run that is followed."""
    return live.part(RunCharts)


def rows_between(table: RunTable, name: str, limits: str) -> npt.NDArray[np.int64]:
    """Rows with a lattice whose value lies in a bar of a histogram, which was picked as ``low:high``."""
    low, high = (float(word) for word in limits.split(":"))
    values = table.lattice_column(name)
    rows = table.lattice_column("row")[: len(values)]
    inside: npt.NDArray[np.int64] = np.unique(rows[(values >= low) & (values < high)]).astype(np.int64)
    return inside


def rows_of_outcome(table: RunTable, outcome: Outcome) -> npt.NDArray[np.int64]:
    """Rows of an outcome, by its name."""
    return np.flatnonzero(table.column("outcome") == OUTCOMES.index(outcome))
