"""Rounds over one set of images, and the figures that come out of them."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from dxtbx.model.experiment_list import ExperimentListFactory

from iota.runs import read_ledger

from .programs import Done, IotaRun, Program
from .results import Merged, Quality, correlate, judge
from .sets import ImageSet, true_intensities


@dataclass(frozen=True)
class RunFigures:
    """What only a run of IOTA tells.

    ``stages_s`` are means over all frames, ``outcomes`` numbers of frames in the last round.  ``coordinator_percent``
    is the CPU time of the coordinator's process among that of all processes; ``coordinating_percent`` the same once it
    has started and hands out work.
    """

    stages_s: dict[str, float]
    first_integrated_s: float | None
    coordinator_percent: float
    coordinating_percent: float | None
    outcomes: dict[str, int]


@dataclass(frozen=True)
class ProgramFigures:
    """Medians over the rounds of one program on one set.

    ``start_s`` and ``start_cpu_s`` are what the command costs on one blank a process; without them, a frame costs
    ``frame_s`` of wall time and ``frame_cpu_s`` of CPU time.
    """

    program: str
    seconds: float
    cpu_s: float
    start_s: float
    start_cpu_s: float
    frame_s: float
    frame_cpu_s: float
    quality: Quality
    merged: Merged | None
    run: RunFigures | None


@dataclass(frozen=True)
class SetFigures:
    """One set; the first of ``programs`` is what the others are compared with.

    ``read_s`` and ``read_cpu_s``: what reading and decoding a frame takes in one process.
    """

    name: str
    title: str
    n_frames: int
    n_blank: int
    nproc: int
    rounds: int
    load_before: float
    read_s: float
    read_cpu_s: float
    programs: list[ProgramFigures]


def measure(
    images: ImageSet,
    blanks: Sequence[Path],
    programs: Sequence[Program],
    rounds: int,
    folder: Path,
    tell: Callable[[str], None],
) -> SetFigures:
    """Run every program on the images, one after the other and in the opposite order in the next round.

    ``blanks``, one a process, tell what starting costs.
    """
    load = os.getloadavg()[0]
    nproc = len(blanks)
    read_s, read_cpu_s = read_and_decode_s(images.images)
    start: dict[Program, list[Done]] = {program: [] for program in programs}
    whole: dict[Program, list[Done]] = {program: [] for program in programs}
    for number in range(1, rounds + 1):
        for program in programs if number % 2 else programs[::-1]:
            place = folder / images.name / program.name.replace(" ", "_")
            start[program].append(program.run(blanks, images.known, nproc, place / f"start_{number}"))
            done = program.run(images.images, images.known, nproc, place / f"round_{number}")
            whole[program].append(done)
            tell(
                f"{images.name}, round {number}, {program.name}: {done.cost.seconds:.1f} s, {done.cost.cpu_s:.1f} CPU s"
            )
    found = [program.found(whole[program][0], images) for program in programs]
    merged = correlate(found, *true_intensities(images)) if images.truth_folder else None
    figures = []
    for k, program in enumerate(programs):
        quality = judge(found[k], images)
        run = _run_figures(whole[program]) if isinstance(program, IotaRun) else None
        costs = _costs(images, nproc, whole[program], start[program])
        figures.append(
            ProgramFigures(program.name, **costs, quality=quality, merged=merged[k] if merged else None, run=run)
        )
    n = len(images.images)
    return SetFigures(images.name, images.title, n, images.n_blank, nproc, rounds, load, read_s, read_cpu_s, figures)


def read_and_decode_s(images: Sequence[Path]) -> tuple[float, float]:
    """Median wall and CPU time in which one process reads and decodes a frame that the system has in its cache."""
    wall, cpu = [], []
    for path in images:
        imageset = ExperimentListFactory.from_filenames([str(path)])[0].imageset
        path.read_bytes()
        wall_before, cpu_before = time.perf_counter(), time.process_time()
        imageset.get_raw_data(0)
        wall.append(time.perf_counter() - wall_before)
        cpu.append(time.process_time() - cpu_before)
    return median(wall), median(cpu)


def _costs(images: ImageSet, nproc: int, whole: Sequence[Done], start: Sequence[Done]) -> dict[str, float]:
    seconds, start_s = (median(done.cost.seconds for done in runs) for runs in (whole, start))
    cpu_s, start_cpu_s = (median(done.cost.cpu_s for done in runs) for runs in (whole, start))
    # Starting is measured with a blank for each process; as many of the set's own are in it, if it has them.
    n_more = max(1, len(images.images) - min(images.n_blank, nproc))
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "start_s": start_s,
        "start_cpu_s": start_cpu_s,
        "frame_s": (seconds - start_s) / n_more,
        "frame_cpu_s": (cpu_s - start_cpu_s) / n_more,
    }


def _run_figures(runs: Sequence[Done]) -> RunFigures:
    stages: dict[str, float] = {}
    first, share, at_work = [], [], []
    for done in runs:
        records, _ = read_ledger(done.ledger)
        for record in records:
            for stage, seconds in record.seconds.items():
                stages[stage] = stages.get(stage, 0.0) + seconds / len(records) / len(runs)
        finished = [record.finished for record in records if record.outcome == "integrated"]
        if finished:
            first.append(min(finished) - done.cost.began)
        cost = done.cost
        share.append(100 * cost.own_cpu_s / cost.cpu_s)
        if cost.start_cpu_s is not None:
            at_work.append(100 * (cost.own_cpu_s - cost.start_cpu_s) / (cost.cpu_s - cost.start_cpu_s))
    return RunFigures(
        stages_s=stages,
        first_integrated_s=median(first) if first else None,
        coordinator_percent=median(share),
        coordinating_percent=median(at_work) if at_work else None,
        outcomes=dict(Counter(record.outcome for record in records)),
    )
