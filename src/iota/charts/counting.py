"""Histograms that are updated as rows arrive.

A million rows then cost an update nothing but its new ones; bars for people are sums of fine counts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

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
