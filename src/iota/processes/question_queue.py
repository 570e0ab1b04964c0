"""Questions that many may ask at the same time: a few are answered at once, the others are queued."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

from iota.processes import awaiting
from iota.processes.protocol import Tell
from iota.processes.question import Answer, Asked, BusyError, Question

_MAX_WAITING = 10  # for each that is at work


class QuestionQueue:
    """A queue for questions, each with a separate process."""

    def __init__(self, at_once: int) -> None:
        """Start with an empty queue.

        Args:
            at_once: processes at the same time.
        """
        self._at_once = at_once
        self._n_at_work = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def ask(self, question: Question[Asked, Answer], asked: Asked, progress: Tell | None = None) -> Answer:
        """Get the answer to a question; the process ends when the waiting task is cancelled.

        Raises:
            NoAnswerError: there is no answer, or too many others wait already.
        """
        async with self._slot():
            return await awaiting.ask(question, asked, progress)

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Wait until fewer than the maximum number are running."""
        if self._n_at_work >= self._at_once:
            if len(self._waiting) >= _MAX_WAITING * self._at_once:
                raise BusyError(f"{len(self._waiting)} others are already waiting. Try again in a minute.")
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter  # whoever ends hands its turn on, so the number at work stays
            except asyncio.CancelledError:
                if not waiter.cancelled():  # its turn had just come
                    self._release()
                elif waiter in self._waiting:
                    self._waiting.remove(waiter)
                raise
        else:
            self._n_at_work += 1
        try:
            yield
        finally:
            self._release()

    def _release(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._n_at_work -= 1


class Cancelled(Exception):  # noqa: N818 - a person's wish, not an error
    """The answer is no longer wanted."""


class Latest:
    """One question at a time for one part of a page: a new question ends the previous one."""

    def __init__(self, queue: QuestionQueue) -> None:
        self._queue = queue
        self._task: asyncio.Task[object] | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether an answer is being awaited."""
        return self._task is not None

    def cancel(self) -> None:
        """End the work on the question."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def ask(self, question: Question[Asked, Answer], asked: Asked, progress: Tell | None = None) -> Answer:
        """Get the answer to a question, as :meth:`QuestionQueue.ask`.

        Raises:
            Cancelled: it was cancelled, or another one was asked.
            NoAnswerError: as there.
        """
        self.cancel()
        task = asyncio.create_task(self._queue.ask(question, asked, progress))
        self._task = task
        try:
            return await task
        except asyncio.CancelledError:
            if self._task is task:  # whoever waits here is to end
                raise
            raise Cancelled from None
        finally:
            if self._task is task:
                self._task = None
