"""The geometry of a run: as given, until a better one is found with its first hits."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from iota.processing.geometry.proof import Tried
from iota.processing.geometry.revision import (
    MAX_REVISIONS,
    GeometryRules,
    More,
    follow_drift,
    revise_geometry,
    search_before_lattice,
)
from iota.processing.ongoing_steps import Calculation, Hits, OngoingSteps, WantHits
from iota.records import NOT_HITS, FrameRef, FrameResult, Outcome, Report, Scouted, Screened, Settings, Task
from iota.runs.geometry_revisions import GeometryRevisions, Revision

logger = logging.getLogger(__name__)

_MIN_SCOUTED = 12  # hits without a common lattice
_NOT_READ: tuple[Outcome, ...] = ("failed_import", "crashed", "timed_out")  # it tells nothing about a geometry


class OngoingGeometry:
    """Revises the geometry of a run with its first hits, and remembers their results with the one before."""

    def __init__(
        self,
        rules: GeometryRules,
        revisions: GeometryRevisions,
        order: Sequence[FrameRef],
        finished: Mapping[FrameRef, Outcome],
        earlier: Iterable[FrameResult],
        before: Mapping[FrameRef, FrameResult],
        urgent: deque[Task],
        settings: Callable[[], tuple[Settings, ...]],
    ) -> None:
        """Begin, or go on in a run that is resumed.

        Args:
            rules: how to look.
            revisions: what was tried so far; is kept up to date.
            order: of all frames; the first hits in it are used.
            finished: frames that have a record.
            earlier: records of the first hits among them.
            before: records of hits with the geometry before that in use.
            urgent: where tasks go that a decision waits for.
            settings: see :func:`revise_geometry`.
        """
        self._rules, self.revisions = rules, revisions
        self._urgent, self._settings = urgent, settings
        results = {result.frame: result for result in earlier}
        self._hits: Hits[FrameResult] = Hits(order, [frame for frame, outcome in finished.items() if not _hit(outcome)])
        for frame, outcome in finished.items():
            if _hit(outcome):
                self._hits.found(frame, results.get(frame))
        self._screened: Hits[Screened] = Hits(order, finished)
        self._scouted: dict[FrameRef, Tried] = {}
        self._before = before
        self.sample: Sequence[FrameResult | Screened] = ()  # hits of the last decision, in order
        self._ongoing: OngoingSteps[FrameResult, Revision] | OngoingSteps[Screened, Revision] | None = None
        self._has_searched = False
        self.is_before_lattice = False  # whether beam centre and distance are searched for without a lattice
        if not revisions.over:
            self._begin()

    @property
    def is_over(self) -> bool:
        """Whether the geometry is not revised any more."""
        return self._ongoing is None

    @property
    def more(self) -> More:
        """Backend parameters that make a frame use the geometry in use."""
        return self._rules.more(self.revisions.in_use)

    @property
    def doing(self) -> str:
        """Label for users; empty while hits are collected."""
        if self._ongoing is None or isinstance(self._ongoing.request, WantHits):
            return ""
        if isinstance(self._ongoing.request, Calculation):
            return self._ongoing.request.doing
        return "testing the new geometry"

    @property
    def wants_hits(self) -> bool:
        """Whether it waits for the next hits in order."""
        return self._ongoing is not None and isinstance(self._ongoing.request, WantHits)

    @property
    def holds_frames(self) -> bool:
        """Whether other frames should wait: more likely than not, they would be processed again."""
        return self._ongoing is not None and (self._ongoing.holds_frames or isinstance(self._ongoing.request, list))

    @property
    def is_calculating(self) -> bool:
        """Whether it waits for a calculation."""
        return self._ongoing is not None and self._ongoing.is_calculating

    def add(self, frames: Sequence[FrameRef]) -> None:
        """Add frames that have arrived."""
        if self._ongoing is not None:
            self._hits.add(frames)
            self._screened.add(frames)

    def close(self) -> None:
        """No frame is being processed, and no more will arrive."""
        (self._screened if self.is_before_lattice else self._hits).close()

    def scouted(self, report: Scouted) -> None:
        """Take the result of scouting a frame with one of several settings."""
        before = self._scouted.get(report.frame, Tried(False))
        if report.unit_cell is not None and report.n_indexed > before.n_indexed:
            before = Tried(True, report.n_indexed, report.rmsd_px, report.unit_cell)
        self._scouted[report.frame] = before

    def screened(self, frame: FrameRef, report: Report) -> None:
        """Take the result of screening a frame."""
        self._screened.found(frame, report if isinstance(report, Screened) else None)

    def may_search(self, n_scouted: int) -> bool:
        """Whether to search for beam centre and distance, after so many hits were scouted without a lattice."""
        searched = any(one.method == "search" for one in self.revisions.revisions)
        return n_scouted >= _MIN_SCOUTED and not searched and not self.is_over and not self._has_searched

    def search_before_lattice(self) -> None:
        """Search for beam centre and distance now, because no lattice is found."""
        self._has_searched = self.is_before_lattice = True
        steps = search_before_lattice(self._rules, self._scouted, self.revisions)
        self._ongoing = OngoingSteps(steps, self._screened, self._urgent)

    def taken(self, task: Task, result: FrameResult) -> None:
        """Take the record of a frame, or of a trial."""
        if self._ongoing is None:
            return
        if task.trial:
            self._ongoing.reported(result)
        else:
            self._hits.found(task.frame, result if _hit(result.outcome) else None)

    def advance(self) -> Revision | None:
        """Go on as far as possible; returns a revision as soon as there is one, be it better or not."""
        if self._ongoing is None:
            return None
        self._ongoing.advance()
        if not self._ongoing.over:
            return None
        ended, self._ongoing = self._ongoing, None
        self.sample = ended.hits
        is_better = ended.decision is not None and ended.decision.proof.is_better
        if self.is_before_lattice:
            self.is_before_lattice = False
            if not is_better:
                self._begin()  # with the hits that are processed without a lattice
                return None
        if ended.decision is None:
            decision = None
        else:
            decision = msgspec.structs.replace(ended.decision, sample=tuple(hit.frame for hit in ended.hits))
            self.revisions.revisions.append(decision)
        if self.revisions.over:
            self.revisions.is_drift_checked = True
        self.revisions.over |= not is_better or self._n_used >= MAX_REVISIONS
        if self.revisions.over:
            self._hits, self._screened = Hits(), Hits()
        return decision

    @property
    def may_follow_drift(self) -> bool:
        """Whether it was not yet asked if the detector moved."""
        return self.revisions.over and not self.revisions.is_drift_checked and self._ongoing is None

    def follow_drift(self) -> None:
        """All frames are processed: ask whether the detector moved."""
        steps = follow_drift(self._rules, self.revisions, self._settings)
        self._ongoing = OngoingSteps(steps, self._hits, self._urgent)

    def begin_again(self, withdrawn: Mapping[FrameRef, FrameResult]) -> None:
        """Go on with another geometry, after the records of hits with that before were withdrawn."""
        self._before = withdrawn
        self._hits.begin_again()
        self._scouted = {}
        if not self.revisions.over:
            self._begin()

    def better(self, result: FrameResult) -> FrameResult:
        """The record of a frame: that with the geometry before if only with this one it was integrated.

        After a refinement this applies to the hits of the sample, so that it does not depend on which others were
        finished earlier; and to images that cannot be read any more.
        """
        in_use = self.revisions.in_use
        if result.outcome == "integrated" or in_use is None or in_use.method == "search":
            return result  # with a wrong beam centre, lattices may be wrong
        before = self._before.get(result.frame)
        if before is None or before.outcome != "integrated":
            return result
        if result.outcome not in _NOT_READ and in_use.method == "refinement" and result.frame not in in_use.sample:
            return result
        before.attempts = [*before.attempts, f"With the refined geometry: {result.reason}"]
        return before

    def _begin(self) -> None:
        steps = revise_geometry(self._rules, self.revisions, self._settings)
        self._ongoing = OngoingSteps(steps, self._hits, self._urgent)

    @property
    def _n_used(self) -> int:
        return sum(one.proof.is_better for one in self.revisions.revisions)


def _hit(outcome: Outcome) -> bool:
    return outcome not in NOT_HITS
