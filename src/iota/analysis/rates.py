"""Hit, indexing and integration rates over time.

New rows are added to the existing counts, so that the cost of an update does not depend on the number of earlier rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from iota.records import NOT_HITS, OUTCOMES

FloatColumn = npt.NDArray[np.floating[Any]]

_READ = np.array([outcome != "failed_import" for outcome in OUTCOMES])
_HIT = np.array([outcome not in NOT_HITS for outcome in OUTCOMES])
_INDEXED = _HIT & np.array([outcome != "failed_indexing" for outcome in OUTCOMES])
_INTEGRATED = np.array([outcome == "integrated" for outcome in OUTCOMES])


class RatesOverTime:
    """Counts of readable, hit, indexed and integrated frames per interval; intervals double if there are too many."""

    MOST = 4096

    def __init__(self) -> None:
        self.start = float("nan")  # s since the epoch
        self.step = 1.0  # s
        self.counts = np.zeros((0, 4), dtype=np.int64)

    def add(self, finished: FloatColumn, outcome: npt.NDArray[np.uint8]) -> None:
        """Count frames that could be read; ``finished`` in seconds since the epoch."""
        known = (finished > 0) & _READ[outcome]
        finished, outcome = finished[known].astype(np.float64), outcome[known]
        if not len(finished):
            return
        if np.isnan(self.start):
            self.start = float(finished.min())
        since = np.maximum(finished - self.start, 0.0)
        while since.max() / self.step >= self.MOST:
            self.counts = np.concatenate([self.counts, np.zeros((len(self.counts) % 2, 4), np.int64)])
            self.counts = self.counts.reshape(-1, 2, 4).sum(axis=1)
            self.step *= 2
        places = (since / self.step).astype(np.int64)
        n = max(len(self.counts), int(places.max()) + 1)
        counts = np.zeros((n, 4), np.int64)
        counts[: len(self.counts)] = self.counts
        for k, chosen in enumerate((None, _HIT, _INDEXED, _INTEGRATED)):
            these = places if chosen is None else places[chosen[outcome]]
            counts[:, k] += np.bincount(these, minlength=n)
        self.counts = counts

    def points(self, most: int = 48) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Time intervals for display: edges in seconds since the start, `[n + 1]`, and counts, `[n, 4]`.

        There are fewer of them where frames are few, for a rate of two frames says nothing.
        """
        most = int(np.clip(self.counts[:, 0].sum() / 6, 3, most))
        width = max(1, -(-len(self.counts) // most))
        padded = np.concatenate([self.counts, np.zeros((-len(self.counts) % width, 4), np.int64)])
        counts = padded.reshape(-1, width, 4).sum(axis=1)
        return np.arange(len(counts) + 1) * width * self.step, counts
