"""Translates the parameters of a run into the configuration of engine and lattice determination."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from iota.crystallography.cells import cell_from_text
from iota.engine.backend.known_symmetry import with_lattice
from iota.engine.frame import questions
from iota.engine.frame.config import EngineConfig
from iota.engine.frame.filter import LatticeFilter
from iota.engine.frame.grid import Grid
from iota.engine.frame.picture_choice import Pictures
from iota.errors import UsageError
from iota.processing.determination import DeterminationRules
from iota.records import Settings
from iota.runs import RunFolder
from iota.workers import dials


def engine_config(values: Any, target: str, folder: RunFolder) -> EngineConfig:
    """The configuration of the workers.

    Args:
        values: parameters of IOTA.
        target: parameters of the backend, as PHIL.
        folder: of the run.
    """
    xfel, mp = values.cctbx_xfel, values.mp
    return EngineConfig(
        target=target,
        run_folder=str(folder.path),
        strong_sigma=values.data_selection.image_triage.strong_sigma,
        find_symmetry=xfel.determine_sg_and_reindex,
        lattice_filter=_lattice_filter(xfel.filter),
        memory_GB=mp.frame_memory,
        accelerate=values.advanced.acceleration == "on",
        files_grow=values.gui.monitor_mode,
        grid=_grid(values),
        pictures=_pictures(values.analysis),
        scratch=str(scratch_folder(values, folder)),
    )


def scratch_folder(values: Any, folder: RunFolder) -> Path:
    """Folder for temporary files: unique to the run, since several runs may share a parent folder."""
    given = values.advanced.temporary_output_folder
    if not given:
        return folder.path / "tmp"
    digest = hashlib.blake2b(str(folder.path).encode(), digest_size=6).hexdigest()
    return Path(given) / f"iota_{folder.path.name}_{digest}"


def strategy(values: Any, target: str) -> tuple[tuple[Settings, ...], DeterminationRules | None]:
    """Settings for every frame, and rules for determining the lattice if it is not given."""
    xfel = values.cctbx_xfel
    has_cell, space_group = dials.ask(questions.given_lattice, target)
    if has_cell:
        return (Settings("given lattice"),), None
    in_turn = xfel.learning.try_settings_in_turn
    settings = dials.ask(questions.settings_to_try, target) if in_turn else [Settings("given settings")]
    if not xfel.learning.flag_on:
        return tuple(settings), None
    rules = DeterminationRules(
        settings_to_try=settings,
        with_lattice=lambda label, cell, group: with_lattice(label, cell, group, space_group),
        min_agreement=xfel.learning.min_agreement,
        max_frames=xfel.learning.max_frames,
        find_symmetry=xfel.determine_sg_and_reindex,
        given_space_group=space_group,
    )
    return tuple(settings), rules


def check_can_watch(values: Any) -> None:
    """Check that the parameters are compatible with monitor mode.

    Raises:
        UsageError: they ask for a selection of images that are there already.
    """
    selection = values.data_selection
    if selection.image_range.flag_on or selection.random_sample.flag_on:
        raise UsageError("In monitor mode, all images are processed; omit range and random sample.")
    if values.cctbx_xfel.optimise.flag_on:
        raise UsageError("cctbx_xfel.optimise needs a sample of existing images and cannot be used in monitor mode.")


def _lattice_filter(scope: Any) -> LatticeFilter | None:
    if not scope.flag_on:
        return None
    return LatticeFilter(
        crystal_system=None if scope.crystal_system == "None" else scope.crystal_system,  # one of the choices
        point_group=None if scope.pointgroup is None else str(scope.pointgroup),
        unit_cell=None if scope.unit_cell is None else cell_from_text(str(scope.unit_cell).strip("()")),
        uc_tolerance=0.05 if scope.uc_tolerance is None else scope.uc_tolerance,
        min_reflections=scope.min_reflections,
        min_resolution_A=scope.min_resolution,
    )


def _pictures(analysis: Any) -> Pictures | None:
    """Pictures of each frame; None if none are requested."""
    pictures = Pictures(
        predictions=analysis.viz == "integration", vectors=analysis.viz == "cv_vectors", trumpet=analysis.charts
    )
    return None if pictures == Pictures() else pictures


def _grid(values: Any) -> Grid | None:
    """The grid of spot-finding settings to search for each frame; None if no search is requested."""
    kind = values.cctbx_xfel.grid_search.type
    if kind == "by_backend":
        kind = "brute_force" if values.advanced.processing_backend == "ha14" else "no_grid_search"
    return None if kind == "no_grid_search" else msgspec.structs.replace(grid_points(values), kind=kind)


def grid_points(values: Any) -> Grid:
    """The settings of a grid search, whether or not it is requested."""
    search, selection = values.cctbx_xfel.grid_search, values.cctbx_xfel.selection
    before = selection.prefilter
    prefilter = LatticeFilter(
        point_group=None if before.target_pointgroup is None else str(before.target_pointgroup),
        unit_cell=None if before.target_unit_cell is None else before.target_unit_cell.parameters(),
        uc_tolerance=0.05 if before.target_uc_tolerance is None else before.target_uc_tolerance,
        min_reflections=before.min_reflections,
        min_resolution_A=before.min_resolution,
    )
    return Grid(
        area_median=search.area_median,
        area_range=search.area_range,
        height_median=search.height_median,
        height_range=search.height_range,
        scan_signal=search.sig_height_search,
        select_by=selection.select_by,
        prefilter=prefilter if before.flag_on else None,
    )
