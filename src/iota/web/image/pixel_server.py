"""Starts the helper processes that open images for the server, and sends them requests.

An image that crashes or hangs its helper costs that request and nothing else: the helper is replaced, and a request
whose helper ended is tried once more, since others may have killed it.  There are two, so that a slow file does not
hold up the others.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import msgspec

from iota.engine.questions import PIXELS, ImageRequest
from iota.errors import IotaError, NotFoundError, RunFolderError
from iota.processes.question import AnsweringProcess, BusyError, CrashError, NoAnswerError

logger = logging.getLogger(__name__)

_N_HELPERS = 2
_PATIENCE_S = 0.5  # for the helper that has an image in memory, before the other one opens it as well
_IDLE_S = 120.0  # after which memory counts for more than the seconds in which DIALS is loaded again
_QUEUE_S = 90.0  # in which one of the helpers has to become free
_TO_TIDY_S = 1.0  # for a helper that is not at work
_REFUSALS: dict[str, type[IotaError]] = {error.__name__: error for error in (NotFoundError, RunFolderError)}


class PixelServer:
    """Helper processes, started when they are first needed."""

    def __init__(self, *, limit_s: float = PIXELS.seconds, idle_s: float = _IDLE_S) -> None:
        """Start nothing yet.

        Args:
            limit_s: time for one request, after which its helper is taken to hang.
            idle_s: time without a request, after which helpers end: each keeps 500 MB of pixels.
        """
        self._idle_s = idle_s
        self._idle: threading.Timer | None = None
        self._helpers = [_Helper(limit_s) for _ in range(_N_HELPERS)]
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
            NotFoundError: there is no such file, image, panel or pixel.
            RunFolderError: files of the run cannot be read.
            NoAnswerError: it could not be done, two helpers crashed, one hung, or none was free; the text says why.
        """
        request = ImageRequest(do, given)
        try:
            try:
                answer, body = self._ask_one(about, request)
            except CrashError:
                answer, body = self._ask_one(about, request)
        except NoAnswerError as error:
            if error.refused_as in _REFUSALS:
                raise _REFUSALS[error.refused_as](str(error)) from error
            raise
        return msgspec.json.decode(answer), body

    def _ask_one(self, about: Hashable, request: ImageRequest) -> tuple[msgspec.Raw, bytes]:
        helper = self._take(about)
        try:
            return helper.process.ask(request)
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
                    raise BusyError("The server is shutting down.")
                free = [helper for helper in self._helpers if helper.is_free]
                knows = [helper for helper in self._helpers if about is not None and about in helper.seen]
                waited = time.monotonic() - start
                chosen = next((helper for helper in knows if helper.is_free), None)
                if chosen is None and free and (not knows or waited > _PATIENCE_S):
                    chosen = max(free, key=lambda helper: helper.process.is_running)
                if chosen is not None:
                    chosen.take(about)
                    return chosen
                if waited > _QUEUE_S:
                    raise BusyError("Other images are still being read. Try again in a minute.")
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
                    helper.process.end(_TO_TIDY_S)

    def close(self) -> None:
        """End the helpers, for good."""
        with self._changed:
            self._is_closed = True
            if self._idle is not None:
                self._idle.cancel()
            self._changed.notify_all()
        for helper in self._helpers:
            if helper.is_free:
                helper.process.end(_TO_TIDY_S)
            else:
                helper.process.kill()  # whoever waits for it clears it away


class _Helper:
    """One process, and which images it may have in memory; used by one thread at a time."""

    def __init__(self, limit_s: float) -> None:
        self.is_free = True
        self.seen: list[Hashable] = []  # images that it was asked about last
        self.process = AnsweringProcess(replace(PIXELS, seconds=limit_s))

    def take(self, about: Hashable) -> None:
        """Reserve it for a request about an image."""
        self.is_free = False
        if not self.process.is_running:
            self.seen = []
        if about is not None:
            self.seen = [*[known for known in self.seen if known != about][-7:], about]
