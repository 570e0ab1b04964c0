"""Reports of tasks whose worker ended without one."""

from __future__ import annotations

import concurrent.futures
import signal

from iota.causes import Cause, why
from iota.engine.frame.worker import failed
from iota.records import Report, Task
from iota.workers.second_try import LostTwiceError


def failure_report(task: Task, error: BaseException) -> Report:
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
