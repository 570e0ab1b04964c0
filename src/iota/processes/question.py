"""A typed question answered by a separate process, within limits of time and memory; a crash costs only that question.

A question is defined once, in the package that answers it, in a module that does not load what the answer needs. The
asking process imports the definition.
"""

from __future__ import annotations

import logging
import os
import select
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Generic, TypeVar

import msgspec

from iota.errors import UsageError
from iota.processes import answering
from iota.processes.protocol import SIZES, Reply, Tell, sizes
from iota.processes.starting import how_it_ended, python

logger = logging.getLogger(__name__)

_REAPED_WITHIN_S = 2.0  # a process that hangs in a file system which does not answer cannot be ended by anybody
_KEPT_LINES = 100  # of what a process writes to standard error

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class NoAnswerError(UsageError):
    """A question has no answer: it was refused, or a limit was reached; the text is a sentence."""

    def __init__(self, text: str, refused_as: str = "") -> None:
        super().__init__(text)
        self.refused_as = refused_as  # name of the class, in iota.errors, of the error with which it was refused


class CrashError(NoAnswerError):
    """The process ended before it had answered."""


class FailureError(NoAnswerError):
    """The process failed in an unexpected way."""


class LateError(NoAnswerError):
    """The answer took too long."""


class BusyError(NoAnswerError):
    """Too many others are waiting for answers."""


@dataclass(frozen=True)
class Question(Generic[Asked, Answer]):
    """A kind of question, and the limits within which it is answered."""

    function: str  # that answers, as module:name; is given the question and a :data:`Tell`
    asked: type[Asked]
    answered: type[Answer]
    work: str  # what the process does, as the beginning of a sentence
    seconds: float  # for one answer
    advice: str = ""  # what to do if there is none
    megabytes: int = 0  # memory of the process; 0 for no limit
    counted: str = ""  # what is told on the way: "images"
    nice: int = 0  # others come first

    def ask(self, asked: Asked, progress: Tell | None = None) -> Answer:
        """Get the answer to a question from a new process, and wait for it.

        Args:
            asked: the question.
            progress: is told now and then how far the work is.

        Raises:
            NoAnswerError: there is no answer.
        """
        process = AnsweringProcess(self)
        try:
            return process.ask(asked, progress)[0]
        finally:
            process.end()

    def ended(self, why: str, progress: float = 0) -> str:
        """Sentence on work that was ended."""
        found = f"; {progress:,.0f} {self.counted} were found by then" if progress and self.counted else ""
        return f"{self.work} was ended {why}{found}. {self.advice}".rstrip()


