"""The coordinator: sends frames to workers, collects their records, writes the ledger.

It does not depend on pixels, DIALS or the kind of workers: these are an object with ``submit(tasks)``, which returns a
``concurrent.futures.Future``.
"""

from __future__ import annotations

import concurrent.futures
import logging
import queue
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, Protocol

from iota.causes import Cause, why
from iota.engine.frame.worker import failed
from iota.errors import IotaError
from iota.processing.bundles import Bundles, put_back
from iota.processing.determination import DeterminationRules, determine_lattice
from iota.processing.ongoing_determination import OngoingDetermination, Screening
from iota.records import NOT_HITS, FrameRef, FrameResult, Outcome, Report, Scouted, Screened, Settings, Task
from iota.runs.determination import Determination
from iota.runs.sampling import scouting_key
from iota.workers.protocol import Workers
from iota.workers.second_try import LostTwiceError, SecondTries

logger = logging.getLogger(__name__)

MAX_LATTICES = 3  # lattices that one run may learn
_NOT_EXPLAINED = ("failed_indexing", "failed_refinement", "failed_integration")  # perhaps by another lattice
_TICK_S = 0.5
_POLL_S = 0.1  # how often a feed is asked while workers are at work


class Observer(Protocol):
    """Receives the progress of a run."""

    def finished(self, result: FrameResult) -> None:
        """Receive the record of a frame; called once for each."""

    def determined(self, determination: Determination) -> None:
        """Receive a determined lattice; called for each one, and when the search for more has ended."""

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


