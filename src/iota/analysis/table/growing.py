"""Arrays that one thread appends to while others read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_MIN = 1024


class GrowingColumns:
    """Arrays of one length under names; appending costs the same however many rows there are.

    Rows that were read stay as they are: a larger array takes over when one is full, and ``n_rows`` changes last.
    """

    def __init__(self, dtypes: Mapping[str, str]) -> None:
        self._arrays: dict[str, Array] = {name: np.empty(0, dtype) for name, dtype in dtypes.items()}
        self.n_rows = 0

    @classmethod
    def of(cls, arrays: Mapping[str, Array], n_rows: int) -> GrowingColumns:
        """Take over arrays that are full."""
        made = cls({})
        made._arrays = dict(arrays)
        made.n_rows = n_rows
        return made

    def reserve(self, n_rows: int) -> None:
        """Make room, growing by at least half."""
        capacity = max(n_rows, _MIN)
        for name, old in self._arrays.items():
            if len(old) < n_rows:
                new = np.empty(max(capacity, len(old) * 3 // 2), old.dtype)
                new[: self.n_rows] = old[: self.n_rows]
                self._arrays[name] = new

    def append(self, rows: Mapping[str, npt.ArrayLike], n_new: int) -> None:
        """Append rows, a value or an array `[n_new]` for each name."""
        end = self.n_rows + n_new
        self.reserve(end)
        for name, array in self._arrays.items():
            array[self.n_rows : end] = rows[name]
        self.n_rows = end

    def view(self, name: str, start: int = 0, stop: int | None = None) -> Array:
        """Rows of a column, read only."""
        found = self._arrays[name][start : self.n_rows if stop is None else stop]
        found.flags.writeable = False
        return found

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self._arrays)

    @property
    def n_bytes(self) -> int:
        """Memory taken."""
        return sum(array.nbytes for array in self._arrays.values())
