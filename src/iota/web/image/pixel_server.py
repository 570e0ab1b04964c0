"""The helper processes that open images for the server, and what they are asked.

An image that crashes or hangs its helper costs that request and nothing else: the helper is replaced, and a request
whose helper ended is tried once more, since others may have killed it.  There are two, so that a slow file does not
hold up the others.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Hashable
from typing import Any

import msgspec

from iota.errors import IotaError, UsageError
from iota.installation import python
from iota.messages import Reply, Request, read_message, write_message

logger = logging.getLogger(__name__)

_N_HELPERS = 2
_PATIENCE_S = 0.5  # for the helper that has an image in memory, before the other one opens it as well
_LIMIT_S = 60.0  # for one request
_IDLE_S = 600.0  # after which memory counts for more than the seconds in which DIALS is loaded again
_QUEUE_S = 90.0  # in which one of the helpers has to become free


class PixelsError(IotaError):
    """The image cannot be dealt with; the text is a sentence."""


class _EndedError(PixelsError):
    """The helper ended before it had answered."""


class PixelServer:
    """Helper processes, started when they are first needed."""

    def __init__(self, *, limit_s: float = _LIMIT_S, idle_s: float = _IDLE_S) -> None:
        """Start nothing yet.

        Args:
            limit_s: time for one request, after which its helper is taken to hang.
            idle_s: time without a request, after which helpers end: each keeps 500 MB of pixels.
        """
        self._limit_s, self._idle_s = limit_s, idle_s
        self._idle: threading.Timer | None = None
        self._helpers = [_Helper(), _Helper()][:_N_HELPERS]
        self._changed = threading.Condition()
        self._is_closed = False

    def warm_up(self) -> None:
        """Start a helper, so that the first image does not wait for it; returns at once."""
        threading.Thread(target=self._warm_up, daemon=True, name="pixels").start()

    def _warm_up(self) -> None:
        try:
            self.ask("warm")
        except IotaError as error:
            logger.warning("%s", error)

    def ask(self, do: str, *, about: Hashable = None, **given: Any) -> tuple[Any, bytes]:
        """Have something done and wait for it.

        Args:
            do: what; a method of :class:`iota.engine.viewer.pixels.Pixels`.
            about: the image, so that the helper that has it in memory is preferred.
            given: arguments of the method.

        Raises:
            UsageError: it could not be done; the text says why.
            PixelsError: two helpers crashed, or one hung.
        """
        try:
            reply, body = self._ask_one(about, Request(do, given))
        except _EndedError:
            reply, body = self._ask_one(about, Request(do, given))
        if reply.error:
            raise UsageError(reply.error)
        return reply.result, body

    def _ask_one(self, about: Hashable, request: Request) -> tuple[Reply, bytes]:
        helper = self._take(about)
        try:
            return helper.ask(request, self._limit_s)
        finally:
            with self._changed:
                helper.is_free = True
                self._rest_later()
                self._changed.notify_all()

    def _take(self, about: Hashable) -> _Helper:
        """Wait for a helper; the one that knows the image is given half a second to become free."""
        start = time.monotonic()
        with self._changed:
            while True:
                if self._is_closed:
                    raise PixelsError("The server ends.")
                free = [helper for helper in self._helpers if helper.is_free]
                knows = [helper for helper in self._helpers if about is not None and about in helper.seen]
                waited = time.monotonic() - start
                chosen = next((helper for helper in knows if helper.is_free), None)
                if chosen is None and free and (not knows or waited > _PATIENCE_S):
                    chosen = max(free, key=lambda helper: helper.is_running)
                if chosen is not None:
                    chosen.take(about)
                    return chosen
                if waited > _QUEUE_S:
                    raise PixelsError("All helpers are at work on slow images. Try again in a minute.")
                self._changed.wait(_PATIENCE_S if free else 1.0)

    def _rest_later(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if not self._is_closed:
            self._idle = threading.Timer(self._idle_s, self._rest)
            self._idle.daemon = True
            self._idle.start()

    def _rest(self) -> None:
        with self._changed:
            for helper in self._helpers:
                if helper.is_free:
                    helper.end()

    def close(self) -> None:
        """End the helpers, for good."""
        with self._changed:
            self._is_closed = True
            if self._idle is not None:
                self._idle.cancel()
            self._changed.notify_all()
        for helper in self._helpers:
            helper.end()


class _Helper:
    """One process; used by one thread at a time."""

    def __init__(self) -> None:
        self.is_free = True
        self.seen: list[Hashable] = []  # images that it was asked about last
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def take(self, about: Hashable) -> None:
        """Reserve it for a request about an image."""
        self.is_free = False
        if about is not None:
            self.seen = [*[known for known in self.seen if known != about][-7:], about]

    def ask(self, request: Request, limit_s: float) -> tuple[Reply, bytes]:
        process = self._started()
        if process.stdin is None or process.stdout is None:
            raise PixelsError("The process that opens images has no pipes.")
        is_late = threading.Event()

        def give_up() -> None:
            is_late.set()
            process.kill()

        watch = threading.Timer(limit_s, give_up)
        watch.start()
        try:
            write_message(process.stdin, request)
            return read_message(process.stdout, Reply)
        except (OSError, EOFError, ValueError, msgspec.DecodeError) as error:
            self.end()
            if is_late.is_set():
                raise PixelsError(f"The image was not dealt with in {limit_s:g} s, so that was given up.") from error
            logger.warning("A process that opens images ended: %s", error or "no answer")
            raise _EndedError("DIALS crashed on this image; the server and its other pages go on.") from error
        finally:
            watch.cancel()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.seen = self.seen[-1:]
            try:
                self._process = subprocess.Popen(
                    [*python(), "-m", "iota.engine.viewer.pixels"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                raise PixelsError(f"The process that opens images cannot be started: {error.strerror}.") from error
        return self._process

    def end(self) -> None:
        process, self._process = self._process, None
        self.seen = []
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not yet written has nobody to read it
                    continue
