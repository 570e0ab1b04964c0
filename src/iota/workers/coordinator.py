"""The coordinator: hands frames to workers, takes back records, writes the ledger.

It knows nothing of pixels, DIALS or what kind of workers there are: they are an object with ``submit(task)`` that gives
a ``concurrent.futures.Future``.
"""

from __future__ import annotations

import concurrent.futures
import logging
import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from iota.records import NOT_HITS, FrameRef, FrameResult, Outcome, Report, Scouted, Screened, Settings, Task
from iota.workers.learning import (
    Learning,
    LearningRules,
    Learnt,
    Lesson,
    Request,
    WantHits,
    learn_lattice,
    scouting_key,
)

logger = logging.getLogger(__name__)

MAX_LATTICES = 3  # lattices that one run may learn
_TICK_S = 0.5


class Workers(Protocol):
    """What the coordinator needs of workers."""

    n_processes: int

    def submit(self, task: Task) -> concurrent.futures.Future[Any]:
        """Queue a task."""


class Observer(Protocol):
    """Who is told about a run while it goes on."""

    def finished(self, result: FrameResult) -> None:
        """Take the record of a frame; called once for each."""

    def learnt(self, learning: Learning) -> None:
        """Take what has been learnt; called for each new lattice, and when no more are looked for."""

    def tick(self, doing: str, n_waiting: int) -> None:
        """Take a sign of life, twice a second: what goes on besides processing, and how many hits are unfinished."""


