"""Natural order of names: ``img_2`` before ``img_10``."""

from __future__ import annotations

import re

_NUMBER = re.compile("[0-9]+")


def _counted(match: re.Match[str]) -> str:
    digits = match[0].lstrip("0")
    return f"\1{chr(len(digits))}{digits}"


def natural_key(text: str) -> str:
    """Return a sort key that compares runs of digits as numbers and letters without regard to case.

    Texts that differ only in case or in leading zeros still have an order, so sorting never depends on where it began.
    A number is compared by how many digits it has, then by these, which has no limit on its length. The key is one
    text, not a list of parts: those of a million names would take half a gigabyte.
    """
    return f"{_NUMBER.sub(_counted, text.lower())}\0{text}"
