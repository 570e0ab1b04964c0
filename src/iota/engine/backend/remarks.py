"""Collects remarks on an image's file or header for the user, although the image was processed.

A remark is the same sentence for all images to which it applies, without figures of a single one: it is kept in each
record and shown once per run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_collected: ContextVar[list[str] | None] = ContextVar("_collected", default=None)


def remark(sentence: str) -> None:
    """Add a remark to the record of the current frame; ignored outside of :func:`collect_remarks`."""
    collected = _collected.get()
    if collected is not None and sentence not in collected:
        collected.append(sentence)


@contextlib.contextmanager
def collect_remarks() -> Iterator[list[str]]:
    """Collect the remarks made within the context, each once, in order."""
    remarks: list[str] = []
    token = _collected.set(remarks)
    try:
        yield remarks
    finally:
        _collected.reset(token)
