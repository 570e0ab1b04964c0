"""What a worker process runs: set up once per run, then one task after another.

Any executor can carry it: give ``start`` as the initializer of its processes, and submit ``run``.  DIALS is imported
when a process starts, and not with this module: whoever hands out tasks does without.
"""

from __future__ import annotations

import ctypes
import faulthandler
import resource
import signal
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from iota.engine.filter import LatticeFilter
from iota.engine.grid import Grid
from iota.engine.picture_choice import Pictures
from iota.records import FrameResult, Report, Task

if TYPE_CHECKING:
    from iota.engine.frame import Engine


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
        from iota.engine.frame import Engine

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


def start(config: EngineConfig) -> None:
    """Make this process a worker of a run."""
    global _engine
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the coordinator, which ends its workers
    faulthandler.disable()  # a crash is the coordinator's to report
    _die_with_parent()
    limit_memory(config.memory_GB)
    _keep_freed_memory()
    _engine = config.engine()
    if config.accelerate:
        from iota.engine.strong_pixels import warm_up

        warm_up()  # not at the cost of the first frame
    if config.scratch is not None:
        Path(config.scratch).mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = config.scratch  # what DIALS and others make for a while is there, too


def _die_with_parent() -> None:
    """Have this process ended when what started it is gone: nobody waits any more for a frame that hangs."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit_memory(memory_GB: float | None) -> None:
    """Let allocations of this process beyond a limit fail, so that a greedy frame does not take the machine with it."""
    if memory_GB is not None:
        limit = int(memory_GB * 1e9)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


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


def run(task: Task) -> Report:
    """Do one task; a frame's failure comes back as its record."""
    if _engine is None:
        raise RuntimeError("start() has not been called in this process")
    return run_in(_engine, task)


def run_in(engine: Engine, task: Task) -> Report:
    """Do one task with a given engine, and keep the backend's log of a frame that had diffraction."""
    from iota.engine import frame, grid_search
    from iota.engine.files import FrameFiles
    from iota.engine.frame_log import frame_log
    from iota.engine.remarks import collect_remarks

    if task.trial:
        return _try(engine, task)
    if task.more:
        engine = _with_more(engine, task.more)
    with frame_log() as log, collect_remarks() as remarks:
        if task.kind == "process" and engine.grid is not None:
            report: Report = grid_search.process(frame.FrameWork(engine, task), engine.grid)
        else:
            report = {"screen": frame.screen, "scout": frame.scout, "process": frame.process}[task.kind](engine, task)
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
