"""Building blocks of a report, written as HTML or Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Title(msgspec.Struct, frozen=True):
    """The head of the report: its name, and lines about it."""

    words: str
    lines: Sequence[str]


class Heading(msgspec.Struct, frozen=True):
    """The name of what follows."""

    words: str


class Words(msgspec.Struct, frozen=True):
    """A paragraph.  ``is_aside`` is what is less important."""

    words: str
    is_aside: bool = False


class KeyNumbers(msgspec.Struct, frozen=True):
    """What is to be seen first: number and what it is; in HTML only, as all of it comes again."""

    numbers: Sequence[tuple[str, str]]


class FactList(msgspec.Struct, frozen=True):
    """Names and values."""

    facts: Sequence[tuple[str, str]]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Lines under a head; the columns named in ``numbers`` stand flush right, ``last_is_total`` sets off the last line.

    ``instead_of_pictures`` has the figures of pictures for those who cannot see these: Markdown.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    last_is_total: bool = False
    instead_of_pictures: bool = False


class Pictures(msgspec.Struct, frozen=True):
    """Charts as SVG text, so many in a row; in HTML only.  The first may take the height of two rows."""

    svgs: Sequence[str]
    in_a_row: int = 1
    first_is_tall: bool = False


class Photographs(msgspec.Struct, frozen=True):
    """Pictures as PNG files, one below the other, with texts for those who cannot see them; in HTML only."""

    pngs: Sequence[tuple[bytes, str]]


class Code(msgspec.Struct, frozen=True):
    """Lines to copy."""

    lines: Sequence[str]


class References(msgspec.Struct, frozen=True):
    """Papers to cite."""

    papers: Sequence[str]


Block = Title | Heading | Words | KeyNumbers | FactList | Table | Pictures | Photographs | Code | References
