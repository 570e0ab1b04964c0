"""Gives each frame a unique name, the stem of its files in the run folder."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from iota.records import FrameRef

_PACKED = (".gz", ".bz2")


class FrameNames:
    """Gives every frame of a run its name; a name once given stays, whatever frames come later.

    A name is the stem of the image, with the frame's number (from 1) for multi-image files.  Images of one stem in
    several folders, or with several endings, get as much of their folders or their ending as tells them apart.
    """

    def __init__(self, known: Mapping[FrameRef, str] | None = None) -> None:
        self._names: dict[FrameRef, str] = {}
        self._taken: set[str] = set()
        for frame, name in (known or {}).items():
            self.give(frame, name)

    def add(self, frames: Iterable[FrameRef]) -> None:
        """Name frames that have no name yet; if several have the same stem, none of them gets the short name."""
        short = {frame: _numbered(_stem(frame.path), frame) for frame in frames if frame not in self._names}
        counts = Counter(short.values())
        clashing = []
        for frame, name in short.items():
            if counts[name] > 1 or name in self._taken:
                clashing.append(frame)
            else:
                self.give(frame, name)
        for frame in clashing:
            self.give(frame, next(name for name in _longer_names(frame) if name not in self._taken))

    def give(self, frame: FrameRef, name: str) -> None:
        """Give a frame the name that it has in the ledger."""
        self._names[frame] = name
        self._taken.add(name)

    def __getitem__(self, frame: FrameRef) -> str:
        return self._names[frame]


def _stem(path: str) -> str:
    name = PurePath(path).name
    for ending in _PACKED:
        name = name.removesuffix(ending)
    stem, dot, ending = name.rpartition(".")
    return name if not dot or not stem or ending.isdigit() else stem


def _numbered(name: str, frame: FrameRef) -> str:
    return name if frame.index is None else f"{name}_{frame.index + 1:05d}"


def _longer_names(frame: FrameRef) -> list[str]:
    """Candidates for a frame whose short name is not unique, the shortest first; the last is always unique."""
    path = PurePath(frame.path)
    folders = [part for part in path.parent.parts if part != path.anchor]
    stem = _stem(frame.path)
    with_folders = ["_".join([*folders[-depth:], stem]) for depth in range(1, len(folders) + 1)]
    with_ending = "_".join([*folders, path.name])
    digest = hashlib.blake2b(frame.path.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    return [_numbered(name, frame) for name in [*with_folders, with_ending, f"{stem}_{digest}"]]
