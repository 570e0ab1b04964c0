"""Searches for beam centre and distance of a run in which too few lattices were indexed to refine its geometry."""

from __future__ import annotations

import heapq
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import iota
from iota.analysis.summary import SummaryBuilder
from iota.engine.backend.dials_files import read_experiments
from iota.engine.backend.installation import dials_version
from iota.engine.questions import SEARCH_GEOMETRY, HitFrame, SearchGeometry
from iota.errors import RunFolderError, UsageError
from iota.geometry.joint import MINIMUM_LATTICES
from iota.geometry.search import are_few
from iota.params.from_target import given_lattice
from iota.params.to_backend import reference_phil
from iota.processes.question import NoAnswerError
from iota.records import NOT_HITS, FrameRef, FrameResult
from iota.refinement.record import GeometrySearch
from iota.refinement.refining import Step
from iota.runs import RunFolder, iterate_ledger
from iota.runs.geometry_revisions import read_revisions
from iota.runs.sampling import scouting_key

MAX_HITS = 60


@dataclass(frozen=True)
class SearchedGeometry:
    """What a search led to. Get it from :func:`search_run`."""

    record: GeometrySearch
    run: RunFolder
    frames: list[FrameRef]
    experiment: Any  # of dxtbx, with the detector that was found; None if it is the one of the files

    @property
    def are_too_few(self) -> bool:
        """Whether there are too few lattices for a refinement."""
        return self.record.n_lattices < MINIMUM_LATTICES


def search_run(run: RunFolder, values: Any, step: Step) -> SearchedGeometry | None:
    """Search for beam centre and distance with the spots of hits of a run; None if this is not wanted or not needed.

    Args:
        run: folder of the run.
        values: parameters, see :mod:`iota.params.refining`.
        step: shows what is being done.

    Raises:
        UsageError: nothing was found, and there are too few lattices to refine the geometry with them.
        RunFolderError: the run cannot be read.
    """
    if values.search == "off":
        return None
    builder = SummaryBuilder(0)
    for result in iterate_ledger(run.ledger):
        builder.add(result)
    summary = builder.summary()
    n_lattices = 0 if summary.consensus is None else summary.consensus.n_lattices
    if not summary.n_hits:
        raise UsageError(f"{run.path} has no hits, so its geometry can neither be refined nor searched for.")
    if values.search == "auto" and not are_few(n_lattices, summary.n_hits):
        return None
    try:
        searched = search_hits(run, hits_of_run(run), values, step, n_lattices, summary.n_hits)
    except NoAnswerError:
        if values.search == "auto" and n_lattices >= MINIMUM_LATTICES:
            return None
        raise
    found = searched.record.result
    if searched.are_too_few and not found.found:
        raise UsageError(
            f"{n_lattices} indexed lattices are too few to refine the geometry. {found.sentence} Process more images,"
            " search farther (search_radius, search_distance), or check wavelength and distance by hand."
        )
    return searched


def search_hits(
    run: RunFolder,
    frames: Sequence[HitFrame],
    values: Any,
    step: Step,
    n_lattices: int = 0,
    n_available: int | None = None,
) -> SearchedGeometry:
    """Search with the spots of some hits.

    Args:
        run: folder of the run.
        frames: hits.
        values: parameters, see :mod:`iota.params.refining`.
        step: shows what is being done.
        n_lattices: lattices that were indexed, for the record.
        n_available: hits from which these were chosen; None: all.

    Raises:
        NoAnswerError: none of the hits has spots, or they cannot be read.
        RunFolderError: the run cannot be read.
    """
    started = time.time()
    cell, space_group = _known_cell(run, values)
    with tempfile.TemporaryDirectory(prefix="iota_") as folder:
        output = Path(folder) / "found.expt"
        asked = SearchGeometry(
            list(frames),
            target_of(run),
            str(output),
            cell,
            space_group,
            radius_px=values.search_radius,
            distance_range=0.01 * values.search_distance,
        )
        with step(f"Searching for beam centre and distance with {len(frames)} hits"):
            found = SEARCH_GEOMETRY.ask(asked)
        experiment = read_experiments(output)[0] if found.changed else None
    record = GeometrySearch(
        source=[str(run.path)],
        started=started,
        versions={"iota": iota.__version__, "DIALS": dials_version()},
        unit_cell=cell,
        space_group=space_group,
        n_lattices=n_lattices,
        n_available=len(frames) if n_available is None else n_available,
        result=found,
    )
    return SearchedGeometry(record, run, [frame.frame for frame in frames], experiment)


def hits_of_run(run: RunFolder, most: int = MAX_HITS) -> list[HitFrame]:
    """All hits of a run or, if there are many, those of the half with more spots that come first by a digest.

    Raises:
        RunFolderError: the run cannot be read.
    """
    n_spots = np.sort(np.fromiter((result.n_spots or 0 for result in _hits(run)), dtype=np.int64))
    enough = int(n_spots[-max(most, len(n_spots) // 2)]) if len(n_spots) > most else 0
    chosen = heapq.nsmallest(
        most,
        (result for result in _hits(run) if (result.n_spots or 0) >= enough),
        key=lambda result: scouting_key(result.frame),
    )
    return [_hit_frame(run, result) for result in chosen]


def _hits(run: RunFolder) -> Iterator[FrameResult]:
    return (result for result in iterate_ledger(run.ledger) if result.outcome not in NOT_HITS)


def _hit_frame(run: RunFolder, result: FrameResult) -> HitFrame:
    """A hit with the files of its spots, if they were kept."""
    if not {"experiments", "strong"} <= result.files.keys():
        return HitFrame(result.frame)
    return HitFrame(result.frame, *(str(run.path / result.files[what]) for what in ("experiments", "strong")))


def _known_cell(run: RunFolder, values: Any) -> tuple[Any, str | None]:
    """The cell that is given here or for the run, and its space group if it is that of the run."""
    given = given_lattice(run.target)
    if values.unit_cell is not None:
        return values.unit_cell.parameters(), None if given is None else given[1]
    return (None, None) if given is None else given


def target_of(run: RunFolder) -> str:
    """Parameters of the backend with which a run was processed, with the geometry that it found for itself, if any.

    Raises:
        RunFolderError: they cannot be read.
    """
    try:
        target = run.target.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunFolderError(f"The settings of the run, {run.target}, cannot be read: {error}.") from error
    revision = read_revisions(run).in_use
    return target if revision is None else f"{target}\n{reference_phil(run.path / revision.reference)}"
