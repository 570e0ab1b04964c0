"""Stores repeated words (settings, remarks, symmetries) once, as integer codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from iota.analysis.table.columns import NO_CODE, OTHER_CODE

Word = TypeVar("Word")


class Codes(Generic[Word]):
    """A list of different words in the order of their first appearance, and the position of each."""

    def __init__(self, words: Iterable[Word] = ()) -> None:
        """Start with distinct words, in the order of their codes."""
        self.words: list[Word] = list(words)
        self._codes = {word: code for code, word in enumerate(self.words)}

    def codes(self, words: Iterable[Word | None]) -> list[int]:
        """Codes of words, new ones included; None and the empty word have none, and no more than 65534 are kept."""
        known = self._codes
        found: list[int] = []
        for word in words:
            code = known.get(word) if word else NO_CODE
            found.append(self._new(word) if code is None else code)  # type: ignore[arg-type]
        return found

    def _new(self, word: Word) -> int:
        code = len(self.words)
        if code >= OTHER_CODE:
            return OTHER_CODE
        self._codes[word] = code
        self.words.append(word)
        return code
