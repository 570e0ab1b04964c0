"""The process that answers questions: ``python -m iota.processes.answering MODULE:FUNCTION MEGABYTES NICE``.

Questions are lines of JSON on standard input. When this is closed, nobody waits for an answer any more, and the process
ends at once, even if it is busy.
"""

from __future__ import annotations

import logging
import os
import pkgutil
import resource
import signal
import sys
import threading
import time
from queue import SimpleQueue
from typing import Any, BinaryIO, get_type_hints

import msgspec

from iota.errors import IotaError
from iota.processes.protocol import OverLimitError, Reply, Tell, WithBytes, packed

_TOLD_EVERY_S = 0.2
_TO_TIDY_S = 5.0  # to end in good order; then it is ended whatever it does

logger = logging.getLogger(__name__)


def main() -> None:
    """Answer one question after the other until standard input is closed."""
    function, megabytes = sys.argv[1], int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not end up among the answers
    os.nice(int(sys.argv[3]))
    logging.basicConfig(level=logging.WARNING)
    if megabytes:
        _limit_memory(int(megabytes * 1e6))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    questions: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(questions,), daemon=True).start()
    while True:
        reply, body = _answer(function, questions.get(), _progress_sender(answers), megabytes)
        _send(answers, reply, body)


def _listen(questions: SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        questions.put(line)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_TO_TIDY_S)
    os._exit(1)


def _limit_memory(n_bytes: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (n_bytes if most < 0 else min(n_bytes, most), most))


def _answer(name: str, line: bytes, tell: Tell, megabytes: int) -> tuple[Reply, bytes]:
    """Answer a question; any failure becomes a message."""
    try:
        function = pkgutil.resolve_name(name)
        question = msgspec.json.decode(line, type=next(iter(get_type_hints(function).values())))
        found: Any = function(question, tell)
        answer, body = found if isinstance(found, WithBytes) else (found, b"")
        return Reply(answer=msgspec.Raw(msgspec.json.encode(answer))), body
    except OverLimitError as error:
        return Reply(over=f"at {error}"), b""
    except MemoryError:
        return Reply(over=f"at {megabytes} MB of memory" if megabytes else "because there is no more memory"), b""
    except IotaError as error:
        return Reply(refusal=str(error), refused_as=type(error).__name__), b""
    except Exception as error:  # the border around a question
        logger.exception("%s failed", name)
        return Reply(failure=" ".join(f"{type(error).__name__}: {error}".split())), b""


def _progress_sender(answers: BinaryIO) -> Tell:
    told = 0.0

    def tell(progress: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _TOLD_EVERY_S:
            told = now
            _send(answers, Reply(progress=progress))

    return tell


def _send(answers: BinaryIO, reply: Reply, body: bytes = b"") -> None:
    try:
        answers.write(packed(reply, body))
        answers.write(body)
        answers.flush()
    except OSError:  # nobody listens any more
        sys.exit(1)


if __name__ == "__main__":
    main()
