"""Ends a command when its output is no longer read, as in ``iota.export --parameters | head -1``."""

from __future__ import annotations

import functools
import os
import select
import sys
from collections.abc import Callable
from typing import ParamSpec

EXIT_STATUS = 141  # what a shell says of a program that the signal SIGPIPE ended

P = ParamSpec("P")


def ends_on_broken_pipe(main: Callable[P, int]) -> Callable[P, int]:
    """Make a command end silently when its output is no longer read; every ``main`` has this decorator.

    SIGPIPE keeps its meaning for Python: it would also end a server whose browser is closed.
    """

    @functools.wraps(main)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            try:
                return main(*args, **kwargs)
            finally:
                sys.stdout.flush()  # now, not when Python ends and can only complain
        except BrokenPipeError:
            if not _is_output_broken():
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the rest goes
            return EXIT_STATUS

    return wrapped


def _is_output_broken() -> bool:
    """Whether the broken pipe is our output, not a pipe to another process."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    return bool(output.poll(0))  # asked for nothing, it tells of errors only
