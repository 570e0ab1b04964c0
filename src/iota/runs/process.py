"""Identifies a process across hosts, reboots and containers, and says whether it is alive."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path

import msgspec


class ProcessMark(msgspec.Struct, frozen=True):
    """One process.  Its ID alone is not sufficient: IDs are reused, and each container has its own."""

    host: str
    """Host name."""
    space: str
    """Scope within which process IDs are unique: boot of the machine and namespace; empty if unknown."""
    process_id: int
    """Process ID."""
    started: int
    """Start of the process (clock ticks since boot)."""

    @property
    def lives(self) -> bool | None:
        """Whether it is alive; None if this cannot be determined from here."""
        if not self.space or self.space != _own_space():
            return None
        try:
            return _started(self.process_id) == self.started
        except OSError:  # gone, or hidden as another user's
            return None if process_lives(self.process_id) else False

    def __str__(self) -> str:
        """Return a description for users."""
        return f"process {self.process_id} on {self.host}"


def own_mark() -> ProcessMark:
    """The mark of this process."""
    process_id = os.getpid()
    return ProcessMark(socket.gethostname(), _own_space(), process_id, _started(process_id) if _own_space() else 0)


@lru_cache(maxsize=1)
def _own_space() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # no Linux
        return ""


def _started(process_id: int) -> int:
    """When a process was started, from proc_pid_stat(5); -1 for one that has ended and waits for its parent."""
    text = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8", errors="replace")
    fields = text[text.rindex(")") + 2 :].split()  # the name of the program may hold anything
    return -1 if fields[0] in "ZX" else int(fields[19])


def process_lives(process_id: int) -> bool:
    """Whether a process with this ID exists on this host."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives and is somebody else's
        return True
    return True
