"""Refines the geometry of a run while it is in progress, in a separate process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from iota.engine.geometry.observations import OTHER_DETECTOR, read_stills
from iota.geometry.deviations import DISTANCE, MINIMUM_DIAGNOSED, Diagnosis
from iota.geometry.diagnosis import diagnose
from iota.params.refining import GEOMETRY
from iota.processes.protocol import Tell
from iota.refinement.files import write_geometry, write_search
from iota.refinement.questions import ProposedGeometry, ProposeGeometry, SearchWithHits
from iota.refinement.refining import refine_geometry
from iota.refinement.searching import search_hits
from iota.refinement.sources import source_of_results
from iota.runs import RunFolder

_OTHER_GEOMETRIES = 0.05  # of the lattices, whose headers say so: the geometry of the others would be wrong for them
_MATTERS_AGAIN_PX = 0.05  # displacement of spots that is worth refining once more


def propose_geometry(asked: ProposeGeometry, tell: Tell) -> ProposedGeometry:
    """Refine the geometry and write it to the run folder, if it is wrong.

    Raises:
        UsageError: there are too few lattices, or the levels are not those of the detector.
        BackendError: the files of the frames cannot be read.
        RunFolderError: the folder cannot be written.
    """
    run = RunFolder.open(Path(asked.run))
    values = GEOMETRY.read()
    source = source_of_results(run, asked.results, values)
    stills = read_stills(source.files)
    n_lattices = stills.observations.n_lattices
    if n_lattices < MINIMUM_DIAGNOSED or len(set(stills.frames)) < MINIMUM_DIAGNOSED:
        return ProposedGeometry(n_used=n_lattices)
    known = source.known_cell
    diagnosis = diagnose(stills.panels, stills.observations, known)
    found = ProposedGeometry(n_used=n_lattices, diagnosis=diagnosis)
    n_others = stills.left_out.get(OTHER_DETECTOR, 0)
    if n_others > _OTHER_GEOMETRIES * (n_lattices + n_others):
        return msgspec.structs.replace(
            found, finding=f"{n_others} lattices have another geometry in their headers, which is left to them."
        )
    wrong = diagnosis.sentence or _wrong_distance(diagnosis)
    if diagnosis.remarks or not (asked.again or wrong):
        return found
    last = len(stills.panels.groups) - 1
    values.levels = asked.levels or ([0, last] if last and _panels_are_displaced(diagnosis) else [0])
    if known is not None and not diagnosis.explains_cells:  # another crystal form
        values.cells = "free"
    refined = refine_geometry(source, values, _without_progress)
    if not refined.record.is_better or refined.record.largest_shift_px < _MATTERS_AGAIN_PX:
        return found
    folder = write_geometry(refined, source, None, by_run=True)
    return ProposedGeometry(
        n_used=n_lattices,
        diagnosis=diagnosis,
        reference=str((folder / "refined.expt").relative_to(run.path)),
        finding=wrong or f"Spots were displaced by up to {refined.record.largest_shift_px:.2f} px.",
    )


def search_with_hits(asked: SearchWithHits, tell: Tell) -> ProposedGeometry:
    """Search for beam centre and distance, and write the geometry to the run folder if it is another one.

    Raises:
        NoAnswerError: none of the hits has spots, or they cannot be read.
        RunFolderError: the folder cannot be written.
    """
    run = RunFolder.open(Path(asked.run))
    searched = search_hits(run, asked.hits, GEOMETRY.read(), _without_progress)
    found = searched.record.result
    reference = None
    if searched.experiment is not None:
        reference = str((write_search(searched, None, by_run=True) / "found.expt").relative_to(run.path))
    return ProposedGeometry(n_used=found.n_hits, reference=reference, finding=found.sentence)


def _wrong_distance(diagnosis: Diagnosis) -> str:
    """What is wrong with the distance if no cell is known; the curvature of the Ewald sphere tells it."""
    found = diagnosis.deviation(DISTANCE)
    if diagnosis.is_cell_known or found is None or not (found.is_significant and found.matters):
        return ""
    return (
        f"The detector distance is {diagnosis.distance_mm + found.value:.2f} ± {found.uncertainty:.2f} mm, as the"
        f" positions of spots show, instead of {diagnosis.distance_mm:.2f} mm."
    )


def _panels_are_displaced(diagnosis: Diagnosis) -> bool:
    return any(panel.is_significant for panel in diagnosis.panels)


@contextlib.contextmanager
def _without_progress(_: str) -> Iterator[None]:
    yield
