"""Decisions in progress during a run: generators that ask for hits, tasks and calculations, and what answers them."""

from __future__ import annotations

import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from iota.records import FrameRef, FrameResult, Report, Scouted, Screened, Task

Hit = TypeVar("Hit", Screened, FrameResult)
Decision = TypeVar("Decision")


@dataclass(frozen=True)
class WantHits:
    """The decision waits for this many more hits, in order; there are fewer if no more will come."""

    number: int


@dataclass(frozen=True)
class Calculation:
    """The decision waits for the result of a function, which is called in another thread."""

    function: Callable[[], Any]
    doing: str  # for users, meanwhile
    holds: bool = False  # whether it would be in vain to process more frames meanwhile


Request = WantHits | Calculation | list[Task]
Steps = Generator[Request, Any, Decision | None]


class Hits(Generic[Hit]):
    """The hits of a run in a given order, as far as it is known of all frames before whether they are hits."""

    def __init__(self, order: Sequence[FrameRef] = (), others: Iterable[FrameRef] = ()) -> None:
        """Begin with frames in order, of which some are known not to be hits, or not to be used."""
        self._order: list[FrameRef] = list(order)
        self._found: dict[FrameRef, Hit | None] = dict.fromkeys(others)
        self._next = 0
        self._closed = False

    def add(self, frames: Iterable[FrameRef]) -> None:
        """Add frames at the end of the order."""
        self._order.extend(frames)

    def close(self) -> None:
        """No more will be found: frames of which nothing is known are no hits."""
        self._closed = True

    def found(self, frame: FrameRef, hit: Hit | None) -> None:
        """Take what is known of a frame; None: it is no hit."""
        self._found[frame] = hit

    def begin_again(self) -> None:
        """Forget what was found of the hits, but not which frames are none."""
        self._found = {frame: None for frame, hit in self._found.items() if hit is None}
        self._next, self._closed = 0, False

    @property
    def exhausted(self) -> bool:
        """Whether all hits have been given out and no more can arrive."""
        return self._closed and self._next == len(self._order)

    def next_hit(self) -> Hit | None:
        """Next hit in order; None while nothing is known of the frame whose turn it is, and at the end."""
        while self._next < len(self._order) and (self._closed or self._order[self._next] in self._found):
            hit = self._found.get(self._order[self._next])
            self._next += 1
            if hit is not None:
                return hit
        return None


class OngoingSteps(Generic[Hit, Decision]):
    """Drives a generator: collects what it asks for, and passes it on when complete."""

    def __init__(self, steps: Steps[Decision], hits: Hits[Hit], urgent: deque[Task]) -> None:
        """Begin.

        Args:
            steps: the generator.
            hits: where its hits come from.
            urgent: where its tasks go.
        """
        self._steps = steps
        self._hits: Hits[Hit] = hits
        self._urgent = urgent
        self._given: list[Hit] = []
        self._reports: dict[str, Report] = {}
        self._calculated: concurrent.futures.Future[Any] | None = None
        self.hits: list[Hit] = []  # that were given out
        self.over = False
        self.holds_frames = False
        self.decision: Decision | None = None
        self.request: Request = []
        self._ask(partial(next, steps))

    @property
    def is_calculating(self) -> bool:
        """Whether a calculation is in progress."""
        return self._calculated is not None

    def reported(self, report: Scouted | FrameResult) -> None:
        """Take the report on a task."""
        self._reports[report.name] = report

    def advance(self, pauses: Callable[[], bool] = lambda: False) -> None:
        """Pass what was asked for to the generator, if it is complete.

        Args:
            pauses: is asked before more hits are given out; if so, nothing is passed.
        """
        while not self.over and not (isinstance(self.request, WantHits) and pauses()):
            answer = self._answer()
            if answer is None:
                return
            self._ask(partial(self._steps.send, answer[0]))

    def _answer(self) -> tuple[Any] | None:
        """The answer, which may be None; None if it is not complete."""
        if isinstance(self.request, WantHits):
            while len(self._given) < self.request.number and (hit := self._hits.next_hit()) is not None:
                self._given.append(hit)
            if len(self._given) < self.request.number and not self._hits.exhausted:
                return None
            given, self._given = self._given, []
            self.hits += given
            return (given,)
        if isinstance(self.request, Calculation):
            if self._calculated is None or not self._calculated.done():
                return None
            calculated, self._calculated = self._calculated, None
            return (calculated.result(),)
        if len(self._reports) < len(self.request):
            return None
        return ([self._reports[task.name] for task in self.request],)  # in the order of the request, not of arrival

    def _ask(self, step: Callable[[], Request]) -> None:
        try:
            self.request = step()
        except StopIteration as end:
            self.over, self.decision = True, end.value
            return
        self._reports = {}
        self.holds_frames = isinstance(self.request, Calculation) and self.request.holds
        if isinstance(self.request, list):
            self._urgent.extend(self.request)
        elif isinstance(self.request, Calculation):
            self._calculated = _in_thread(self.request.function)


def _in_thread(function: Callable[[], Any]) -> concurrent.futures.Future[Any]:
    """The result of a function in a thread that does not keep this process from ending."""
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def call() -> None:
        try:
            future.set_result(function())
        except Exception as error:  # noqa: BLE001 - raised where the result is taken
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future
