"""Functions that a conversion worker calls; imports DIALS only when a task arrives."""

from __future__ import annotations

from pathlib import Path

from iota.engine.conversion.tasks import Conversion, ConvertTask

_conversion: Conversion | None = None


def start(conversion: Conversion) -> None:
    """Make this process a worker of a conversion."""
    global _conversion
    _conversion = conversion


def run(task: ConvertTask) -> str:
    """Save one image; returns the reason for a failure."""
    if _conversion is None:
        raise RuntimeError("start() has not been called in this process")
    from iota.engine.conversion.convert import convert  # imports DIALS, 1.2 s

    return convert(_conversion, task.frame, Path(task.path))
