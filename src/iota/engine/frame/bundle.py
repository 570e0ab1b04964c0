"""Processes several frames per message for as long as they are blanks, to save communication.

Does not import DIALS; also used by processes without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from iota.records import FrameResult

LONGEST_S = 0.1  # a bundle ends before its next task would take it beyond this


def run_bundle(run: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
    """Execute tasks one after another, until one was not a blank or time is up.

    Args:
        run: does one task.
        tasks: one or more.

    Returns:
        Reports of the first tasks, at least of one; the others are not begun.
    """
    reports: list[Any] = []
    began = now = time.monotonic()
    for task in tasks:
        last = now
        reports.append(run(task))
        now = time.monotonic()
        if not is_blank(reports[-1]) or now - began + (now - last) > LONGEST_S:
            break
    return reports


def is_blank(report: object) -> bool:
    """Whether a frame is finished, had no diffraction and left no files."""
    return isinstance(report, FrameResult) and report.outcome == "failed_triage"
