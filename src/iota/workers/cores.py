"""How many processes a machine can run."""

from __future__ import annotations

import os


def default_processes() -> int:
    """Three quarters of the cores that this process may use, and at least one."""
    return max(1, 3 * len(os.sched_getaffinity(0)) // 4)
