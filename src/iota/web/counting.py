"""Counting the images of inputs while the page stays responsive: with progress, and it can be cancelled."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from iota.inputs import Inputs, find_frames

_TELL_EVERY_S = 0.2
_LISTED_ALONE = 20  # a pasted list of more paths than this becomes a list file


class Cancelled(Exception):  # noqa: N818 - a person's wish, not an error
    """Somebody does not want to wait for the count any more."""


class Counter:
    """One count at a time; a new one ends the one before."""

    def __init__(self) -> None:
        self._number = 0

    @property
    def number(self) -> int:
        """Of the present count."""
        return self._number

    def cancel(self) -> None:
        """End the count that is going on."""
        self._number += 1

    async def count(
        self, paths: Sequence[str], folder: Path, progress: Callable[[int], None], geometry: str = ""
    ) -> Inputs:
        """Find the frames of all paths.

        Args:
            paths: as people type them; relative ones begin in ``folder``.
            folder: absolute.
            progress: called in the event loop, with the number of frames so far.
            geometry: CrystFEL geometry of the images, if it is not among the paths.

        Raises:
            Cancelled: it was cancelled, or another count has begun.
        """
        self._number += 1
        mine, loop = self._number, asyncio.get_running_loop()
        told = time.monotonic()

        def tell(n_frames: int) -> None:  # in the thread
            nonlocal told
            if self._number != mine:
                raise Cancelled
            now = time.monotonic()
            if now - told >= _TELL_EVERY_S:
                told = now
                loop.call_soon_threadsafe(progress, n_frames)

        named = [in_folder(path, folder) for path in paths]
        given = in_folder(geometry, folder) if geometry else None
        found = await asyncio.to_thread(find_frames, named, geometry=given, progress=tell)
        if self._number != mine:
            raise Cancelled
        return found


def in_folder(path: str, folder: Path) -> str:
    """A path as it was typed, made absolute from a folder; wildcards stay."""
    return os.path.join(folder, os.path.expanduser(path))  # noqa: PTH111, PTH118 - as find_frames takes it


def lines_of(text: str) -> list[str]:
    """Paths in a text that was pasted: one a line, without blank lines and comments."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def kept_list(paths: Sequence[str], project: Path) -> list[str]:
    """Paths to take as inputs for a list that was pasted or dropped: a long one is written into the project.

    Raises:
        OSError: it cannot be written.
    """
    if len(paths) <= _LISTED_ALONE:
        return list(paths)
    folder = project / ".iota"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.lst"
    path.write_text("\n".join(paths) + "\n", encoding="utf-8")
    return [str(path)]
