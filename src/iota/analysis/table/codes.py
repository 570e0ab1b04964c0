"""Stores repeated words (reasons, settings, symmetries) once, as integer codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from iota.analysis.table.columns import NO_CODE, OTHER_CODE

_NUMBER = re.compile(  # but those of names of files, such as run_1_data_000002.h5
    r"(?<![A-Za-z\d_])(?<![A-Za-z_][-.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\d_])"
)
_SEVERAL = re.compile(r"…(?: …)+")
_MOST_REMEMBERED = 50_000  # sentences with numbers may all differ

Word = TypeVar("Word")


def without_numbers(sentence: str) -> str:
    """A sentence with its numbers replaced by …, so that sentences which differ in numbers only can be counted."""
    return _SEVERAL.sub("…", _NUMBER.sub("…", sentence))


class Codes(Generic[Word]):
    """A list of different words in the order of their first appearance, and the position of each."""

    def __init__(self, words: Iterable[Word] = (), same: Callable[[Word], Word] | None = None) -> None:
        """Begin with words that have their positions already.

        Args:
            words: all different.
            same: what of a word counts; words of which that is equal have one code.
        """
        self.words: list[Word] = list(words)
        self._same = same
        self._codes = {word: code for code, word in enumerate(self.words)}
        self._seen: dict[Word, int] = {}

    def codes(self, words: Iterable[Word | None]) -> list[int]:
        """Codes of words, new ones included; None and the empty word have none, and no more than 65534 are kept."""
        seen = self._seen
        found: list[int] = []
        for word in words:
            code = seen.get(word) if word else NO_CODE
            found.append(self._new(word) if code is None else code)  # type: ignore[arg-type]
        return found

    def _new(self, word: Word) -> int:
        if len(self._seen) >= _MOST_REMEMBERED:
            self._seen.clear()
        counted = word if self._same is None else self._same(word)
        code = self._codes.get(counted)
        if code is None:
            code = len(self.words)
            if code >= OTHER_CODE:
                return OTHER_CODE
            self._codes[counted] = code
            self.words.append(counted)
        self._seen[word] = code
        return code
