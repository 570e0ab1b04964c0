"""Compact set of the frames that have a record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from iota.records import FrameRef

Digests = npt.NDArray[np.uint64]

_encoder = msgspec.json.Encoder()


def frame_digests(frames: Iterable[FrameRef]) -> Digests:
    """64 bits of a hash of each frame, `[n_frames]`; collisions within a run are practically impossible."""
    hashes = (hashlib.blake2b(_encoder.encode(frame), digest_size=8).digest() for frame in frames)
    return np.frombuffer(b"".join(hashes), dtype="<u8").astype(np.uint64)


class SeenFrames:
    """A growing set of digests: 8 bytes per frame, and some microseconds for a handful of frames."""

    def __init__(self, digests: Digests | None = None) -> None:
        self._parts: list[Digests] = []  # sorted, each at least twice as long as the next
        if digests is not None and len(digests):
            self._parts.append(np.sort(digests))

    def add(self, digests: Digests) -> npt.NDArray[np.bool_]:
        """Add digests; returns which of them are new (only the first of equal ones), `[n]`."""
        is_new = np.zeros(len(digests), dtype=bool)
        is_new[np.unique(digests, return_index=True)[1]] = True
        for part in self._parts:
            place = np.minimum(np.searchsorted(part, digests), len(part) - 1)
            is_new &= part[place] != digests
        if is_new.any():
            self._parts.append(np.sort(digests[is_new]))
        while len(self._parts) > 1 and len(self._parts[-2]) < 2 * len(self._parts[-1]):
            last = self._parts.pop()
            self._parts[-1] = np.sort(np.concatenate([self._parts[-1], last]), kind="stable")
        return is_new
