"""What the coordinator needs to be given: who is told, where frames come from, how the geometry is revised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from iota.processing.geometry.revision import GeometryRules
from iota.records import FrameRef, FrameResult
from iota.runs.determination import Determination
from iota.runs.geometry_revisions import GeometryRevisions, Revision


class Observer(Protocol):
    """Receives the progress of a run."""

    def finished(self, result: FrameResult) -> None:
        """Receive the record of a frame; called once for each."""

    def determined(self, determination: Determination) -> None:
        """Receive a determined lattice; called for each one, and when the search for more has ended."""

    def revised(self, revisions: GeometryRevisions, new: Revision | None) -> Mapping[FrameRef, FrameResult]:
        """Receive the geometries tried so far; called for each new one, and when no more are tried.

        If a new one is better, the records of all hits are withdrawn, since they are processed again.

        Returns:
            What was withdrawn, by frame.
        """

    def tick(self, doing: str, n_waiting: int) -> None:
        """Called twice per second: what is going on besides processing, and how many hits are unfinished."""


class Feed(Protocol):
    """Source of frames during a run."""

    def poll(self) -> Sequence[FrameRef]:
        """Frames that are new since the last call, each once."""

    def take(self, result: FrameResult) -> bool:
        """Whether a record counts; if not, the frame is queued again, maybe under another name, or it counts later."""

    def overdue(self) -> Sequence[FrameResult]:
        """Records that did not count when they were made, but do now."""

    @property
    def closed(self) -> bool:
        """Whether no more frames will arrive."""


@dataclass(frozen=True)
class GeometryToRevise:
    """How the geometry is revised during a run, and what was done before when a run is resumed."""

    rules: GeometryRules
    revisions: GeometryRevisions = field(default_factory=GeometryRevisions)
    earlier: Sequence[FrameResult] = ()  # records of the first hits in scouting order
    before: Mapping[FrameRef, FrameResult] = field(default_factory=dict)  # of hits, with the geometry before
