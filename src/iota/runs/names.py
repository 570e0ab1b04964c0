"""A name for every frame: the stem of its files in the run folder."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from iota.records import FrameRef

_PACKED = (".gz", ".bz2")


def frame_names(frames: Sequence[FrameRef]) -> list[str]:
    """Names of frames, in their order, each unique.

    A name is the stem of the image, with the frame's number (from 1) for multi-image files.  Images of one stem in
    several folders, or with several endings, get as much of their folders or their ending as tells them apart.
    """
    names = [_numbered(_stem(frame.path), frame) for frame in frames]
    clashes = {name for name, count in Counter(names).items() if count > 1}
    if not clashes:
        return names
    taken = {name for name in names if name not in clashes}
    for k, frame in enumerate(frames):
        if names[k] in clashes:
            names[k] = next(name for name in _longer_names(frame) if name not in taken)
            taken.add(names[k])
    return names


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
