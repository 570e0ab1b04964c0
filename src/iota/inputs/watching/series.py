"""Predicts the next names in numbered series of files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

_LAST_NUMBER = re.compile(r"^(?P<before>.*?)(?P<number>[0-9]{1,15})(?P<after>[^0-9]*)$")
_KEPT = 8  # series of a folder that grow at the same time
_MAX = 1000  # names of one look


class Series:
    """The numbered series that grew last in one folder: ``img_0007.cbf`` is followed by ``img_0008.cbf``.

    In a folder of 100,000 files that saves the listing: a look costs one call for each new file, and one a series.
    """

    def __init__(self) -> None:
        self._next: dict[tuple[str, str, int], int] = {}  # text before, text after, number of digits -> number

    def learn(self, names: Sequence[str]) -> None:
        """Add new names, in natural order."""
        for name in names:
            if match := _LAST_NUMBER.match(name):
                digits = match["number"]
                key = (match["before"], match["after"], len(digits) if digits.startswith("0") else 0)
                if key not in self._next and not key[2]:  # 0999 is followed by 1000
                    key = next((k for k in self._next if k[:2] == key[:2] and k[2] == len(digits)), key)
                self._next[key] = max(int(digits) + 1, self._next.pop(key, 0))
        while len(self._next) > _KEPT:
            del self._next[next(iter(self._next))]

    def next_names(self, is_there: Callable[[str], bool]) -> Iterator[str]:
        """Yield the names that follow the known ones, as long as they exist."""
        for key, first in self._next.items():
            before, after, width = key
            for number in range(first, first + _MAX):
                name = f"{before}{number:0{width}d}{after}"
                if not is_there(name):
                    break
                self._next[key] = number + 1
                yield name
