"""The interface of what shows the progress of a run, such as a terminal."""

from __future__ import annotations

from typing import Protocol

from iota.records import Outcome
from iota.runs.determination import DeterminedLattice


class Display(Protocol):
    """Shows the progress of a run."""

    def progress(self, n_finished: int, n_frames: int, n_waiting: int, counts: dict[Outcome, int], doing: str) -> None:
        """Show progress, the number of unfinished hits and the current step; called about twice per second."""

    def determined(self, lattice: DeterminedLattice) -> None:
        """Show that a lattice was determined."""

    def note(self, text: str) -> None:
        """Show a line of information."""
