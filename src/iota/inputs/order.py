"""The order in which people count: ``img_2`` before ``img_10``."""

from __future__ import annotations

import re

_DIGITS = re.compile("([0-9]+)")


def natural_key(text: str) -> tuple[list[str | tuple[int, str]], str]:
    """Return a sort key that compares runs of digits as numbers and letters without regard to case.

    Texts that differ only in case or in leading zeros still have an order, so sorting never depends on where it began.
    Numbers are compared as (digits, text), which has no limit on their length and needs no conversion.
    """
    parts: list[str | tuple[int, str]] = list(_DIGITS.split(text.lower()))
    for i in range(1, len(parts), 2):  # re.split puts what it captured, the numbers, at the odd places
        digits = str(parts[i]).lstrip("0")
        parts[i] = (len(digits), digits)
    return parts, text
