"""The coordinator: sends frames to workers, collects their records, writes the ledger.

It does not depend on pixels, DIALS or the kind of workers: these are an object with ``submit(tasks)``, which returns a
``concurrent.futures.Future``.
"""

from __future__ import annotations

import concurrent.futures
import logging
import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn

import msgspec

from iota.errors import IotaError
from iota.processing.bundles import Bundles, put_back
from iota.processing.determination import DeterminationRules, determine_lattice, log_scouted
from iota.processing.geometry.ongoing import OngoingGeometry
from iota.processing.geometry.revision import More
from iota.processing.interfaces import Feed, GeometryToRevise, Observer
from iota.processing.lost_workers import failure_report
from iota.processing.ongoing_steps import Hits, OngoingSteps
from iota.records import NOT_HITS, FrameRef, FrameResult, Outcome, Report, Scouted, Screened, Settings, Task
from iota.runs.determination import Determination, DeterminedLattice
from iota.runs.geometry_revisions import Revision
from iota.runs.sampling import scouting_key
from iota.workers.protocol import Workers
from iota.workers.second_try import SecondTries

logger = logging.getLogger(__name__)

MAX_LATTICES = 3  # lattices that one run may learn
_NOT_EXPLAINED = ("failed_indexing", "failed_refinement", "failed_integration")  # perhaps by another lattice
_TICK_S = 0.5
_POLL_S = 0.1  # how often a feed is asked while workers are at work


