"""Describes an input that cannot be used."""

from __future__ import annotations

import msgspec

UNWRITABLE = "the name contains a line break or is not UTF-8, so it cannot be written to a list: rename it."


class Problem(msgspec.Struct, frozen=True):
    """A path without images, or with fewer than expected; ``text`` names it and says what was looked for.

    Make one with :func:`problem_with`.
    """

    path: str
    text: str

    def __str__(self) -> str:
        """Return the text."""
        return self.text


def problem_with(path: str, why: str) -> Problem:
    """Return the problem of a path; a name that no terminal could show is written with escapes."""
    shown = path.encode("utf-8", "backslashreplace").decode("utf-8").replace("\n", "\\n")
    return Problem(shown, f"{shown or 'An empty path'}: {why}")
