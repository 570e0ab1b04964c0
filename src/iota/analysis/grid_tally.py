"""Statistics of a grid search: how often each spot-finding setting was tried, indexed and chosen."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from iota.analysis.table.table import RunTable
from iota.records import NOT_HITS, OUTCOMES, FrameResult

_IS_HIT = np.array([outcome not in NOT_HITS for outcome in OUTCOMES])
_AT_ONCE = 500  # records, after which others get their turn

Tally = dict[tuple[int, int], list[int]]  # spot area (px), height -> times tried, with a lattice, chosen


def add_to_tally(tally: Tally, results: Iterable[FrameResult]) -> None:
    """Add the points of records; where signal heights were searched too, those equal to the spot height count."""
    for result in results:
        for point in result.grid:
            if point.height == point.signal or point.is_chosen:
                numbers = tally.setdefault((point.area, point.height), [0, 0, 0])
                numbers[0] += 1
                numbers[1] += point.n_indexed is not None and point.cause is None
                numbers[2] += point.is_chosen


class GridTally:
    """Tally of a run: the ledger is read once, as far as it goes, and read on from there."""

    def __init__(self, table: RunTable) -> None:
        self._table = table
        self._generation = table.generation
        self._n_rows = 0
        self.tally: Tally = {}

    def count(self) -> None:
        """Count new records; does nothing if the first hits show that there was no grid search.

        Raises:
            RunFolderError: the ledger cannot be read any more.
        """
        table = self._table
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