class Coordinator:
    """Processes frames so that each gets exactly one record.

    With ``rules`` the lattice is determined first: frames are screened in an order that depends only on their names,
    the first hits are used for trial indexing, and other frames with diffraction wait until the lattice is known.
    Frames that no determined lattice explains are kept until all others are done, and then searched for another one.

    If the geometry is to be revised, the first hits in this order are processed before the others; if a better one is
    found with them, all hits are processed again.

    Frames that a feed brings later are queued behind them.  With a feed the order of arrival counts, one lattice is
    determined and no frame is kept, so that each has its record as soon as possible.
    """

    def __init__(
        self,
        frames: Sequence[FrameRef],
        name_of: Callable[[FrameRef], str],
        workers: Workers,
        observer: Observer,
        settings: tuple[Settings, ...],
        rules: DeterminationRules | None = None,
        determination: Determination | None = None,
        finished: Mapping[FrameRef, Outcome] | None = None,
        feed: Feed | None = None,
        newest_first: bool = False,
        geometry: GeometryToRevise | None = None,
    ) -> None:
        """Prepare a run.

        Args:
            frames: all frames of the run that are known, in the order of the input.
            name_of: gives the name of a frame.
            workers: who does the work.
            observer: who is told.
            settings: to try in turn on every frame where there is nothing to learn.
            rules: for determining the lattice, or None.
            determination: what was determined before, when a run is resumed.
            finished: frames that have their record already, when a run is resumed.
            feed: brings more frames while the run goes on, or None.
            newest_first: screen all frames before any is processed, and process the newest hits first.
            geometry: how to revise the geometry, or None.
        """
        self._frames = list(frames)
        self._name_of = name_of
        self._workers = workers
        self._submit = SecondTries(workers.submit).submit
        self._observer = observer
        self._rules = rules
        self._settings = settings
        self._determination = determination or Determination()
        self._feed = feed
        self._newest_first = newest_first
        self._n_hits = sum(outcome not in NOT_HITS for outcome in (finished or {}).values())
        self._bundles = Bundles(workers.n_processes)
        self._done: queue.SimpleQueue[tuple[Sequence[Task], concurrent.futures.Future[list[Report]]]]
        self._done = queue.SimpleQueue()
        self._in_work = 0  # bundles
        # what is to be done, in order of urgency
        self._urgent: deque[Task] = deque()  # a decision waits for them
        self._to_screen: deque[FrameRef] = deque()
        self._to_process: deque[FrameRef] = deque()
        self._waiting: set[FrameRef] = set()  # frames known to have diffraction that have no record yet
        self._misfits: list[FrameResult] = []  # frames that no determined lattice explains
        self._attempts: dict[FrameRef, list[str]] = {}  # of misfits that are tried again
        self._not_taken: set[FrameRef] = set()  # frames that come again
        self._screened: Hits[Screened] = Hits()
        self._ongoing: OngoingSteps[Screened, DeterminedLattice] | None = None
        self._geometry: OngoingGeometry | None = None
        self._more: More = lambda _: ""  # parameters that make a frame use the geometry in use
        self._start([frame for frame in frames if not finished or frame not in finished], finished or {}, geometry)

    def run(self) -> None:
        """Process all frames that have no record; returns when each has one and no more will arrive."""
        last_tick = 0.0
        while True:
            if time.monotonic() - last_tick >= _TICK_S:
                last_tick = time.monotonic()
                self._observer.tick(self._doing, len(self._waiting))
            self._take_arrivals()
            self._advance_geometry()
            self._keep_workers_busy()
            if not self._in_work and (self._feed is None or self._feed.closed) and not self._go_on():
                return
            try:
                tasks, future = (
                    self._done.get(timeout=_POLL_S if self._feed else _TICK_S) if self._in_work else _nothing()
                )
            except queue.Empty:
                continue
            self._in_work -= 1
            self._take_reports(tasks, future)

    # -- what there is to do

    def _start(
        self,
        frames: Sequence[FrameRef],
        finished: Mapping[FrameRef, Outcome],
        geometry: GeometryToRevise | None,
    ) -> None:
        order = [*finished, *frames]
        if geometry is not None:
            self._geometry = OngoingGeometry(
                geometry.rules,
                geometry.revisions,
                sorted(order, key=scouting_key),
                finished,
                geometry.earlier,
                geometry.before,
                self._urgent,
                self._settings_now,
            )
            self._more = self._geometry.more
        if self._rules is None or self._determination.lattices or self._determination.over:
            (self._to_screen if self._newest_first else self._to_process).extend(self._in_order(frames))
            return
        order = sorted(order, key=scouting_key)
        self._screened = Hits(order, finished)
        self._to_screen.extend(frame for frame in order if frame not in finished)
        self._determine_lattice()

    def _determine_lattice(self, *known: DeterminedLattice) -> None:
        assert self._rules is not None
        rules = self._rules.for_another() if known else self._rules
        self._ongoing = OngoingSteps(determine_lattice(rules, len(known) + 1, known), self._screened, self._urgent)

    def _in_order(self, frames: Iterable[FrameRef]) -> list[FrameRef]:
        """Frames in the order in which they are processed: as in the input, or as the geometry needs them."""
        if self._feed is None and self._geometry is not None and self._geometry.wants_hits:
            return sorted(frames, key=scouting_key)
        chosen = set(frames)
        return [frame for frame in self._frames if frame in chosen]

    def _take_arrivals(self) -> None:
        if self._feed is None:
            return
        frames = self._feed.poll()
        for result in self._feed.overdue():
            self._record(result)
        if self._ongoing is not None or self._revises_geometry:
            new = [frame for frame in frames if frame not in self._not_taken]
            self._frames.extend(new)
            if self._ongoing is not None:
                self._screened.add(new)
            if self._geometry is not None:
                self._geometry.add(new)
        (self._to_screen if self._ongoing is not None or self._newest_first else self._to_process).extend(frames)

    def _keep_workers_busy(self) -> None:
        """Give the workers the most urgent tasks; one bundle more than there are workers is queued."""
        while self._in_work <= self._workers.n_processes:
            tasks = self._next_tasks()
            if not tasks:
                return
            self._in_work += 1
            future = self._submit(tasks)
            future.add_done_callback(lambda done, tasks=tasks: self._done.put((tasks, done)))  # type: ignore[misc]

    def _next_tasks(self) -> list[Task]:
        """The tasks for one worker; empty if there is nothing to do."""
        if self._urgent:
            task = self._urgent.popleft()
            return [task if task.trial else msgspec.structs.replace(task, more=self._more(task.frame))]
        if self._to_screen:
            return [Task("screen", frame, self._name_of(frame)) for frame in self._bundles.take(self._to_screen)]
        if self._geometry is not None and self._geometry.holds_frames:
            return []
        frames = self._bundles.take(self._to_process, newest_first=self._takes_newest)
        settings = self._settings_now() if frames else ()
        return [Task("process", frame, self._name_of(frame), settings, self._more(frame)) for frame in frames]

    @property
    def _takes_newest(self) -> bool:
        """Whether the newest hits are processed first: those that a revision of the geometry waits for come before."""
        return self._newest_first and not (self._geometry is not None and self._geometry.wants_hits)

    def _settings_now(self) -> tuple[Settings, ...]:
        """Determined lattices, the newest alone for frames that the others did not explain; else what was given."""
        if self._rules is None or not self._determination.lattices:
            return self._settings
        lattices = self._determination.lattices[-1:] if self._attempts else self._determination.lattices
        return tuple(self._rules.with_lattice(x.label, x.unit_cell, x.space_group) for x in lattices)

    def _go_on(self) -> bool:
        """When no tasks are left, determine another lattice, or end; returns whether there is more to do."""
        if self._ongoing is not None and not self._searches_before_lattice:
            self._screened.close()
            self._advance_determination()
        elif self._revises_geometry:
            self._close_geometry()
        elif self._misfits and not self._determination.over:
            self._look_for_another_lattice()
        else:
            for result in self._misfits:
                self._finish(result)
            self._misfits = []
            if self._geometry is not None and self._geometry.may_follow_drift:
                self._geometry.follow_drift()
        is_left = bool(self._urgent or self._to_screen or self._to_process or self._misfits)
        return is_left or self._revises_geometry or (self._geometry is not None and self._geometry.may_follow_drift)

    # -- what comes back

    def _take_reports(self, tasks: Sequence[Task], future: concurrent.futures.Future[list[Report]]) -> None:
        """Take the reports of a bundle; tasks not reached by its worker, and those of a failed bundle, are repeated.

        Raises:
            IotaError: no frame is to blame: the worker could not write, or the workers as a whole cannot go on.
        """
        error = future.exception() if not future.cancelled() else concurrent.futures.CancelledError()
        reports: list[Report] = []
        if error is None:
            reports = future.result()
        elif isinstance(error, IotaError):
            raise error
        elif len(tasks) == 1:
            reports = [failure_report(tasks[0], error)]
        else:
            self._bundles.failed(task.frame for task in tasks)
        left = tasks[len(reports) :]
        if left:  # put back first: a report may tell that the queue is not to be screened any more
            self._put_back(left[0].kind, [task.frame for task in left])
        if reports:
            self._bundles.came_back(len(tasks), reports)
        for task, report in zip(tasks, reports, strict=False):
            self._take(task, report)

    def _put_back(self, kind: str, frames: Sequence[FrameRef]) -> None:
        if kind == "screen" and (self._ongoing is not None or self._newest_first):
            put_back(self._to_screen, frames)
        else:
            put_back(self._to_process, frames, newest_first=self._takes_newest)

    def _take(self, task: Task, report: Report) -> None:
        if isinstance(report, Scouted):
            if self._ongoing is not None and task.more == self._more(task.frame):
                log_scouted(report)
                self._ongoing.reported(report)
                if self._geometry is not None:
                    self._geometry.scouted(report)
        elif isinstance(report, Screened):
            self._wait(task.frame)
        elif task.trial:
            assert self._geometry is not None
            self._geometry.taken(task, report)
        elif task.kind == "process" and task.more != self._more(task.frame) and report.outcome not in NOT_HITS:
            self._wait(task.frame)  # it was in work when the geometry was revised
        else:
            self._take_result(task, report)
        if self._ongoing is not None:
            if task.kind == "screen":
                self._screened.found(task.frame, report if isinstance(report, Screened) else None)
                if self._geometry is not None:
                    self._geometry.screened(task.frame, report)
            self._advance_determination()

    def _wait(self, frame: FrameRef) -> None:
        """Process a frame with diffraction, at once or when the lattice is determined."""
        self._waiting.add(frame)
        if self._ongoing is None:
            self._to_process.append(frame)

    def _take_result(self, task: Task, result: FrameResult) -> None:
        if self._geometry is not None:
            self._geometry.taken(task, result)
        result.attempts = self._attempts.pop(task.frame, []) + result.attempts
        if result.outcome in _NOT_EXPLAINED and self._keeps_misfits:
            self._waiting.add(task.frame)
            self._misfits.append(result)
        else:
            self._finish(result)

    def _finish(self, result: FrameResult) -> None:
        self._waiting.discard(result.frame)
        if self._feed is None or self._feed.take(result):
            self._record(result)
        else:
            self._not_taken.add(result.frame)

    def _record(self, result: FrameResult) -> None:
        if self._geometry is not None:
            result = self._geometry.better(result)
        self._n_hits += result.outcome not in NOT_HITS
        self._observer.finished(result)

    # -- determination

    @property
    def _doing(self) -> str:
        if self._ongoing is None or self._searches_before_lattice:
            return "" if self._geometry is None else self._geometry.doing
        n_tried = len(self._ongoing.hits)
        doing = f"determining the lattice from {n_tried}" if n_tried else "screening"
        return doing + (" (another one)" if self._determination.lattices else "")

    @property
    def _keeps_misfits(self) -> bool:
        return bool(self._determination.lattices) and not self._determination.over and self._feed is None

    def _advance_determination(self) -> None:
        assert self._ongoing is not None
        if self._searches_before_lattice:
            return
        self._ongoing.advance(self._searches_first)
        if not self._ongoing.over:
            return
        determined, self._ongoing = self._ongoing.decision, None
        if determined is None:
            self._determination.over = True
        else:
            self._determination.lattices.append(determined)
        self._observer.determined(self._determination)
        if self._misfits:  # they are what it was determined from, or not
            if determined is not None:
                self._attempts = {result.frame: result.attempts for result in self._misfits}
                self._to_process.extend(result.frame for result in self._misfits)
                self._misfits = []
            return
        ready = set(self._waiting)
        if not self._newest_first:  # what is not screened needs no screening any more
            ready.update(self._to_screen)
            self._to_screen.clear()
        self._to_process.extend(self._in_order(ready))

    def _look_for_another_lattice(self) -> None:
        assert self._rules is not None
        least = max(self._rules.min_agreement, (self._n_hits + len(self._misfits)) // 10)
        known = self._determination.lattices
        if len(self._misfits) < least or len(known) >= MAX_LATTICES:
            self._determination.over = True
            self._observer.determined(self._determination)
            return
        order = sorted((result.frame for result in self._misfits), key=scouting_key)
        self._screened = _as_screened(order, self._misfits)
        self._determine_lattice(*known)
        self._advance_determination()

    # -- geometry

    @property
    def _revises_geometry(self) -> bool:
        return self._geometry is not None and not self._geometry.is_over

    @property
    def _searches_before_lattice(self) -> bool:
        return self._geometry is not None and self._geometry.is_before_lattice

    def _searches_first(self) -> bool:
        """Begin to search for the beam centre before more hits are scouted, if those so far have no common lattice."""
        assert self._ongoing is not None
        if self._geometry is None or not self._geometry.may_search(len(self._ongoing.hits)):
            return False
        self._geometry.search_before_lattice()
        return True

    def _close_geometry(self) -> None:
        """Let the geometry be revised with the hits that there are: none is in work, and no more will arrive."""
        assert self._geometry is not None
        if self._geometry.wants_hits:
            self._geometry.close()
        self._advance_geometry()

    def _advance_geometry(self) -> None:
        """Go on with the revision of the geometry; a better one is used for all hits."""
        geometry = self._geometry
        if geometry is None or not self._revises_geometry:
            return
        if self._ongoing is not None and not geometry.is_before_lattice:
            return
        in_order = geometry.wants_hits
        revision = geometry.advance()
        if revision is not None and revision.proof.is_better:
            self._use(geometry, revision)
        elif geometry.is_over:
            self._observer.revised(geometry.revisions, revision)
        elif self._ongoing is not None and not geometry.is_before_lattice:
            self._advance_determination()  # nothing was found: it goes on
        if in_order != geometry.wants_hits:  # frames need not be in its order any more
            self._to_process = deque(self._in_order(self._to_process))

    def _use(self, geometry: OngoingGeometry, revision: Revision) -> None:
        """Withdraw the hits that have a record, and process all hits with the geometry now in use."""
        withdrawn = self._observer.revised(geometry.revisions, revision)
        sample = geometry.sample
        geometry.begin_again(withdrawn)
        self._more = geometry.more
        self._n_hits -= len(withdrawn)
        hits = {*withdrawn, *(result.frame for result in self._misfits)}
        self._misfits, self._attempts = [], {}
        self._waiting |= hits
        if self._rules is None or revision.method == "drift":
            self._to_process = deque(self._in_order([*hits, *self._to_process]))
            return
        self._determination = Determination()
        self._screened = _as_screened([result.frame for result in sample], sample)
        self._to_screen.extend(frame for frame in self._to_process if frame not in self._waiting)
        self._to_process.clear()
        self._determine_lattice()
        self._advance_determination()


def _as_screened(order: Sequence[FrameRef], results: Sequence[FrameResult | Screened]) -> Hits[Screened]:
    """Hits to determine a lattice from, of which no more will come."""
    hits: Hits[Screened] = Hits(order)
    for one in results:
        hits.found(one.frame, Screened(frame=one.frame, name=one.name, n_spots=one.n_spots or 0))
    hits.close()
    return hits


def _nothing() -> NoReturn:
    """Wait for a feed while there is no work."""
    time.sleep(_POLL_S)
    raise queue.Empty