class Coordinator:
    """Takes every frame to exactly one record.

    With ``rules`` the lattice is learnt first: frames are screened in an order that only their names decide, the first
    hits are scouted, and frames with diffraction wait until the lattice is known.
    """

    def __init__(
        self,
        frames: Sequence[FrameRef],
        names: Sequence[str],
        workers: Workers,
        observer: Observer,
        settings: tuple[Settings, ...],
        rules: LearningRules | None = None,
        learning: Learning | None = None,
        finished: Mapping[FrameRef, Outcome] | None = None,
    ) -> None:
        """Prepare a run.

        Args:
            frames: all frames of the run, in the order of the input.
            names: their names.
            workers: who does the work.
            observer: who is told.
            settings: to try in turn on every frame where there is nothing to learn.
            rules: for learning the lattice, or None.
            learning: what was learnt before, when a run is resumed.
            finished: frames that have their record already, when a run is resumed.
        """
        self._frames = frames
        self._names = dict(zip(frames, names, strict=True))
        self._workers = workers
        self._observer = observer
        self._rules = rules
        self._settings = settings
        self._learning = learning or Learning()
        self._before = finished or {}
        self._n_hits = sum(outcome not in NOT_HITS for outcome in self._before.values())
        self._done: queue.SimpleQueue[tuple[Task, concurrent.futures.Future[Any]]] = queue.SimpleQueue()
        self._in_work = 0
        self._urgent: deque[Task] = deque()
        self._doing = ""
        self._waiting: set[FrameRef] = set()  # frames known to have diffraction that have no record yet

    def run(self) -> None:
        """Process all frames that have no record; returns when each has one."""
        frames = [frame for frame in self._frames if frame not in self._before]
        if self._rules is None:
            self._process(frames, self._settings, self._finish)
            return
        if not self._learning.lattices and not self._learning.over:
            frames = self._screen_and_learn()
        misfits = self._process_with_lattices(frames, self._learning.lattices)
        while not self._learning.over:
            learnt = self._learn_from(misfits) if self._worth_another(misfits) else None
            self._take(learnt)
            if learnt is not None:
                misfits = self._process_with_lattices([r.frame for r in misfits], [learnt], misfits)
        for result in misfits:
            self._finish(result)

    def _finish(self, result: FrameResult) -> None:
        self._waiting.discard(result.frame)
        self._n_hits += result.outcome not in NOT_HITS
        self._observer.finished(result)

    # -- learning

    def _screen_and_learn(self) -> list[FrameRef]:
        """Screen and scout until a lattice is learnt or given up; returns the frames that still need processing."""
        assert self._rules is not None
        order = sorted(self._frames, key=scouting_key)
        screening = _Screening(order, self._before)
        screens = (Task("screen", frame, self._names[frame]) for frame in order if frame not in self._before)
        lesson = _LessonInWork(learn_lattice(self._rules), screening, self._urgent)
        for task, report in self._work(screens, stop=lambda: lesson.over):
            if isinstance(report, Scouted):
                lesson.scouted(report)
            else:
                screening.screened(task.frame, report)
                if isinstance(report, FrameResult):
                    self._finish(report)
                else:
                    self._waiting.add(task.frame)
            lesson.advance()
            self._doing = lesson.doing
        lesson.advance()
        self._doing = ""
        self._take(lesson.learnt)
        finished = screening.finished
        return [frame for frame in self._frames if frame not in finished]

    def _learn_from(self, misfits: Sequence[FrameResult]) -> Learnt | None:
        """Look for another lattice among frames that the known ones do not explain."""
        assert self._rules is not None
        order = sorted((result.frame for result in misfits), key=scouting_key)
        screening = _Screening(order, {})
        for result in misfits:
            hit = Screened(frame=result.frame, name=result.name, n_spots=result.n_spots or 0)
            screening.screened(result.frame, hit)
        known = self._learning.lattices
        lesson = _LessonInWork(learn_lattice(self._rules.for_another(), len(known) + 1, known), screening, self._urgent)
        lesson.advance()
        for _, report in self._work(iter(()), stop=lambda: lesson.over):
            if isinstance(report, Scouted):
                lesson.scouted(report)
            lesson.advance()
            self._doing = f"{lesson.doing} (another one)"
        self._doing = ""
        return lesson.learnt

    def _take(self, learnt: Learnt | None) -> None:
        if learnt is None:
            self._learning.over = True
        else:
            self._learning.lattices.append(learnt)
        self._observer.learnt(self._learning)

    def _worth_another(self, misfits: Sequence[FrameResult]) -> bool:
        """Whether enough frames are left unexplained to look for one more lattice in them."""
        assert self._rules is not None
        least = max(self._rules.min_agreement, (self._n_hits + len(misfits)) // 10)
        return 0 < len(self._learning.lattices) < MAX_LATTICES and len(misfits) >= least

    def _process_with_lattices(
        self, frames: Sequence[FrameRef], lattices: Sequence[Learnt], earlier: Sequence[FrameResult] = ()
    ) -> list[FrameResult]:
        """Process frames with learnt lattices, or cold when there are none; returns those that no lattice explains."""
        assert self._rules is not None
        if not lattices:
            self._process(frames, self._settings, self._finish)
            return []
        settings = tuple(self._rules.with_lattice(x.label, x.unit_cell, x.space_group) for x in lattices)
        attempts = {result.frame: result.attempts for result in earlier}
        misfits: list[FrameResult] = []

        def take(result: FrameResult) -> None:
            result.attempts = attempts.get(result.frame, []) + result.attempts
            if result.outcome == "failed_indexing":
                misfits.append(result)
                self._waiting.add(result.frame)
            else:
                self._finish(result)

        self._process(frames, settings, take)
        return misfits

    # -- work

    def _process(
        self, frames: Sequence[FrameRef], settings: tuple[Settings, ...], take: Callable[[FrameResult], None]
    ) -> None:
        tasks = (Task("process", frame, self._names[frame], settings) for frame in frames)
        for _, report in self._work(tasks):
            if isinstance(report, FrameResult):
                take(report)

    def _work(self, tasks: Iterator[Task], stop: Callable[[], bool] = lambda: False) -> Iterator[tuple[Task, Report]]:
        """Keep the workers busy; yield reports as they come.  Urgent tasks go before ``tasks``.

        After ``stop`` says so, no more of ``tasks`` are begun; what is in work is still reported.
        """
        last_tick = 0.0
        while True:
            while self._in_work <= self._workers.n_processes and not stop():
                task = self._urgent.popleft() if self._urgent else next(tasks, None)
                if task is None:
                    break
                self._submit(task)
            if not self._in_work and not self._urgent:
                return
            if time.monotonic() - last_tick >= _TICK_S:
                last_tick = time.monotonic()
                self._observer.tick(self._doing, len(self._waiting))
            try:
                task, future = self._done.get(timeout=_TICK_S)
            except queue.Empty:
                continue
            self._in_work -= 1
            yield task, _report(task, future)

    def _submit(self, task: Task) -> None:
        self._in_work += 1
        future = self._workers.submit(task)
        future.add_done_callback(lambda done, task=task: self._done.put((task, done)))  # type: ignore[misc]


class _Screening:
    """What screening has found so far, and the hits in scouting order as far as the order is complete."""

    def __init__(self, order: Sequence[FrameRef], finished: Iterable[FrameRef]) -> None:
        self._order = order
        self._reports: dict[FrameRef, Screened | None] = dict.fromkeys(finished)
        self._next = 0

    def screened(self, frame: FrameRef, report: Report) -> None:
        self._reports[frame] = report if isinstance(report, Screened) else None

    @property
    def finished(self) -> set[FrameRef]:
        """Frames that were screened and need nothing more."""
        return {frame for frame, report in self._reports.items() if report is None}

    @property
    def exhausted(self) -> bool:
        return self._next == len(self._order)

    def next_hit(self) -> Screened | None:
        """Next hit in order, None while the frame whose turn it is has not been screened, or at the end."""
        while not self.exhausted and self._order[self._next] in self._reports:
            hit = self._reports[self._order[self._next]]
            self._next += 1
            if hit is not None:
                return hit
        return None


class _LessonInWork:
    """Drives a learner: collects what it asked for and gives it back when it is complete."""

    def __init__(self, lesson: Lesson, screening: _Screening, urgent: deque[Task]) -> None:
        self._lesson = lesson
        self._screening = screening
        self._urgent = urgent
        self._hits: list[Screened] = []
        self._reports: dict[str, Scouted] = {}
        self._n_tried = 0
        self.over = False
        self.learnt: Learnt | None = None
        self._request: Request = []
        self._ask(lambda: next(lesson))

    @property
    def doing(self) -> str:
        """Words for people."""
        if self.over:
            return ""
        return f"learning the lattice from {self._n_tried}" if self._n_tried else "screening"

    def scouted(self, report: Scouted) -> None:
        self._reports[report.name] = report
        logger.info("%s: scouted with %s: %s", report.name, report.settings, _scouting_result(report))

    def advance(self) -> None:
        """Give the learner what it waits for, if that is complete."""
        while not self.over:
            answer = self._answer()
            if answer is None:
                return
            self._ask(lambda answer=answer: self._lesson.send(answer))  # type: ignore[misc]

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
            self.over, self.learnt = True, end.value
            return
        self._reports = {}
        if isinstance(self._request, list):
            self._urgent.extend(self._request)


def _scouting_result(report: Scouted) -> str:
    if report.unit_cell is None:
        return report.reason
    multiple = f", {report.multiple}-fold super-cell reduced" if report.multiple > 1 else ""
    return f"{' '.join(f'{x:.1f}' for x in report.unit_cell)}, {report.n_indexed} spots{multiple}"


def _report(task: Task, future: concurrent.futures.Future[Any]) -> Report:
    """The worker's report, or a record of how the worker ended."""
    error = future.exception() if not future.cancelled() else concurrent.futures.CancelledError()
    if error is None:
        return future.result()  # type: ignore[no-any-return]
    outcome: Outcome = "crashed"
    if isinstance(error, TimeoutError | concurrent.futures.TimeoutError):
        outcome, reason = "timed_out", "It took longer than allowed (mp.frame_timeout)."
    elif isinstance(error, MemoryError):
        reason = "It needed more memory than allowed (mp.frame_memory)."
    else:
        reason = f"Its process ended unexpectedly: {' '.join(str(error).split()) or error.__class__.__name__}."
    if task.kind == "scout":
        return Scouted(frame=task.frame, name=task.name, settings=task.settings[0].label, reason=reason)
    return FrameResult(frame=task.frame, name=task.name, outcome=outcome, reason=reason, finished=round(time.time(), 3))
