"""Executes a worker's tasks with DIALS: screening (spots only), scouting (indexing to learn the cell), processing."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import msgspec

from iota.engine.backend.frame_log import frame_log
from iota.engine.backend.remarks import collect_remarks
from iota.engine.frame import frame, grid_search
from iota.engine.frame.config import EngineConfig
from iota.engine.frame.engine import Engine
from iota.engine.frame.files import FrameFiles
from iota.engine.spots.strong_pixels import warm_up as warm_up
from iota.records import FrameResult, Report, Task


def make_engine(config: EngineConfig) -> Engine:
    """Make the engine of a process.

    Raises:
        BackendError: a file that the parameters name cannot be used.
    """
    return Engine(
        config.target,
        Path(config.run_folder),
        lattice_filter=config.lattice_filter,
        strong_sigma=config.strong_sigma,
        find_symmetry=config.find_symmetry,
        accelerate=config.accelerate,
        files_grow=config.files_grow,
        grid=config.grid,
        pictures=config.pictures,
        scratch=None if config.scratch is None else Path(config.scratch),
    )


def run_in(engine: Engine, task: Task) -> Report:
    """Execute one task with a given engine, and keep the backend's log of a frame that had diffraction."""
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
    """Engine with a temporary folder for its files, which is deleted after use."""
    folder = tempfile.TemporaryDirectory(prefix="trial_")
    for name in ("dials", "final", "logs"):
        (Path(folder.name) / name).mkdir()
    return engine.with_more(phil, Path(folder.name)), folder


def _try(engine: Engine, task: Task) -> Report:
    """Execute one task of which only the report is kept."""
    trial, _ = _for_trial(engine, task.more)
    report = run_in(trial, msgspec.structs.replace(task, more="", trial=False))
    if isinstance(report, FrameResult):
        report.files = {}
    return report
