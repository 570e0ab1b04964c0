"""Counts how often each Miller index occurs; memory grows with reciprocal space, not with the number of reflections."""

from __future__ import annotations

import numpy as np

from iota.crystallography.indices import Ints, Ints64, hkl_from_packed, packed_from_hkl

_BUFFER_SIZE = 2_000_000  # indices that are kept before they are counted


class IndexCounts:
    """Different Miller indices, each with the number of times it was added."""

    def __init__(self) -> None:
        self._packed = np.zeros(0, np.int64)  # sorted
        self._counts = np.zeros(0, np.int64)
        self._buffer: list[Ints64] = []
        self._n_buffered = 0

    @classmethod
    def of(cls, hkl: Ints, counts: Ints) -> IndexCounts:
        """Continue from different indices `[n, 3]` and their counts `[n]`."""
        found = cls()
        found._packed, found._counts = packed_from_hkl(hkl), counts.astype(np.int64)
        return found

    def add(self, hkl: Ints) -> None:
        """Count indices `[n, 3]`.

        Raises:
            ValueError: an index is beyond a million.
        """
        self._buffer.append(packed_from_hkl(hkl))
        self._n_buffered += len(hkl)
        if self._n_buffered > _BUFFER_SIZE:
            self._empty_buffer()

    def result(self) -> tuple[Ints64, Ints64]:
        """The different indices `[n, 3]`, sorted, and the count of each `[n]`."""
        self._empty_buffer()
        return hkl_from_packed(self._packed), self._counts

    def _empty_buffer(self) -> None:
        if not self._buffer:
            return
        packed = np.concatenate([self._packed, *self._buffer])
        weights = np.concatenate([self._counts, np.ones(self._n_buffered, np.int64)])
        self._buffer, self._n_buffered = [], 0
        self._packed, positions = np.unique(packed, return_inverse=True)
        self._counts = np.bincount(positions, weights=weights, minlength=len(self._packed)).astype(np.int64)
