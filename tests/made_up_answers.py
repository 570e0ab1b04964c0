"""Functions that answer questions in processes of their own, well and badly."""

import os
import sys
import tempfile
import time

from iota.errors import UsageError
from iota.processes.protocol import OverLimitError, Tell, WithBytes

KEPT = []


def double(question: int, tell: Tell) -> int:
    os.write(1, b"a library says what it is loading\n")
    print("and so does another")
    tell(1)
    return 2 * question


def process_id(question: int, tell: Tell) -> int:
    return os.getpid()


def with_bytes(question: str, tell: Tell) -> WithBytes:
    return WithBytes(len(question), question.encode() * 100)


def refuse(question: int, tell: Tell) -> int:
    raise UsageError(f"{question} is too odd.")


def look_too_far(question: int, tell: Tell) -> int:
    tell(question)
    raise OverLimitError(f"{question:,} names")


def fail(question: int, tell: Tell) -> int:
    raise KeyError("nothing of this name")


def crash(question: int, tell: Tell) -> int:
    sys.stderr.write("cannot open libboost\n")
    sys.stderr.flush()
    os.kill(os.getpid(), question)
    time.sleep(60)
    return 0


def leave(question: int, tell: Tell) -> int:
    os._exit(question)


def babble(question: int, tell: Tell) -> int:
    os.write(3, b"\xff" * 100)  # among the answers
    time.sleep(60)
    return 0


def say_text(question: int, tell: Tell) -> str:
    return "four"


def take_memory(question: int, tell: Tell) -> int:
    return len(bytearray(question))


def hang(question: str, tell: Tell) -> int:
    """Make a folder that is removed when the process ends in good order, and name it in a file, if one is given."""
    KEPT.append(tempfile.TemporaryDirectory())
    if question:
        with open(question, "w") as file:
            file.write(f"{os.getpid()} {KEPT[0].name}\n")
    time.sleep(60)
    return 0


def think(question: dict, tell: Tell) -> int:
    time.sleep(60)
    return 0
