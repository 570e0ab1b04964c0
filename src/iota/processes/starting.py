"""How processes are started, and how their ends are described."""

from __future__ import annotations

import importlib.metadata
import signal
import sys
from pathlib import Path


def python() -> list[str]:
    """Arguments that start this Python so that it imports nothing from the current folder, which may be anybody's."""
    return [sys.executable, "-P"] if sys.version_info >= (3, 11) else [sys.executable]  # older ones cannot


def own_command(name: str) -> list[str]:
    """Arguments that start a command of IOTA with this Python: the installed one beside it, else its module."""
    beside = Path(sys.executable).with_name(name)
    if beside.exists():
        return [str(beside)]
    (script,) = importlib.metadata.distribution("iota-sx").entry_points.select(group="console_scripts", name=name)
    return [*python(), "-m", script.module]


def how_it_ended(status: int) -> str:
    """What happened to a process that ended with this status, negative for a signal, as the end of a sentence."""
    if status >= 0:
        return f"ended with status {status}"
    memory = ", as happens when a machine runs out of memory" if -status == signal.SIGKILL else ""
    return f"was killed (signal {-status}){memory}"
