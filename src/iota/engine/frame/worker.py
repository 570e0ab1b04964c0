"""What a worker process runs: set up once per run, then one task after another.

Any executor can carry it: give ``start`` as the initializer of its processes, and submit ``run``.  DIALS is imported
when a process starts, and not with this module: whoever hands out tasks does without.
"""

from __future__ import annotations

import ctypes
import faulthandler
import signal
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from iota.engine.frame.filter import LatticeFilter
from iota.engine.frame.grid import Grid
from iota.engine.frame.picture_choice import Pictures
from iota.engine.frame.process_memory import ProcessMemory
from iota.records import FrameResult, Outcome, Report, Scouted, Task

if TYPE_CHECKING:
    from iota.engine.frame.frame import Engine


class EngineConfig(msgspec.Struct, frozen=True):
    """What every worker of a run needs to know."""

    target: str
    run_folder: str
    strong_sigma: float = 5.0
    find_symmetry: bool = False
    lattice_filter: LatticeFilter | None = None
    memory_GB: float | None = None
    accelerate: bool = True  # False: the numbers of dials.stills_process, digit for digit
    files_grow: bool = False  # images may be added to files while the run goes on
    grid: Grid | None = None  # of spot-finding settings to search for each frame
    pictures: Pictures | None = None  # of each integrated frame
    scratch: str | None = None  # where files in the making are; None: where they are to stay

    def engine(self) -> Engine:
        """Make the engine.

        Raises:
            BackendError: DIALS is missing, or a file that the parameters name cannot be used.
        """
        from iota.engine.frame.frame import Engine

        return Engine(
            self.target,
            Path(self.run_folder),
            lattice_filter=self.lattice_filter,
            strong_sigma=self.strong_sigma,
            find_symmetry=self.find_symmetry,
            accelerate=self.accelerate,
            files_grow=self.files_grow,
            grid=self.grid,
            pictures=self.pictures,
            scratch=None if self.scratch is None else Path(self.scratch),
        )


_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_engine: Engine | None = None
_memory = ProcessMemory(None)


def start(config: EngineConfig) -> None:
    """Make this process a worker of a run."""
    global _engine, _memory
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
    _engine = config.engine()
    if config.accelerate:
        from iota.engine.spots.strong_pixels import warm_up

        warm_up()  # not at the cost of the first frame


def _die_with_parent() -> None:
    """Have this process ended when what started it is gone: nobody waits any more for a frame that hangs."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h of glibc


def _keep_freed_memory() -> None:
    """Have malloc keep the memory of one image for the next.

    Given back to the system and taken again, each of its pages costs a fault: half of the time of a 6-megapixel blank.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, 1 << 29)
        mallopt(_M_TOP_PAD, 1 << 26)


def _take_buffer() -> None:
    """Have OpenBLAS allocate its memory now: if a limit prevents that later, it retries for ever instead of failing."""
    import numpy as np

    square = np.ones((128, 128))
    np.dot(square, square)


def run(task: Task) -> Report:
    """Do one task; a frame's failure comes back as its record, also if memory ran out."""
    if _engine is None:
        raise RuntimeError("start() has not been called in this process")
    _memory.begin_frame()
    try:
        return run_in(_engine, task)
    except MemoryError:
        return failed(task, "crashed", _memory.ran_out())


def is_outgrown() -> bool:
    """Whether this process holds so much memory that another one should do the next task."""
    return _memory.is_outgrown


def failed(task: Task, outcome: Outcome, reason: str) -> Report:
    """What is reported of a task that came to no end of its own."""
    if task.kind == "scout":
        return Scouted(frame=task.frame, name=task.name, settings=task.settings[0].label, reason=reason)
    return FrameResult(frame=task.frame, name=task.name, outcome=outcome, reason=reason, finished=round(time.time(), 3))


def run_in(engine: Engine, task: Task) -> Report:
    """Do one task with a given engine, and keep the backend's log of a frame that had diffraction."""
    from iota.engine.backend.frame_log import frame_log
    from iota.engine.backend.remarks import collect_remarks
    from iota.engine.frame import frame, grid_search
    from iota.engine.frame.files import FrameFiles

    if task.trial:
        return _try(engine, task)
    if task.more:
        engine = _with_more(engine, task.more)
    with frame_log() as log, collect_remarks() as remarks, frame.FrameWork(engine, task) as work:
        if task.kind == "process" and engine.grid is not None:
            report: Report = grid_search.process(work, engine.grid)
        else:
            report = {"screen": frame.screen, "scout": frame.scout, "process": frame.process}[task.kind](work)
    if isinstance(report, FrameResult):
        report.remarks = remarks
    if isinstance(report, FrameResult) and report.outcome != "failed_triage":
        report.files["log"] = FrameFiles(engine.run_folder, task.name).write_log(log.getvalue())
    return report


@lru_cache(maxsize=2)
def _with_more(engine: Engine, phil: str) -> Engine:
    return engine.with_more(phil)


@lru_cache(maxsize=2)
def _for_trial(engine: Engine, phil: str) -> tuple[Engine, tempfile.TemporaryDirectory[str]]:
    """Engine whose files nobody wants, and the folder of these, which lasts as long as it is in use."""
    folder = tempfile.TemporaryDirectory(prefix="trial_")
    for name in ("dials", "final", "logs"):
        (Path(folder.name) / name).mkdir()
    return engine.with_more(phil, Path(folder.name)), folder


def _try(engine: Engine, task: Task) -> Report:
    """Do one task of which only the report is kept."""
    trial, _ = _for_trial(engine, task.more)
    report = run_in(trial, msgspec.structs.replace(task, more="", trial=False))
    if isinstance(report, FrameResult):
        report.files = {}
    return report
