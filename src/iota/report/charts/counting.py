"""Histograms and rates that grow: rows that came since are added to counts of before.

A million rows then cost an update nothing but its new ones; bars for people are sums of fine counts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from iota.records import NOT_HITS, OUTCOMES

FloatColumn = npt.NDArray[np.floating[Any]]


class Bars(NamedTuple):
    """What a histogram shows."""

    edges: npt.NDArray[np.float64]  # `[n_bars + 1]`
    counts: npt.NDArray[np.int64]  # `[n_bars]`
    n_outside: int  # values left and right of the bars
    n: int
    median: float  # nan without values


class FineHistogram:
    """Counts in fine bins over all values that a quantity can have; those beyond are counted at the ends.

    Args:
        low, high: the range of the fine bins.
        fine: their width, below what anybody would see.
    """

    def __init__(self, low: float, high: float, fine: float) -> None:
        self.low, self.fine = low, fine
        self.counts = np.zeros(round((high - low) / fine), dtype=np.int32)
        self.n = 0

    def add(self, values: FloatColumn) -> None:
        """Count values; what is not a number is not counted."""
        known = values[np.isfinite(values)]
        places = np.rint((known.astype(np.float64) - self.low) / self.fine)
        places = np.clip(places, 0, len(self.counts) - 1).astype(np.int64)
        if len(places) < 2000:
            np.add.at(self.counts, places, 1)
        else:
            self.counts += np.bincount(places, minlength=len(self.counts)).astype(np.int32)
        self.n += len(places)

    def quantiles(self, *shares: float) -> list[float]:
        """Values below which these shares lie, to a fine bin; at least one value must have been counted."""
        sums = np.cumsum(self.counts, dtype=np.int64)
        places = np.searchsorted(sums, np.array(shares) * (self.n - 1), side="right")
        return [float(value) for value in self.low + places * self.fine]

    def bars(self, most: int = 40) -> Bars:
        """Bars around where nearly all values are; strays do not squeeze the rest."""
        if not self.n:
            return Bars(np.zeros(1), np.zeros(0, np.int64), 0, 0, float("nan"))
        first, low, middle, high, last = self.quantiles(0.0, 0.02, 0.5, 0.98, 1.0)
        spread = max(high - low, 1e-3 * abs(middle), 10 * self.fine)
        low, high = max(first, low - 0.35 * spread), min(last, high + 0.35 * spread)
        if high - low < spread:
            low, high = middle - 0.7 * spread, middle + 0.7 * spread
        wanted = int(np.clip(2.5 * self.n**0.4, 8, most))
        width = max(1, round((high - low) / wanted / self.fine))  # fine bins to a bar
        start = max(0, int((low - self.low) / self.fine) // width * width)
        end = min(len(self.counts), start + (int((high - self.low) / self.fine) - start) // width * width + width)
        inside = self.counts[start:end].astype(np.int64)
        inside = np.concatenate([inside, np.zeros(-len(inside) % width, np.int64)]).reshape(-1, width).sum(axis=1)
        edges = self.low + self.fine * (start - 0.5 + width * np.arange(len(inside) + 1))
        return Bars(edges, inside, self.n - int(inside.sum()), self.n, middle)


_HIT = np.array([outcome not in NOT_HITS for outcome in OUTCOMES])
_INDEXED = _HIT & np.array([outcome != "failed_indexing" for outcome in OUTCOMES])
_INTEGRATED = np.array([outcome == "integrated" for outcome in OUTCOMES])


class RatesOverTime:
    """Frames, hits, indexed and integrated ones in equal steps of time; the steps double when there are too many."""

    MOST = 4096

    def __init__(self) -> None:
        self.start = float("nan")  # s since the epoch
        self.step = 1.0  # s
        self.counts = np.zeros((0, 4), dtype=np.int64)

    def add(self, finished: FloatColumn, outcome: npt.NDArray[np.uint8]) -> None:
        """Count frames; ``finished`` in seconds since the epoch."""
        known = finished > 0
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
        """Steps for people: their edges in seconds since the start, `[n + 1]`, and counts, `[n, 4]`.

        There are fewer of them where frames are few, for a rate of two frames says nothing.
        """
        most = int(np.clip(self.counts[:, 0].sum() / 6, 3, most))
        width = max(1, -(-len(self.counts) // most))
        padded = np.concatenate([self.counts, np.zeros((-len(self.counts) % width, 4), np.int64)])
        counts = padded.reshape(-1, width, 4).sum(axis=1)
        return np.arange(len(counts) + 1) * width * self.step, counts