class AnsweringProcess(Generic[Asked, Answer]):
    """A process that answers questions of one kind, one after the other. Used by one thread at a time."""

    def __init__(self, question: Question[Asked, Answer]) -> None:
        self._question = question
        self._process: subprocess.Popen[bytes] | None = None
        self._words: deque[str] = deque(maxlen=_KEPT_LINES)
        self._listener = threading.Thread()

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.poll() is None

    def ask(self, asked: Asked, progress: Tell | None = None) -> tuple[Answer, bytes]:
        """Get the answer to a question, and the bytes that follow it.

        Raises:
            NoAnswerError: there is no answer.
        """
        self.start()
        return self.wait_for(asked, progress)

    def start(self) -> None:
        """Start the process if it is not running; does not wait for it.

        Raises:
            NoAnswerError: it cannot be started.
        """
        if self.is_running:
            return
        self.end()
        question = self._question
        command = [*python(), "-m", answering.__name__, question.function, str(question.megabytes), str(question.nice)]
        try:
            self._process = process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C in the asker's terminal is the asker's business
            )
        except OSError as error:
            raise NoAnswerError(f"{question.work} cannot be started: {error.strerror}. Try again later.") from error
        os.set_blocking(_there(process.stdin).fileno(), False)
        self._words = deque(maxlen=_KEPT_LINES)
        self._listener = threading.Thread(target=_listen, args=(process.stderr, self._words), daemon=True)
        self._listener.start()

    def wait_for(self, asked: Asked, progress: Tell | None = None) -> tuple[Answer, bytes]:
        """Ask the process, which was started. See :meth:`ask`."""
        question, reached = self._question, 0.0
        try:
            process = _there(self._process)
            pipes = _Pipes(_there(process.stdin), _there(process.stdout), time.monotonic() + question.seconds)
            pipes.write(msgspec.json.encode(asked) + b"\n")
            while True:
                reply, body = pipes.read()
                if reply.progress is None:
                    break
                reached = reply.progress
                if progress is not None:
                    progress(reached)
            if not (reply.over or reply.refusal or reply.failure):
                return msgspec.json.decode(reply.answer, type=question.answered), body
        except TimeoutError:
            self.end()
            raise LateError(question.ended(f"after {question.seconds:g} s", reached)) from None
        except (OSError, EOFError, ValueError, msgspec.MsgspecError) as error:
            raise CrashError(self._crashed(error)) from error
        if reply.refusal:
            raise NoAnswerError(reply.refusal, reply.refused_as)
        if reply.over:
            raise NoAnswerError(question.ended(reply.over, reached))
        self._log()
        raise FailureError(f"{question.work} failed ({reply.failure}). {question.advice}".rstrip())

    def _crashed(self, error: Exception) -> str:
        """Sentence on a process that ended without a readable message."""
        process, has_ended = self._process, isinstance(error, OSError | EOFError)
        self.end(1.0 if has_ended else 0.0)  # so that its own status is known
        self._listener.join(1.0)
        self._log()
        status = None if process is None else process.returncode
        how = "its answer cannot be read" if status is None or not has_ended else f"its process {how_it_ended(status)}"
        last = f": {self._words[-1].rstrip('.')}" if self._words else ""
        return f"{self._question.work} has no result because {how}{last}. {self._question.advice}".rstrip()

    def _log(self) -> None:
        if self._words:
            logger.warning("%s: %s", self._question.work, "\n".join(self._words))

    def kill(self) -> None:
        """Kill it at once, even if its answer is awaited."""
        process = self._process
        if process is not None:
            process.kill()

    def end(self, patience_s: float = 0.0) -> None:
        """End the process if there is one, and wait until it is gone.

        Args:
            patience_s: in which it can end by itself, and tidy up.
        """
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):  # what was not yet written has nobody to read it
            _there(process.stdin).close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_REAPED_WITHIN_S)
        _there(process.stdout).close()


class _Pipes:
    """Both pipes of a process until a deadline, on the clock ``time.monotonic``, after which TimeoutError is raised."""

    def __init__(self, write_to: IO[bytes], read_from: IO[bytes], deadline: float) -> None:
        self._in, self._out, self._deadline = write_to.fileno(), read_from.fileno(), deadline

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            self._wait(self._in, select.POLLOUT)
            left = left[os.write(self._in, left) :]

    def read(self) -> tuple[Reply, bytes]:
        n_text, n_body = sizes(self._exactly(SIZES.size))
        return msgspec.json.decode(self._exactly(n_text), type=Reply), self._exactly(n_body)

    def _exactly(self, n: int) -> bytes:
        data = bytearray()
        while len(data) < n:
            self._wait(self._out, select.POLLIN)
            piece = os.read(self._out, min(n - len(data), 1 << 20))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def _wait(self, pipe: int, event: int) -> None:
        poll = select.poll()
        poll.register(pipe, event)
        left_ms = max(0, int(1000 * (self._deadline - time.monotonic())))
        if not poll.poll(left_ms):
            raise TimeoutError


def _there(thing: Answer | None) -> Answer:
    assert thing is not None
    return thing


def _listen(pipe: IO[bytes], words: deque[str]) -> None:
    with pipe:
        for line in pipe:
            if text := line.decode(errors="replace").rstrip():
                words.append(text)
