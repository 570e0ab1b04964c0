"""Counts of finished frames by outcome, for lists of runs."""

from __future__ import annotations

from pathlib import Path

from iota.analysis.table.table import RunTable
from iota.errors import RunFolderError
from iota.records import Outcome
from iota.runs import RunFolder, RunState

_PATIENCE_S = 0.25  # of a list of runs, for one ledger; what is left of it is read the next time

Stamp = tuple[int, int]


class RunCounts:
    """Counts of runs that nobody works on: a run that was killed has more in its ledger than in its state.

    A ledger that was damaged later has less.  One that has not changed since is not read again.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Stamp, dict[Outcome, int]]] = {}
        self._being_read: dict[Path, RunTable] = {}

    def of(self, folder: RunFolder, state: RunState) -> dict[Outcome, int]:
        """Counts of a run; those of its state while its ledger is being read."""
        try:
            ledger, written = folder.ledger.stat(), folder.state.stat().st_mtime_ns
        except OSError:
            return state.counts
        if ledger.st_mtime_ns <= written:
            return state.counts
        stamp = (ledger.st_size, ledger.st_mtime_ns)
        known = self._known.get(folder.path)
        if known is not None and known[0] == stamp:
            return known[1]
        table = self._being_read.pop(folder.path, None) or RunTable(folder)
        try:
            table.update(_PATIENCE_S)
        except RunFolderError:
            return state.counts
        if not table.is_complete:
            self._being_read[folder.path] = table
            return state.counts
        table.save()
        self._known[folder.path] = stamp, table.counts
        return table.counts
