"""Why frames failed, each kept once: causes with their values as codes of a column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from iota.analysis.table.columns import NO_CODE, OTHER_CODE
from iota.causes import Cause
from iota.records import FrameResult

_NUMBER = re.compile(  # but those of names of files, such as run_1_data_000002.h5
    r"(?<![A-Za-z\d_])(?<![A-Za-z_][-.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\d_])"
)
_SEVERAL = re.compile(r"…(?: …)+")
_MAX_REMEMBERED = 50_000  # causes with numbers may all differ


def without_numbers(text: str) -> str:
    """A message of other software with its numbers replaced by …, so that similar ones are counted together."""
    return _SEVERAL.sub("…", _NUMBER.sub("…", text))


class Kind(NamedTuple):
    """What is counted together of a column's reasons."""

    cause: Cause
    sentence: str  # with … for whatever differs from frame to frame


class Reasons:
    """Sentences with … for numbers, in the order of their first appearance, and the cause of each.

    Attributes:
        words: the sentences by code, all different.
        kinds: the kind of each, by code.
    """

    def __init__(self, words: Iterable[str] = (), kinds: Iterable[Kind] = ()) -> None:
        self.words, self.kinds = list(words), list(kinds)
        self._codes = {word: code for code, word in enumerate(self.words)}
        self._seen: dict[tuple[object, ...], int] = {}

    def codes(self, records: Sequence[FrameResult]) -> list[int]:
        """Codes of records, new ones included; none if there is no cause, and no more than 65534 are kept."""
        seen = self._seen
        found: list[int] = []
        for record in records:
            cause = record.cause
            if cause is None:
                found.append(NO_CODE)
                continue
            key = (cause, *record.values.values())
            try:
                code = seen.get(key)
            except TypeError:  # a cell is a list
                key = (cause, *map(str, record.values.values()))
                code = seen.get(key)
            found.append(self._new(cause, record, key) if code is None else code)
        return found

    def _new(self, cause: Cause, record: FrameResult, key: tuple[object, ...]) -> int:
        if len(self._seen) >= _MAX_REMEMBERED:
            self._seen.clear()
        word = cause.counted(record.values, without_numbers)
        code = self._codes.get(word)
        if code is None:
            code = len(self.words)
            if code >= OTHER_CODE:
                return OTHER_CODE
            self._codes[word] = code
            self.words.append(word)
            self.kinds.append(Kind(cause, cause.general(record.values, without_numbers)))
        self._seen[key] = code
        return code
