"""A process that is asked one question, works within limits, and ends with whoever asked: ``MODULE MEGABYTES NAMES``.

The question is a line of JSON on standard input, which stays open: when it is closed nobody waits any more.  The answer
is lines of JSON on standard output, :class:`Line`; all but the last say how far the work is.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from iota.errors import IotaError

_TOLD_EVERY_S = 0.2

Limit = Literal["", "names", "memory"]


class Line(msgspec.Struct, omit_defaults=True):
    """What the process says."""

    progress: int | None = None  # e.g. images found so far
    answer: msgspec.Raw = msgspec.Raw(b"")
    sentence: str = ""  # why there is no answer
    over: Limit = ""  # the limit that was reached


class OverLimitError(Exception):
    """The work would go beyond a limit of what may be looked at."""


def answer_one(kind: Any, answer: Callable[[Any, Callable[[int], None], int], object]) -> None:
    """Answer the question on standard input and end the process.

    Args:
        kind: of the question.
        answer: makes the answer; is given the question, a function that takes how far it is, and the number of names
            that may be looked at, beyond which it raises OverLimitError.
    """
    n_bytes, n_names = int(float(sys.argv[1]) * 1e6), int(sys.argv[2])
    question = msgspec.json.decode(sys.stdin.buffer.readline(), type=kind)
    threading.Thread(target=_end_with_asker, daemon=True).start()
    os.nice(10)  # images and pages come first
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (n_bytes if most < 0 else min(n_bytes, most), most))
    try:
        line = Line(answer=msgspec.Raw(msgspec.json.encode(answer(question, _teller(), n_names))))
    except OverLimitError:
        line = Line(over="names")
    except MemoryError:
        line = Line(over="memory")
    except IotaError as error:
        line = Line(sentence=str(error))
    _say(line)
    os._exit(0)  # a million names need not be cleared away one by one


def _teller() -> Callable[[int], None]:
    told = 0.0

    def tell(progress: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _TOLD_EVERY_S:
            told = now
            _say(Line(progress=progress))

    return tell


def _say(line: Line) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def _end_with_asker() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)
