"""What a whole command costs: wall time, and CPU time of all its processes."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_ORPHANS_END_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class Cost:
    """Cost of one command.

    ``own_cpu_s`` is that of its first process alone, the coordinator of a run; ``start_cpu_s`` is what this process
    had used when the file ``marks_start`` appeared, None where it never did.
    """

    exit_status: int
    began: float  # s since the epoch
    seconds: float
    cpu_s: float
    own_cpu_s: float
    start_cpu_s: float | None


def adopt_orphans() -> None:
    """Have this process inherit what a command leaves behind, to count its CPU time too.

    iota.run's workers are children of a fork server, for which nobody waits: their time would be lost.
    """
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1) != 0:
        raise OSError("this system cannot hand down orphaned processes (prctl PR_SET_CHILD_SUBREAPER)")


def run(command: Sequence[str], folder: Path, marks_start: Path | None = None) -> Cost:
    """Run a command in ``folder``, its words in ``log.txt`` there; :func:`adopt_orphans` has been called before."""
    began, clock = time.time(), time.perf_counter()
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    at_start: list[float] = []
    thread = threading.Thread(target=_watch_start, args=(process.pid, marks_start, at_start))
    thread.start()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and its times can still be read
    seconds = time.perf_counter() - clock
    own_cpu_s = _own_cpu_s(process.pid)
    thread.join()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu_s = usage.ru_utime + usage.ru_stime + _wait_for_orphans(process.args)
    return Cost(process.returncode, began, seconds, cpu_s, own_cpu_s, at_start[0] if at_start else None)


def _own_cpu_s(pid: int) -> float:
    """CPU time of one process without its children: utime and stime of proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _watch_start(pid: int, marks_start: Path | None, at_start: list[float]) -> None:
    while marks_start is not None and not at_start:
        if marks_start.exists():
            at_start.append(_own_cpu_s(pid))
        elif os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
            return
        time.sleep(_LOOK_EVERY_S)


def _wait_for_orphans(command: object) -> float:
    """CPU time (s) of what the command left behind, which has to end now."""
    cpu_s, last = 0.0, time.monotonic() + _ORPHANS_END_WITHIN_S
    while time.monotonic() < last:
        try:
            pid, _, usage = os.wait3(os.WNOHANG)
        except ChildProcessError:
            return cpu_s
        if pid:
            cpu_s += usage.ru_utime + usage.ru_stime
        else:
            time.sleep(_LOOK_EVERY_S)
    raise RuntimeError(f"processes go on after the end of {command}")
