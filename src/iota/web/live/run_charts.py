"""Charts of a run, drawn once for all viewers."""

from __future__ import annotations

import asyncio

import numpy as np
import numpy.typing as npt

from iota.analysis.table.table import RunTable
from iota.charts.run_charts import RunCharts
from iota.records import OUTCOMES, Outcome
from iota.web.live.runs import LiveRun


class LiveCharts(RunCharts):
    """Charts of a run that is followed; get it from :func:`charts_of`."""

    def __init__(self, live: LiveRun) -> None:
        super().__init__(live.table, live.n_frames)
        self._live = live
        self._lock = asyncio.Lock()

    async def update(self) -> None:
        """Count the rows that came since; in a thread, for there may be a million of them."""
        async with self._lock:
            await asyncio.to_thread(self.count, self._live.n_frames, self._live.summary())


def charts_of(live: LiveRun) -> LiveCharts:
    """The charts of a run that is followed."""
    return live.part(LiveCharts)


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
