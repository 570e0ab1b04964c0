"""``iota.geometry`` step by step: reads lattices, refines the detector, tests it on images that were not used."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

import iota
from iota.crystallography.cells import Cell, cell_from_basis, median_cell
from iota.crystallography.nearness import is_within_fraction
from iota.engine.backend.installation import dials_version
from iota.engine.geometry.detector import with_panels
from iota.engine.geometry.observations import IndexedStills, read_stills
from iota.engine.images.detector_moves import distance_mm
from iota.engine.stills.lattice import beam_centre
from iota.errors import UsageError
from iota.geometry.displacements import displacements, without_common_motion
from iota.geometry.joint import MINIMUM_LATTICES, refine
from iota.geometry.normal_equations import residuals
from iota.geometry.observations import Observations
from iota.geometry.panels import Panels
from iota.records import FrameRef
from iota.refinement.fitting import PARTS, Fit, Levels, fit_spots, fits_without_parts, jackknife, with_known_cell
from iota.refinement.record import SIGNIFICANT, Cells, Evidence, GeometryRefinement, Place, RefinedParameter
from iota.refinement.sources import Source
from iota.runs.sampling import scouting_key

_ONE_CELL = 0.003  # relative robust spread of cell lengths up to which lattices share a cell
_KNOWN = 0.1  # relative difference of a cell from the known one beyond which it is that of another crystal

Step = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True)
class RefinedGeometry:
    """What a refinement led to. Get it from :func:`refine_geometry`."""

    record: GeometryRefinement
    stills: IndexedStills
    panels: Panels
    detector: Any  # of dxtbx


def refine_geometry(source: Source, values: Any, step: Step) -> RefinedGeometry:
    """Refine a detector, and test the refinement on images that were not used for it (fivefold cross-validation).

    Args:
        source: lattices.
        values: parameters, see :mod:`iota.params.refining`.
        step: shows what is being done.

    Raises:
        UsageError: there are too few lattices, or the parameters do not fit them.
        BackendError: the files cannot be read.
    """
    started = time.time()
    n_chosen = sum(len(files.numbers) for files in source.files)
    with step(f"Reading the spots of {n_chosen} lattice{'' if n_chosen == 1 else 's'}"):
        stills = read_stills(source.files)
    _check_number(stills)
    levels = tuple(sorted(set(values.levels or [0])))
    cells, known = _cells(source, stills, values, levels)
    spots = stills.spots
    if cells == "shared":
        spots = replace(spots, cell_group=np.zeros(spots.n_lattices, dtype=np.int64))
    part = _fifths(stills.frames)
    with step(f"Refining the geometry with {spots.n_lattices} lattices"):
        found, observations = fit_spots(stills.panels, spots, levels, known)
        fitted = _evidence(stills.panels, [(found.panels, observations)], None)
    with step("Testing it on images that were not used"):
        without = fits_without_parts(stills.panels, observations, part, levels, known)
        folds = [(fit.panels, observations.select(part == k)) for k, fit in without.items()]
        tested = _evidence(stills.panels, folds, None)
        tested_as_known = None if known is None else _evidence(stills.panels, folds, known)
        uncertainties = jackknife(found, list(without.values()))
    detector = with_panels(stills.detector, found.panels)
    record = GeometryRefinement(
        source=source.names,
        started=started,
        versions={"iota": iota.__version__, "DIALS": dials_version()},
        levels=list(levels),
        cells=cells,
        unit_cell=known or _median_cell(found.a_star),
        space_group=source.space_group,
        before=_place(stills.detector, stills.beam),
        after=_place(detector, stills.beam),
        fit=fitted,
        test=tested,
        test_known=tested_as_known,
        n_frames=len(set(stills.frames)),
        n_available=source.n_available,
        n_rejected=found.n_rejected,
        parameters=_parameters(found, uncertainties),
        held=list(found.held),
        left_out={**source.left_out, **stills.left_out},
        remarks=[*source.remarks, *found.remarks, *_remarks(stills, levels)],
    )
    _add_displacements(record, stills, found.panels)
    return RefinedGeometry(record, stills, found.panels, detector)


def _check_number(stills: IndexedStills) -> None:
    n = stills.observations.n_lattices
    if n < MINIMUM_LATTICES:
        excluded = ", ".join(f"{number} {reason}" for reason, number in stills.left_out.items())
        few, orientations = ("lattice is", "its orientation") if n == 1 else ("lattices are", "their orientations")
        raise UsageError(
            f"{n} indexed {few} too few to refine the geometry, because {orientations} would absorb its errors; at"
            f" least {MINIMUM_LATTICES} are needed{f' ({excluded})' if excluded else ''}. Process more images."
        )
    if len(set(stills.frames)) < 2:
        raise UsageError(
            f"All {n} lattices are on one image, so a refined geometry cannot be tested on others. Process more images."
        )


def _cells(source: Source, stills: IndexedStills, values: Any, levels: Levels) -> tuple[Cells, Cell | None]:
    """How unit cells are treated, and the known one if they are held at it.

    Raises:
        UsageError: a cell should be known and is not, or is that of another crystal.
    """
    given = source.known_cell if values.unit_cell is None else values.unit_cell.parameters()
    if values.cells == "known" and given is None:
        raise UsageError(
            'No unit cell is known. Give it, e.g. unit_cell="79.2 79.2 38.1 90 90 90", or omit cells=known.'
        )
    if values.cells == "known" and 0 not in levels:
        raise UsageError(
            "A known unit cell determines the distance of the detector as a whole. Add level 0, e.g. levels=0,1, or"
            " omit cells=known."
        )
    if given is not None and values.cells in ("auto", "known") and 0 in levels:
        if not is_within_fraction(source.unit_cell, given, _KNOWN):
            raise UsageError(
                "The known unit cell differs from that of the lattices, or is in another setting. Give the cell of the"
                " lattices as unit_cell, or refine the cells with cells=shared or cells=free."
            )
        return "known", given
    if values.cells in ("shared", "free"):
        return values.cells, None
    lengths = _lengths(stills.observations.a_star)
    spread = 1.4826 * np.median(np.abs(lengths / np.median(lengths, axis=0) - 1.0), axis=0)
    return ("shared" if spread.max() <= _ONE_CELL else "free"), None


def _lengths(a_star: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Lengths of the cell axes (A), `[m, 3]`."""
    return np.asarray(np.linalg.norm(np.linalg.inv(a_star), axis=2))


