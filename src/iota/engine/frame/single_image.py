"""Processes one image for ``iota.single_image``: spots, resolution, ice, lattice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from dials.algorithms.spot_finding.per_image_analysis import stats_for_reflection_table

from iota.causes import Cause, Outcome, Values, Why
from iota.crystallography.cells import Cell
from iota.crystallography.space_groups import bravais_symbol
from iota.engine.backend.indexing_settings import lattice_is_given, settings_to_try
from iota.engine.backend.remarks import collect_remarks
from iota.engine.frame.engine import Engine
from iota.engine.frame.frame import Failure, FrameFailedError, FrameWork
from iota.engine.frame.process_memory import ProcessMemory
from iota.engine.spots.ice_rings import ice_rings_A
from iota.engine.stills.indexing import Indexed
from iota.records import Lattice, Settings, Task
from iota.runs.earlier_records import name_as_before

Action = Literal["spotfind", "index", "integrate"]


class ImageReport(msgspec.Struct, kw_only=True):
    """Results for one image; None if a stage was not reached or a value is unknown."""

    image: str
    action: Action
    outcome: Outcome | Literal["spots", "indexed"]
    reason: str = ""  # one sentence when it failed
    cause: Cause | None = None  # of the failure
    values: Values = {}  # of the cause, by the names in its sentence
    remarks: list[str] = []  # sentences on its file or header
    n_spots: int = 0
    n_spots_no_ice: int | None = None
    n_overloads: int = 0  # spots with a saturated pixel
    score: int = 0  # spots outside the ice rings between 40 and 4.5 A, where salt and noise are rare
    resolution_A: float | None = None  # as DIALS estimates it from the spots
    spots_d_min_A: float | None = None  # 95 % of the spots are within
    ice_rings_A: list[float] = []
    mean_intensity: float | None = None  # counts of a spot
    settings: str = ""  # with which the lattice was found
    n_indexed: int | None = None
    bravais: str | None = None
    space_group: str | None = None
    unit_cell: Cell | None = None  # A, degrees
    rmsd_px: float | None = None
    lattices: list[Lattice] = []  # integrated
    files: dict[str, str] = {}
    seconds: dict[str, float] = {}  # stage -> s


def report_image(engine: Engine, task: Task, action: Action) -> ImageReport:
    """Process an image as far as requested; a failure is part of the report."""
    start = time.perf_counter()
    memory = ProcessMemory(None)
    report = ImageReport(image=str(task.frame), action=action, outcome="spots")
    with FrameWork(engine, task) as work, collect_remarks() as report.remarks:
        try:
            work.find_spots()
            _describe_spots(report, work)
            if action != "spotfind":
                _find_lattice(report, work, action)
        except FrameFailedError as failure:
            _fail(report, failure.outcome, failure.why)
            if work.spots is not None and not report.n_spots:
                _describe_spots(report, work)
        except MemoryError:
            _fail(report, "crashed", memory.ran_out())
    report.files, report.spots_d_min_A = work.result.files, work.result.spots_d_min_A
    report.seconds = {**work.result.seconds, "total": round(time.perf_counter() - start, 4)}
    return report


def _fail(report: ImageReport, outcome: Outcome, why: Why) -> None:
    report.outcome, report.reason, report.cause, report.values = outcome, str(why), why.cause, why.values


def _describe_spots(report: ImageReport, work: FrameWork) -> None:
    spots = work.spots.copy()
    report.n_spots = len(spots)
    if not len(spots):
        return
    spots.centroid_px_to_mm(work.experiments)
    spots.map_centroids_to_reciprocal_space(work.experiments)
    stats = stats_for_reflection_table(spots)
    report.n_spots_no_ice = stats.n_spots_no_ice
    report.resolution_A = round(stats.estimated_d_min, 2) if stats.estimated_d_min > 0 else None
    d: npt.NDArray[np.float64] = 1.0 / spots["rlp"].norms().as_numpy_array()
    report.ice_rings_A = ice_rings_A(d)
    on_ring = np.zeros(len(d), dtype=bool)
    for ring in report.ice_rings_A:
        on_ring |= np.abs(d / ring - 1) < 0.006
    report.score = int(np.count_nonzero(~on_ring & (d <= 40.0) & (d >= 4.5)))
    report.mean_intensity = round(float(np.mean(spots["intensity.sum.value"].as_numpy_array())), 1)
    report.n_overloads = _n_overloads(spots, work.experiments[0].detector)


def _n_overloads(spots: Any, detector: Any) -> int:
    """Spots with a pixel at or above the end of the trusted range of its panel."""
    if "shoebox" not in spots:
        return 0
    limits = [panel.get_trusted_range()[1] for panel in detector]
    return sum(
        float(max(box.data.as_1d())) >= limits[panel]
        for box, panel in zip(spots["shoebox"], spots["panel"], strict=True)
    )


def _find_lattice(report: ImageReport, work: FrameWork, action: Action) -> None:
    """Index with the first settings that succeed, and integrate if requested."""
    farthest: Failure | None = None
    for settings in work.settings:
        try:
            found = work.correct(work.index(settings))
            _describe_lattice(report, found)
            if action == "integrate":
                report.lattices = work.integrate(found)
                name_as_before(report.lattices)
                report.outcome = "integrated"
            return
        except FrameFailedError as failure:
            farthest = failure.failure
    if farthest is not None:
        raise FrameFailedError(*farthest)


def _describe_lattice(report: ImageReport, found: Indexed) -> None:
    crystal = found.experiments[0].crystal
    a, b, c, alpha, beta, gamma = (round(float(x), 3) for x in crystal.get_unit_cell().parameters())
    report.outcome = "indexed"
    report.settings, report.n_indexed = found.label, found.n_indexed
    report.unit_cell = (a, b, c, alpha, beta, gamma)
    report.space_group = str(crystal.get_space_group().info())
    report.bravais = bravais_symbol(report.space_group)
    report.rmsd_px = round(found.rmsd_px, 3)


def settings_for(target: str) -> Sequence[Settings]:
    """Settings to try in turn: the given lattice only, or those for unknown crystals."""
    return (Settings("given lattice"),) if lattice_is_given(target) else tuple(settings_to_try(target))
