"""Rules by which a run revises its geometry, from its parameters."""

from __future__ import annotations

import contextlib
import heapq
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from iota.analysis.summary import summary_of
from iota.analysis.table.table import RunTable
from iota.engine.questions import HitFrame
from iota.errors import ParameterError, RunFolderError
from iota.geometry.drift.record import GeometryDrift
from iota.params.from_target import given_lattice, words_in
from iota.params.to_backend import reference_phil
from iota.processes.question import Asked, NoAnswerError, Question
from iota.processes.stoppable import StoppableQuestions
from iota.processing.geometry.checks import GeometryChecks, frames_of_parts
from iota.processing.geometry.revision import MAX_COMPARED, GeometryRules, More, Proposal
from iota.records import FrameRef, FrameResult, Screened, Settings
from iota.refinement.questions import (
    PROPOSE_GEOMETRY,
    SEARCH_WITH_HITS,
    ProposedGeometry,
    ProposeGeometry,
    SearchWithHits,
)
from iota.runs import RunFolder, iterate_ledger
from iota.runs.folder import new_numbered_folder
from iota.runs.geometry_revisions import BY_RUN, Method, Revision
from iota.runs.sampling import scouting_key

logger = logging.getLogger(__name__)

DRIFT_RECORD = "drift.json"
MAX_CELLS = 500  # that are compared for the consensus
MAX_HITS = 60  # of a search


def geometry_rules(
    values: Any,
    target: str,
    folder: RunFolder,
    settings: tuple[Settings, ...],
    frames: Callable[[], Sequence[FrameRef]],
) -> GeometryRules | None:
    """Rules for revising the geometry; None if it is to be kept.

    Args:
        values: parameters of IOTA.
        target: parameters of the backend, as PHIL.
        folder: of the run.
        settings: for hits without a lattice.
        frames: gives those of the run, in the order of time.
    """
    if values.geometry.refine == "off" or _is_given(target):
        return None
    given = given_lattice(folder.target)
    finder = _Finder(folder, values.geometry.levels, frames)
    return GeometryRules(
        search=finder.search,
        refine=finder.refine,
        follow=finder.follow,
        more=finder.more,
        given_cell=None if given is None else given[0],
        settings_of_search=settings,
        stop=finder.stop,
    )


def _is_given(target: str) -> bool:
    """Whether the user gave a geometry; a CrystFEL geometry is one to start from."""
    try:
        words = words_in(target)
    except ParameterError:
        return True
    return any(
        name.startswith(("geometry.", "input.reference_geometry")) and value not in ("None", "")
        for name, value in words.items()
    )


def read_drift_of(folder: RunFolder, one: Revision | Proposal) -> GeometryDrift:
    """The drift that a geometry of parts of a run follows."""
    path = (folder.path / one.reference).with_name(DRIFT_RECORD)
    return msgspec.json.decode(path.read_bytes(), type=GeometryDrift)


class _Finder:
    """Asks processes with DIALS for better geometries; without an answer the geometry is kept, and the log says why."""

    def __init__(self, folder: RunFolder, levels: list[int] | None, frames: Callable[[], Sequence[FrameRef]]) -> None:
        self._folder, self._levels, self._frames = folder, levels, frames
        self._questions = StoppableQuestions()

    def search(self, hits: Sequence[FrameResult] | Sequence[Screened]) -> Proposal | None:
        """Search with the spots of hits."""
        frames = [self._hit(hit) for hit in hits[:MAX_HITS]]
        return self._proposal("search", SEARCH_WITH_HITS, SearchWithHits(str(self._folder.path), frames))

    def refine(self, integrated: Sequence[FrameResult], again: bool) -> Proposal | None:
        """Refine against the spots of integrated hits."""
        asked = ProposeGeometry(run=str(self._folder.path), results=list(integrated), levels=self._levels, again=again)
        return self._proposal("refinement", PROPOSE_GEOMETRY, asked)

    def follow(self) -> tuple[Proposal, list[FrameResult]] | None:
        """Measure the drift of the detector with the frames that are finished, except for some hits."""
        records = iterate_ledger(self._folder.ledger)
        integrated = (result for result in records if result.outcome == "integrated")
        hits = heapq.nsmallest(MAX_COMPARED, integrated, key=lambda result: scouting_key(result.frame))
        table = RunTable(self._folder)
        table.update()
        frames = self._frames()
        consensus = summary_of(table, len(frames), MAX_CELLS).consensus
        checks = GeometryChecks(
            self._folder, table, consensus, frames, self._questions.ask, without=[hit.frame for hit in hits]
        )
        folder = new_numbered_folder(self._folder.path / "geometry")
        (folder / BY_RUN).touch()
        try:
            drift = checks.drift(folder)
        except (NoAnswerError, RunFolderError) as error:
            logger.info("The geometry was not checked for drift: %s", error)
            drift = None
        if drift is None or not drift.parts:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # others are there
                folder.parent.rmdir()
            return None
        self._folder.write_text(folder / DRIFT_RECORD, msgspec.json.format(msgspec.json.encode(drift)).decode() + "\n")
        reference = str(Path(drift.parts[0].file).relative_to(self._folder.path))
        return Proposal(reference, drift.sentence, drift.n_lattices, "drift"), hits

    def more(self, one: Revision | Proposal | None) -> More:
        """Backend parameters that make a frame use a geometry."""
        if one is None:
            return lambda _: ""
        path = self._folder.path / one.reference
        if one.method != "drift":
            phil = reference_phil(path)
            return lambda _: phil
        drift = read_drift_of(self._folder, one)
        parts = frames_of_parts(drift, self._frames())
        phils = [reference_phil(path.parent / Path(part.file).name) for part, _ in parts]
        number = {frame: k for k, (_, frames) in enumerate(parts) for frame in frames}
        return lambda frame: phils[number.get(frame, len(phils) - 1)]

    def _proposal(self, method: Method, question: Question[Asked, ProposedGeometry], asked: Asked) -> Proposal | None:
        try:
            found = self._questions.ask(question, asked)
        except NoAnswerError as error:
            if not self._questions.is_stopped:
                logger.info("The geometry is kept: %s", error)
            return None
        if found.reference is not None:
            return Proposal(found.reference, found.finding, found.n_used, method)
        if found.diagnosis is not None:
            logger.info(
                "The geometry was checked with %d lattices and is kept: RMSD %.2f px, %.2f px if it is refined. %s",
                found.n_used,
                found.diagnosis.rmsd_px,
                found.diagnosis.rmsd_refined_px,
                found.finding or found.diagnosis.sentence,
            )
        elif found.finding:
            logger.info("The geometry is kept. %s", found.finding)
        return None

    def stop(self) -> None:
        """End what is being asked: nobody waits for the answer any more."""
        self._questions.stop()

    def _hit(self, hit: FrameResult | Screened) -> HitFrame:
        if isinstance(hit, Screened) or not {"strong", "experiments"} <= hit.files.keys():
            return HitFrame(hit.frame)
        return HitFrame(hit.frame, *(str(self._folder.path / hit.files[what]) for what in ("experiments", "strong")))
