"""Repeats a task once whose worker crashed or whose job was lost."""

from __future__ import annotations

import concurrent.futures
import logging
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pebble import ProcessExpired

logger = logging.getLogger(__name__)

Submit = Callable[[Sequence[Any]], concurrent.futures.Future[list[Any]]]


class JobLostError(Exception):
    """The batch job in which a task was running is gone."""


class LostTwiceError(Exception):
    """The process of a task was lost, and that of its second try as well."""

    def __init__(self, last: BaseException) -> None:
        super().__init__(str(last))
        self.last = last  # what is known of the second one


class SecondTries:
    """Submits tasks, and resubmits a task once if its process or job is lost.

    Only a task that went alone is to blame, or might be; several that went together are for the caller to take apart.
    Those that were killed (signal 9), or lost with their job, are tried again one at a time: what ended them is mostly
    a want of memory, and two that need much of it are not to meet again.
    """

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._waiting: deque[tuple[Sequence[Any], concurrent.futures.Future[list[Any]]]] = deque()
        self._is_one_in_work = False
        self._lock = threading.Lock()

    def submit(self, tasks: Sequence[Any]) -> concurrent.futures.Future[list[Any]]:
        """Queue tasks for one process; the future returns their reports."""
        ours: concurrent.futures.Future[list[Any]] = concurrent.futures.Future()
        ours.set_running_or_notify_cancel()
        self._submit(tasks).add_done_callback(lambda done: self._tried_once(tasks, ours, done))
        return ours

    def _tried_once(
        self,
        tasks: Sequence[Any],
        ours: concurrent.futures.Future[list[Any]],
        done: concurrent.futures.Future[list[Any]],
    ) -> None:
        error = _error(done)
        if len(tasks) > 1 or not isinstance(error, ProcessExpired | JobLostError):
            _pass_on(done, ours)
            return
        logger.info("A process was lost while processing %s, which is tried once more.", tasks[0].frame)
        if getattr(error, "exitcode", -signal.SIGKILL) == -signal.SIGKILL:
            with self._lock:
                self._waiting.append((tasks, ours))
            self._next()
        else:
            self._try_again(tasks, ours, lambda: None)

    def _next(self) -> None:
        """Repeat one of the killed tasks, if none is being repeated."""
        with self._lock:
            if self._is_one_in_work or not self._waiting:
                return
            self._is_one_in_work = True
            tasks, ours = self._waiting.popleft()
        self._try_again(tasks, ours, self._one_is_done)

    def _one_is_done(self) -> None:
        with self._lock:
            self._is_one_in_work = False
        self._next()

    def _try_again(
        self, tasks: Sequence[Any], ours: concurrent.futures.Future[list[Any]], then: Callable[[], None]
    ) -> None:
        def tried(done: concurrent.futures.Future[list[Any]]) -> None:
            error = _error(done)
            if isinstance(error, ProcessExpired | JobLostError):
                ours.set_exception(LostTwiceError(error))
            else:
                _pass_on(done, ours)
            then()

        try:
            self._submit(tasks).add_done_callback(tried)
        except RuntimeError as error:  # the workers were stopped meanwhile
            ours.set_exception(error)
            then()


def _error(done: concurrent.futures.Future[list[Any]]) -> BaseException | None:
    return concurrent.futures.CancelledError() if done.cancelled() else done.exception()


def _pass_on(done: concurrent.futures.Future[list[Any]], ours: concurrent.futures.Future[list[Any]]) -> None:
    error = _error(done)
    if error is None:
        ours.set_result(done.result())
    else:
        ours.set_exception(error)
