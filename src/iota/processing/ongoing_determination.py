"""State of a lattice determination in progress: screened frames, and frames that wait for its result."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from iota.processing.determination import Request, Steps, WantHits
from iota.records import FrameRef, Report, Scouted, Screened, Task
from iota.runs.determination import DeterminedLattice

logger = logging.getLogger(__name__)


class Screening:
    """What screening has found so far, and the hits in scouting order as far as the order is complete."""

    def __init__(self) -> None:
        self.order: list[FrameRef] = []
        self._reports: dict[FrameRef, Screened | None] = {}
        self._next = 0
        self._closed = False

    def add(self, frames: Sequence[FrameRef], finished: Iterable[FrameRef] = ()) -> None:
        """Add frames at the end of the order; finished ones are not used for the determination."""
        self.order.extend(frames)
        self._reports.update(dict.fromkeys(finished))

    def close(self) -> None:
        """No more frames will arrive."""
        self._closed = True

    def screened(self, frame: FrameRef, report: Report) -> None:
        """Take the result of screening a frame."""
        self._reports[frame] = report if isinstance(report, Screened) else None

    @property
    def exhausted(self) -> bool:
        """Whether all hits have been distributed and no more can arrive."""
        return self._closed and self._next == len(self.order)

    def next_hit(self) -> Screened | None:
        """Next hit in order, None while the frame whose turn it is has not been screened, or at the end."""
        while self._next < len(self.order) and self.order[self._next] in self._reports:
            hit = self._reports[self.order[self._next]]
            self._next += 1
            if hit is not None:
                return hit
        return None


class OngoingDetermination:
    """Drives a determination: collects the results that it requests, and passes them on when complete."""

    def __init__(self, steps: Steps, screening: Screening, urgent: deque[Task]) -> None:
        self._ongoing = steps
        self._screening = screening
        self._urgent = urgent
        self._hits: list[Screened] = []
        self._reports: dict[str, Scouted] = {}
        self._n_tried = 0
        self.over = False
        self.determined: DeterminedLattice | None = None
        self._request: Request = []
        self._ask(lambda: next(steps))

    @property
    def doing(self) -> str:
        """Label for users."""
        if self.over:
            return ""
        return f"determining the lattice from {self._n_tried}" if self._n_tried else "screening"

    def scouted(self, report: Scouted) -> None:
        """Take the result of scouting a frame."""
        self._reports[report.name] = report
        logger.info("%s: trial indexing with %s: %s", report.name, report.settings, _scouting_result(report))

    def advance(self) -> None:
        """Pass the requested results to the determination, if they are complete."""
        while not self.over:
            answer = self._answer()
            if answer is None:
                return
            self._ask(lambda answer=answer: self._ongoing.send(answer))  # type: ignore[misc]

    def _answer(self) -> Sequence[Screened] | Sequence[Scouted] | None:
        if isinstance(self._request, WantHits):
            while len(self._hits) < self._request.number:
                hit = self._screening.next_hit()
                if hit is None:
                    break
                self._hits.append(hit)
            complete = len(self._hits) == self._request.number or self._screening.exhausted
            if not complete:
                return None
            hits, self._hits = self._hits, []
            self._n_tried += len(hits)
            return hits
        if len(self._reports) < len(self._request):
            return None
        return [self._reports[task.name] for task in self._request]  # in the order of the request, not of arrival

    def _ask(self, step: Callable[[], Request]) -> None:
        try:
            self._request = step()
        except StopIteration as end:
            self.over, self.determined = True, end.value
            return
        self._reports = {}
        if isinstance(self._request, list):
            self._urgent.extend(self._request)


def _scouting_result(report: Scouted) -> str:
    if report.unit_cell is None:
        return report.reason
    multiple = f", {report.multiple}-fold supercell reduced" if report.multiple > 1 else ""
    return f"{' '.join(f'{x:.1f}' for x in report.unit_cell)}, {report.n_indexed} spots{multiple}"