class Coordinator:
    """Processes frames so that each gets exactly one record.

    With ``rules`` the lattice is determined first: frames are screened in an order that depends only on their names,
    the first hits are used for trial indexing, and other frames with diffraction wait until the lattice is known.
    Frames that no determined lattice explains are kept until all others are done, and then searched for another one.

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
        self._to_scout: deque[Task] = deque()
        self._to_screen: deque[FrameRef] = deque()
        self._to_process: deque[FrameRef] = deque()
        self._waiting: set[FrameRef] = set()  # frames known to have diffraction that have no record yet
        self._misfits: list[FrameResult] = []  # frames that no determined lattice explains
        self._attempts: dict[FrameRef, list[str]] = {}  # of misfits that are tried again
        self._not_taken: set[FrameRef] = set()  # frames that come again
        self._screening = Screening()
        self._ongoing: OngoingDetermination | None = None
        self._start([frame for frame in frames if not finished or frame not in finished], finished or {})

    def run(self) -> None:
        """Process all frames that have no record; returns when each has one and no more will arrive."""
        last_tick = 0.0
        while True:
            if time.monotonic() - last_tick >= _TICK_S:
                last_tick = time.monotonic()
                self._observer.tick(self._doing, len(self._waiting))
            self._take_arrivals()
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

    def _start(self, frames: Sequence[FrameRef], finished: Mapping[FrameRef, Outcome]) -> None:
        if self._rules is None or self._determination.lattices or self._determination.over:
            (self._to_screen if self._newest_first else self._to_process).extend(frames)
            return
        order = sorted([*finished, *frames], key=scouting_key)
        self._screening.add(order, finished)
        self._to_screen.extend(frame for frame in order if frame not in finished)
        self._ongoing = OngoingDetermination(determine_lattice(self._rules), self._screening, self._to_scout)

    def _take_arrivals(self) -> None:
        if self._feed is None:
            return
        frames = self._feed.poll()
        for result in self._feed.overdue():
            self._record(result)
        if self._ongoing is not None:
            new = [frame for frame in frames if frame not in self._not_taken]
            self._frames.extend(new)
            self._screening.add(new)
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
        if self._to_scout:
            return [self._to_scout.popleft()]
        if self._to_screen:
            return [Task("screen", frame, self._name_of(frame)) for frame in self._bundles.take(self._to_screen)]
        frames = self._bundles.take(self._to_process, newest_first=self._newest_first)
        settings = self._settings_now() if frames else ()
        return [Task("process", frame, self._name_of(frame), settings) for frame in frames]

    def _settings_now(self) -> tuple[Settings, ...]:
        """Determined lattices, the newest alone for frames that the others did not explain; else what was given."""
        if self._rules is None or not self._determination.lattices:
            return self._settings
        lattices = self._determination.lattices[-1:] if self._attempts else self._determination.lattices
        return tuple(self._rules.with_lattice(x.label, x.unit_cell, x.space_group) for x in lattices)

    def _go_on(self) -> bool:
        """When no tasks are left, determine another lattice, or end; returns whether there is more to do."""
        if self._ongoing is not None:
            self._screening.close()
            self._advance_determination()
        elif self._misfits and not self._determination.over:
            self._look_for_another_lattice()
        else:
            for result in self._misfits:
                self._finish(result)
            self._misfits = []
        return bool(self._to_scout or self._to_screen or self._to_process or self._misfits)

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
            reports = [_failure(tasks[0], error)]
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
            put_back(self._to_process, frames, newest_first=self._newest_first)

    def _take(self, task: Task, report: Report) -> None:
        if isinstance(report, Scouted):
            if self._ongoing is not None:
                self._ongoing.scouted(report)
        elif isinstance(report, Screened):
            self._waiting.add(task.frame)
            if self._ongoing is None:
                self._to_process.append(task.frame)
        elif report.outcome in _NOT_EXPLAINED and self._keeps_misfits:
            report.attempts = self._attempts.pop(task.frame, []) + report.attempts
            self._waiting.add(task.frame)
            self._misfits.append(report)
        else:
            report.attempts = self._attempts.pop(task.frame, []) + report.attempts
            self._finish(report)
        if self._ongoing is not None:
            if task.kind == "screen":
                self._screening.screened(task.frame, report)
            self._advance_determination()

    def _finish(self, result: FrameResult) -> None:
        self._waiting.discard(result.frame)
        if self._feed is None or self._feed.take(result):
            self._record(result)
        else:
            self._not_taken.add(result.frame)

    def _record(self, result: FrameResult) -> None:
        self._n_hits += result.outcome not in NOT_HITS
        self._observer.finished(result)

    # -- determination

    @property
    def _doing(self) -> str:
        if self._ongoing is None:
            return ""
        return self._ongoing.doing + (" (another one)" if self._determination.lattices else "")

    @property
    def _keeps_misfits(self) -> bool:
        return bool(self._determination.lattices) and not self._determination.over and self._feed is None

    def _advance_determination(self) -> None:
        assert self._ongoing is not None
        self._ongoing.advance()
        if not self._ongoing.over:
            return
        determined, self._ongoing = self._ongoing.determined, None
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
        self._to_process.extend(frame for frame in self._frames if frame in ready)

    def _look_for_another_lattice(self) -> None:
        assert self._rules is not None
        least = max(self._rules.min_agreement, (self._n_hits + len(self._misfits)) // 10)
        known = self._determination.lattices
        if len(self._misfits) < least or len(known) >= MAX_LATTICES:
            self._determination.over = True
            self._observer.determined(self._determination)
            return
        self._screening = Screening()
        self._screening.add(sorted((result.frame for result in self._misfits), key=scouting_key))
        for r in self._misfits:
            self._screening.screened(r.frame, Screened(frame=r.frame, name=r.name, n_spots=r.n_spots or 0))
        self._screening.close()
        steps = determine_lattice(self._rules.for_another(), len(known) + 1, known)
        self._ongoing = OngoingDetermination(steps, self._screening, self._to_scout)
        self._advance_determination()


def _failure(task: Task, error: BaseException) -> Report:
    """The report of a task whose worker failed."""
    n_tries = 1
    if isinstance(error, LostTwiceError):
        error, n_tries = error.last, 2
    if isinstance(error, TimeoutError | concurrent.futures.TimeoutError):
        return failed(task, "timed_out", why(Cause.TOO_SLOW))
    if isinstance(error, MemoryError):
        return failed(task, "crashed", why(Cause.MEMORY_LIMIT))
    exit_code = getattr(error, "exitcode", 0)  # of pebble's ProcessExpired; a negative one is a signal
    if exit_code == -signal.SIGKILL:
        found = why(Cause.KILLED, signal=-exit_code, n_tries=n_tries)
    elif exit_code < 0:
        name = signal.strsignal(-exit_code) or "unknown"
        found = why(Cause.ENDED_BY_SIGNAL, signal_name=name, signal=-exit_code, n_tries=n_tries)
    elif exit_code:
        found = why(Cause.EXIT_STATUS, exit_status=exit_code, n_tries=n_tries)
    else:
        words = " ".join(str(error).split()) or error.__class__.__name__
        found = why(Cause.PROCESS_LOST, error=words, n_tries=n_tries)
    return failed(task, "crashed", found)


def _nothing() -> NoReturn:
    """Wait for a feed while there is no work."""
    time.sleep(_POLL_S)
    raise queue.Empty
