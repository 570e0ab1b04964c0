"""Functions that a worker process calls; imports DIALS only when a task arrives.

It works with any executor: pass ``start`` as the initializer of its processes, and submit ``run``.  DIALS is imported
when a process starts, and not with this module, since the process that distributes tasks does not need it.
"""

from __future__ import annotations

import ctypes
import faulthandler
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from iota.causes import Outcome, Why
from iota.engine.frame.config import EngineConfig
from iota.engine.frame.process_memory import ProcessMemory
from iota.records import FrameResult, Report, Scouted, Task

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_run: Callable[[Task], Report] | None = None
_memory = ProcessMemory(None)


def start(config: EngineConfig) -> None:
    """Make this process a worker of a run."""
    global _run, _memory
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the coordinator, which ends its workers
    faulthandler.disable()  # a crash is the coordinator's to report
    _die_with_parent()
    _keep_freed_memory()
    _take_buffer()
    _memory = ProcessMemory(config.memory_GB)
    if config.scratch is not None:  # of this process alone: one of a run that was killed may be at the same frame
        scratch = Path(config.scratch)
        # a run folder that was moved away does not come back with nothing but this in it
        scratch.mkdir(parents=not scratch.is_relative_to(config.run_folder), exist_ok=True)
        tempfile.tempdir = tempfile.mkdtemp(prefix="worker_", dir=config.scratch)  # DIALS and others use it, too
        config = msgspec.structs.replace(config, scratch=tempfile.tempdir)
    from iota.engine.frame import tasks  # imports DIALS, 1.2 s, in the process of the worker

    _run = partial(tasks.run_in, tasks.make_engine(config))
    if config.accelerate:
        tasks.warm_up()  # not at the cost of the first frame


def _die_with_parent() -> None:
    """End this process when its parent has ended, since nobody waits any more for a frame that hangs."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h of glibc


def _keep_freed_memory() -> None:
    """Make malloc keep the memory of one image for the next.

    Given back to the system and taken again, each of its pages costs a fault: half of the time of a 6-megapixel blank.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, 1 << 29)
        mallopt(_M_TOP_PAD, 1 << 26)


def _take_buffer() -> None:
    """Make OpenBLAS allocate its memory now: if a limit prevents this later, it retries forever instead of failing."""
    import numpy as np

    square = np.ones((128, 128))
    np.dot(square, square)


def run(task: Task) -> Report:
    """Execute one task; a failure of the frame, or lack of memory, is returned as its record."""
    if _run is None:
        raise RuntimeError("start() has not been called in this process")
    _memory.begin_frame()
    try:
        return _run(task)
    except MemoryError:
        return failed(task, "crashed", _memory.ran_out())


def is_outgrown() -> bool:
    """Whether this process uses so much memory that another one should take the next task."""
    return _memory.is_outgrown


def failed(task: Task, outcome: Outcome, why: Why) -> Report:
    """The report of a task that was interrupted."""
    if task.kind == "scout":
        return Scouted(frame=task.frame, name=task.name, settings=task.settings[0].label, reason=str(why))
    result = FrameResult(frame=task.frame, name=task.name, outcome=outcome, finished=round(time.time(), 3))
    result.explain(why)
    return result
