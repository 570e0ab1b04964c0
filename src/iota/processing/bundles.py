"""Decides how many frames are sent to a worker at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from iota.engine.frame.bundle import LONGEST_S, is_blank
from iota.records import FrameRef, FrameResult, Report

_MAX = 50


class Bundles:
    """One frame at a time, and more as long as only quick blanks are returned.

    A frame after which a worker's process ended goes alone, and so do those that were bundled with it: which of them it
    was is not known.
    """

    def __init__(self, n_processes: int) -> None:
        self._n_processes = n_processes
        self._size = 1
        self._alone: set[FrameRef] = set()

    def take(self, waiting: deque[FrameRef], *, newest_first: bool = False) -> list[FrameRef]:
        """Take the frames for one worker from the front or the end of a queue, leaving enough for the others."""
        size = max(1, min(self._size, len(waiting) // (2 * self._n_processes)))
        frames: list[FrameRef] = []
        while waiting and len(frames) < size:
            is_alone = waiting[-1 if newest_first else 0] in self._alone
            if is_alone and frames:
                break
            frames.append(waiting.pop() if newest_first else waiting.popleft())
            if is_alone:
                self._alone.remove(frames[0])
                break
        return frames

    def came_back(self, n_taken: int, reports: Sequence[Report]) -> None:
        """Adapt the size to the reports of a bundle: a worker that ran out of time reports only its first frames."""
        blanks = [report for report in reports if is_blank(report)]
        if len(blanks) < len(reports):
            self._size = 1
        elif len(reports) < n_taken:
            self._size = min(self._size, len(reports))
        elif _seconds(reports) / n_taken * (n_taken + 1) <= LONGEST_S:
            self._size = max(self._size, min(n_taken + 1, _MAX))

    def failed(self, frames: Iterable[FrameRef]) -> None:
        """Mark these frames to be processed one by one when they are taken again."""
        self._alone.update(frames)
        self._size = 1


def put_back(waiting: deque[FrameRef], frames: Sequence[FrameRef], *, newest_first: bool = False) -> None:
    """Undo :meth:`Bundles.take` for frames of it."""
    if newest_first:
        waiting.extend(reversed(frames))
    else:
        waiting.extendleft(reversed(frames))


def _seconds(reports: Iterable[Report]) -> float:
    """Time that workers spent on frames."""
    return sum(sum(report.seconds.values()) for report in reports if isinstance(report, FrameResult))
