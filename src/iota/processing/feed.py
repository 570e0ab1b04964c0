"""Feeds arriving images to a run in monitor mode, and follows those that are moved before they are read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol

from iota.inputs import Watcher
from iota.params import Parameters
from iota.records import FrameRef, FrameResult

logger = logging.getLogger(__name__)

_POLL_EVERY_S = 0.2
_POLL_SOON_S = 0.1  # while files are not complete, or must settle
_POLL_PAUSE_FACTOR = 5  # a poll is followed by so many times its duration without one, up to that time
_MOVED_TIMEOUT_S = 60.0  # for a file that was there and is gone: a disk may be away
_LAST_TIMEOUT_S = 5.0  # the same when no more images are wanted


class _Unread(NamedTuple):
    """A record of an image whose file was moved before it was read."""

    result: FrameResult
    since: float


class Arrived(Protocol):
    """Receives the images that arrive."""

    def __call__(self, frames: Sequence[FrameRef], moved: Sequence[FrameResult] = ()) -> None:
        """Receive images before they are processed; some of them are those of ``moved`` under new names."""


class WatchFeed:
    """Supplies new images until none has arrived for a while, or until told that none will."""

    def __init__(
        self,
        watcher: Watcher,
        arrived: Arrived,
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
        self._last_image = self._next_poll = time.monotonic()
        self._n_told = 0  # problems of the watcher that are in the log
        self._unread: dict[FrameRef, _Unread] = {}
        self._overdue: list[FrameResult] = []
        self._is_ending = False

    @property
    def closed(self) -> bool:
        """Whether no more images will arrive."""
        return self._is_ending and not self._unread and not self._overdue

    def take(self, result: FrameResult) -> bool:
        """Whether a record counts.

        False: the file was moved before it was read. It comes again, under its new name, or the record does from
        :meth:`overdue`.
        """
        if self._watcher.was_read(result):
            return True
        self._unread[result.frame] = _Unread(result, time.monotonic())
        self._watcher.mark_unread(result.frame)
        return False

    def overdue(self) -> Sequence[FrameResult]:
        """Records of images whose files were gone before they were read, and were not found again for a while."""
        results, self._overdue = self._overdue, []
        return results

    def poll(self) -> Sequence[FrameRef]:
        """Frames that are new since the last call; looks at most ten times per second."""
        now = time.monotonic()
        if self.closed or now < self._next_poll:
            return ()
        found = self._watcher.poll()
        after = time.monotonic()
        pause_s = _POLL_SOON_S if self._watcher.pending else _POLL_EVERY_S
        self._next_poll = max(now + pause_s, after + min(_POLL_EVERY_S, _POLL_PAUSE_FACTOR * (after - now)))
        for problem in self._watcher.problems[self._n_told :]:
            logger.warning("%s", problem.text)
        self._n_told = len(self._watcher.problems)
        frames = self._come(found)
        self._give_up(now)
        if frames:
            self._last_image = now
        elif not self._watcher.pending and not self._is_ending:
            quiet = now - self._last_image
            self._is_ending = self._is_to_finish() or (self._time_out_s is not None and quiet >= self._time_out_s)
            if self._is_ending and (frames := self._watcher.end()):
                self._arrived(frames)
        return frames

    def _come(self, found: Sequence[FrameRef]) -> list[FrameRef]:
        """Report new frames and return them: at the end, only images found before that could not be read."""
        renamed, self._watcher.renamed = self._watcher.renamed, {}
        again = {new: self._unread.pop(old).result for old, new in renamed.items() if old in self._unread}
        frames = [frame for frame in found if not self._is_ending or frame in again or frame in self._unread]
        moved = []
        for new, result in again.items():
            if new != result.frame:
                moved.append(result)
                logger.info("%s was moved before it was read: it is %s now.", result.frame, new)
        new_frames = [frame for frame in frames if frame not in self._unread and not _is_same(frame, again)]
        for frame in frames:
            self._unread.pop(frame, None)  # another file has its name
        if new_frames or moved:
            self._arrived(new_frames, moved)
        return frames

    def _give_up(self, now: float) -> None:
        timeout_s = _LAST_TIMEOUT_S if self._is_ending else _MOVED_TIMEOUT_S
        for frame, (result, since) in list(self._unread.items()):
            if now - since < timeout_s:
                break  # those that follow are younger
            del self._unread[frame]
            self._watcher.drop_unread(frame)
            self._overdue.append(result)


def _is_same(frame: FrameRef, again: dict[FrameRef, FrameResult]) -> bool:
    """Whether a frame was found again under the same name."""
    return frame in again and again[frame].frame == frame


def watch_feed(
    parameters: Parameters,
    frames: Sequence[FrameRef],
    recorded: Container[FrameRef],
    files_read: AbstractSet[int],
    arrived: Arrived,
    is_to_finish: Callable[[], bool],
) -> WatchFeed | None:
    """What brings more images in monitor mode; None otherwise.

    Args:
        parameters: of the run.
        frames: that the run has already.
        recorded: those of them that have a record.
        files_read: keys of the files of these (:func:`iota.inputs.watching.seen.key_of`).
        arrived: see :class:`WatchFeed`.
        is_to_finish: likewise.
    """
    gui = parameters.values.gui
    if not gui.monitor_mode:
        return None
    watcher = Watcher(
        parameters.inputs,
        rest_s=gui.monitor_mode_incomplete_after,
        already=frames,
        unread=[frame for frame in frames if frame not in recorded],
        read=files_read,
        geometry=parameters.values.image_import.crystfel_geometry,
    )
    time_out_s = gui.monitor_mode_timeout_length if gui.monitor_mode_timeout else None
    return WatchFeed(watcher, arrived, is_to_finish, time_out_s)
