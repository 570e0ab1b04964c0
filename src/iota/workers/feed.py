"""Images that arrive while a run goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from iota.inputs import Watcher
from iota.records import FrameRef

logger = logging.getLogger(__name__)

_POLL_EVERY_S = 0.25


class WatchFeed:
    """Brings new images until none came for a while, or somebody says that none will."""

    def __init__(
        self,
        watcher: Watcher,
        arrived: Callable[[Sequence[FrameRef]], None],
        is_to_finish: Callable[[], bool],
        time_out_s: float | None = None,
    ) -> None:
        """Start watching.

        Args:
            watcher: looks for images.
            arrived: is told of each batch before anybody processes it.
            is_to_finish: whether somebody has ordered the end of watching.
            time_out_s: end when no image came for so long (s); None for never.
        """
        self._watcher = watcher
        self._arrived = arrived
        self._is_to_finish = is_to_finish
        self._time_out_s = time_out_s
        self._last_image = self._last_poll = time.monotonic()
        self._polled = False
        self._n_told = 0  # problems of the watcher that are in the log
        self.closed = False

    def poll(self) -> Sequence[FrameRef]:
        """Frames that are new since the last call; asks no more than four times a second."""
        now = time.monotonic()
        if self.closed or (self._polled and now - self._last_poll < _POLL_EVERY_S):
            return ()
        self._polled, self._last_poll = True, now
        frames = self._watcher.poll()
        for problem in self._watcher.problems[self._n_told :]:
            logger.warning("%s", problem.text)
        self._n_told = len(self._watcher.problems)
        if frames:
            self._last_image = now
            self._arrived(frames)
        elif not self._watcher.pending:
            quiet = now - self._last_image
            self.closed = self._is_to_finish() or (self._time_out_s is not None and quiet >= self._time_out_s)
            if self.closed and (frames := self._watcher.end()):
                self._arrived(frames)
        return frames
