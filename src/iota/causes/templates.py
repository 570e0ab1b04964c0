"""Templates of sentences, and the text of the values that they contain.

A template names values in braces, with a format as Python's ``format()`` takes it, or with words to choose from by a
number: ``{n_spots:* spot|* spots}`` for one and for more, ``{n_spots:No spots|* spot|* spots}`` for none, one and more;
``*`` is the number.  ``{see}`` says where the message of DIALS is.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Annotated

import msgspec

IN_LOG = "The DIALS message is in the log of the frame."
_LARGEST = 1e30  # beyond, a number is written as text: JSON has neither infinity nor nan
_LONGEST = 1000  # characters of a text of others

_Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
_Real = Annotated[float, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
Value = _Whole | _Real | str | list[_Real]  # a list is a cell; msgspec takes a third longer for a record with tuples
Values = dict[str, Value]


class Piece(msgspec.Struct, frozen=True):
    """A part of a template: words, then perhaps a value."""

    words: str
    name: str = ""
    format: str = ""

    @property
    def choices(self) -> list[str]:
        """Words selected by a number; empty if the value is written as it is."""
        return self.format.split("|") if "|" in self.format else []


@cache
def pieces(template: str) -> tuple[Piece, ...]:
    """The parts of a template."""
    parts = string.Formatter().parse(template)
    return tuple(Piece(words, name or "", form or "") for words, name, form, _ in parts)


def names_of(template: str) -> list[str]:
    """Names of the values that a record has for a template, each once."""
    return list(dict.fromkeys(piece.name for piece in pieces(template) if piece.name not in ("", "see")))


def clean(values: Mapping[str, object]) -> Values:
    """Values in the form stored in records."""
    return {name: _clean(value) for name, value in values.items()}


def _clean(value: object) -> Value:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else value[:_LONGEST] + "..."
    if isinstance(value, tuple | list):
        return [float(x) for x in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) and abs(value) <= _LARGEST else f"{value:g}"
    return int(value)  # type: ignore[call-overload, no-any-return]  # also an integer of numpy


def filled_in(template: str, values: Mapping[str, Value]) -> str:
    """The sentence.

    Raises:
        KeyError, ValueError, TypeError, OverflowError: values are missing, or are not of the right kind.
    """
    return "".join(_written(template, values, _as_text))


def counted(template: str, values: Mapping[str, Value], of_text: Callable[[str], str]) -> str:
    """The sentence with … for numbers, and what ``of_text`` makes of texts; raises as :func:`filled_in`."""
    return "".join(_written(template, values, lambda value, _: of_text(value) if isinstance(value, str) else "…"))


def general(template: str, values: Mapping[str, Value], told: Collection[str], of_text: Callable[[str], str]) -> str:
    """The sentence with … for all values but the texts that are ``told``; these as :func:`counted`."""
    shown: dict[str, Value] = {}
    for piece in pieces(template):
        value = values.get(piece.name)
        is_told = piece.name in told and isinstance(value, str)
        shown[piece.name] = _SEVERAL if piece.choices else of_text(str(value)) if is_told else "…"
    shown.pop("see", None)
    return counted(template, shown, lambda text: text)


_SEVERAL = 2


def _written(template: str, values: Mapping[str, Value], written: Callable[[Value, str], str]) -> Iterator[str]:
    for piece in pieces(template):
        yield piece.words
        if piece.name == "see":
            yield str(values.get("see", IN_LOG))
        elif piece.choices:
            yield _chosen(piece.choices, values[piece.name]).replace("*", written(values[piece.name], ""))
        elif piece.name:
            yield written(values[piece.name], piece.format)


def _chosen(choices: list[str], value: Value) -> str:
    if isinstance(value, str | list):
        raise TypeError(value)
    if value == 0 and len(choices) > 2:
        return choices[0]
    return choices[-2] if value == 1 else choices[-1]


def _as_text(value: Value, form: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return " ".join(format(x, form) for x in value)
    return format(value, form)
