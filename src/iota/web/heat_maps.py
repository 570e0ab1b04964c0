"""Heat maps of a grid search: the ledger is read once, as far as it goes, and read on from there."""

from __future__ import annotations

import asyncio

import numpy as np

from iota.analysis.grid_tally import Tally, add_to_tally
from iota.records import NOT_HITS, OUTCOMES
from iota.web.live import LiveRun

_IS_HIT = np.array([outcome not in NOT_HITS for outcome in OUTCOMES])
_AT_ONCE = 500  # records, after which others get their turn


class GridTally:
    """Tally of one run; get it from :func:`grid_tally`."""

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._lock = asyncio.Lock()
        self._generation = live.table.generation
        self._n_rows = 0
        self.tally: Tally = {}

    async def update(self) -> None:
        """Read on; at once when the first hits show that there was no grid search."""
        async with self._lock:
            await asyncio.to_thread(self._update)

    def _update(self) -> None:
        table = self._live.table
        if table.generation != self._generation:
            self._generation, self._n_rows, self.tally = table.generation, 0, {}
        n_rows = table.n_rows
        rows = self._n_rows + np.flatnonzero(_IS_HIT[table.column("outcome", self._n_rows, n_rows)])
        for first in range(0, len(rows), _AT_ONCE):
            results = list(table.records(rows[first : first + _AT_ONCE]))
            if not any(result.grid for result in results):
                break  # all frames of a run are searched, or none
            add_to_tally(self.tally, results)
        self._n_rows = n_rows


def grid_tally(live: LiveRun) -> GridTally:
    """The tally of a run that is followed."""
    return live.part(GridTally)