def _median_cell(a_star: npt.NDArray[np.float64]) -> Cell:
    return median_cell([cell_from_basis(basis) for basis in np.linalg.inv(a_star)])


def _fifths(frames: Sequence[FrameRef]) -> npt.NDArray[np.int64]:
    """In which fifth of the images each lattice is, `[m]`; which images these are depends on a digest of the names."""
    number = {frame: k % PARTS for k, frame in enumerate(sorted(set(frames), key=scouting_key))}
    return np.array([number[frame] for frame in frames])


def _evidence(before: Panels, after: Sequence[tuple[Panels, Observations]], known: Cell | None) -> Evidence:
    """Compare geometries, each with the crystals refined, over the spots that are outliers with neither.

    Args:
        before: the detector at the start.
        after: refined detectors, and the lattices with which each is compared.
        known: the cell of the lattices, or None to refine the cell of each.
    """
    n_spots, squares = 0, np.zeros(2)
    for panels, observations in after:
        lattices = replace(observations, cell_group=np.full(observations.n_lattices, -1))
        lattices = lattices if known is None else with_known_cell(lattices, known)
        found = [
            (one, refine(one, lattices, (), hold_cells=known is not None, minimum_lattices=1))
            for one in (before, panels)
        ]
        used = found[0][1].accepted & found[1][1].accepted
        pixel_mm = before.pixel_mm[lattices.panel[used]]
        off = [residuals(one, lattices, crystals.a_star, crystals.s0)[used, :2] for one, crystals in found]
        squares += [((xy / pixel_mm) ** 2).sum() for xy in off]
        n_spots += int(used.sum())
    rmsd = np.sqrt(squares / max(1, n_spots))
    return Evidence(
        n_lattices=sum(observations.n_lattices for _, observations in after),
        n_spots=n_spots,
        rmsd_before_px=float(rmsd[0]),
        rmsd_after_px=float(rmsd[1]),
    )


def _place(detector: Any, beam: Any) -> Place:
    return Place(distance_mm=distance_mm(detector, beam), beam_centre_px=beam_centre(detector, beam)[1])


def _parameters(found: Fit, uncertainties: Sequence[float]) -> list[RefinedParameter]:
    return [
        RefinedParameter(
            name=parameter.name,
            level=parameter.level,
            group=found.panels.group_name(parameter.level, parameter.group),
            change=parameter.value,
            uncertainty=None if parameter.esd is None else uncertainty,
            unit=parameter.unit,
            is_significant=parameter.esd is not None and abs(parameter.value) > SIGNIFICANT * uncertainty,
        )
        for parameter, uncertainty in zip(found.parameters, uncertainties, strict=True)
    ]


def _remarks(stills: IndexedStills, levels: Levels) -> list[str]:
    remarks = [
        f"Most panels are closest to one of another group of level {level}. Check whether the hierarchy is that of this"
        " detector, with its panels in the same order."
        for level in levels
        if not stills.panels.are_groups_together(level)
    ]
    if stills.n_from_integration:
        remarks.append(
            f"The spots of {stills.n_from_integration} lattices are integrated reflections, whose positions are biased"
            " towards the predicted ones. Give the files of indexed spots if there are any."
        )
    if stills.unreadable:
        n = len(stills.unreadable)
        remarks.append(f"{n} file{'' if n == 1 else 's'} could not be read: {stills.unreadable[0]}")
    return remarks


def _add_displacements(record: GeometryRefinement, stills: IndexedStills, panels: Panels) -> None:
    s0 = np.array(stills.beam.get_s0())
    record.largest_shift_px = float(displacements(stills.panels, panels, s0).length_px.max())
    if len(panels) > 1 and len(record.levels) and record.levels != [0]:
        own = displacements(stills.panels, without_common_motion(stills.panels, panels), s0)
        record.panel_shift_rms_px = float(np.sqrt((own.length_px**2).mean()))
