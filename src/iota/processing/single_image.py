"""Processes single images without a run, in this process or in several."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from iota.atomic_files import write_atomically
from iota.causes import Why
from iota.engine.backend.frame_log import frame_log
from iota.engine.backend.parameters import is_backend_name, nearest_name, target_text
from iota.engine.frame.engine import Engine
from iota.engine.frame.single_image import Action, ImageReport, report_image, settings_for
from iota.params import Parameters, read
from iota.records import Task


class Work(msgspec.Struct, frozen=True):
    """The settings with which a process reports on an image."""

    target: str  # parameters of the backend
    folder: str  # for files of DIALS
    keep: bool  # whether they are kept
    action: Action
    verbose: bool  # whether messages of the backend are printed
    find_symmetry: bool
    strong_sigma: float
    quick_start: bool  # as good as can be for the first image alone


def read_parameters(scripts: Sequence[Path], assignments: Sequence[str]) -> tuple[Parameters, str]:
    """Parameters from scripts and the command line, and the target of the backend that they make.

    Raises:
        ParameterError: a name or value is not understood by IOTA or by the installed DIALS.
    """
    parameters = read(scripts, assignments, is_backend_name=is_backend_name, nearest_backend_name=nearest_name)
    return parameters, target_text(parameters)


def reports(work: Work, tasks: Sequence[Task], n_processes: int) -> Iterator[ImageReport]:
    """Reports on images, each as soon as it is finished.

    Args:
        work: what is the same for all.
        tasks: the images.
        n_processes: how many work at the same time.
    """
    if len(tasks) == 1 or n_processes == 1:
        yield from (_report(work, task) for task in tasks)
        return
    context = multiprocessing.get_context("fork")  # DIALS is imported already
    with concurrent.futures.ProcessPoolExecutor(min(n_processes, len(tasks)), mp_context=context) as pool:
        for done in concurrent.futures.as_completed([pool.submit(_report, work, task) for task in tasks]):
            yield done.result()


def _report(work: Work, task: Task) -> ImageReport:
    engine = Engine(work.target, Path(work.folder), find_symmetry=work.find_symmetry, strong_sigma=work.strong_sigma)
    if work.quick_start:
        engine.spot_finder = None  # it takes 0.5 s to get ready, which pays from the second image on
    task = msgspec.structs.replace(task, settings=tuple(settings_for(work.target)))
    with frame_log() as log:
        report = report_image(engine, task, work.action)
    if work.verbose:
        sys.stderr.write(f"{log.getvalue()}\n")
    if work.keep:
        write_atomically(Path(work.folder) / "logs" / f"{task.name}.log", log.getvalue())
    else:
        if report.cause is not None:
            report.reason = Why(report.cause, report.values).elsewhere("Use --verbose to see the DIALS message.")
        report.files = {}
        for lattice in report.lattices:
            lattice.files = {}
    return report
