"""Rules by which a run revises its geometry, from its parameters."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from iota.engine.questions import HitFrame
from iota.errors import ParameterError
from iota.params.from_target import given_lattice, words_in
from iota.params.to_backend import reference_phil
from iota.processes.question import Asked, NoAnswerError, Question
from iota.processing.geometry_revision import GeometryRules, Proposal
from iota.records import FrameResult, Screened, Settings
from iota.refinement.questions import (
    PROPOSE_GEOMETRY,
    SEARCH_WITH_HITS,
    ProposedGeometry,
    ProposeGeometry,
    SearchWithHits,
)
from iota.runs import RunFolder

logger = logging.getLogger(__name__)

MAX_HITS = 60  # of a search


def geometry_rules(values: Any, target: str, folder: RunFolder, settings: tuple[Settings, ...]) -> GeometryRules | None:
    """Rules for revising the geometry; None if it is to be kept.

    Args:
        values: parameters of IOTA.
        target: parameters of the backend, as PHIL.
        folder: of the run.
        settings: for hits without a lattice.
    """
    if values.geometry.refine == "off" or _is_given(target):
        return None
    given = given_lattice(folder.target)
    asker = _Asker(folder, values.geometry.levels)
    return GeometryRules(
        search=asker.search,
        refine=asker.refine,
        more=lambda one: "" if one is None else reference_phil(folder.path / one.reference),
        given_cell=None if given is None else given[0],
        settings_of_search=settings,
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


class _Asker:
    """Asks processes with DIALS for better geometries; without an answer the geometry is kept, and the log says why."""

    def __init__(self, folder: RunFolder, levels: list[int] | None) -> None:
        self._folder, self._levels = folder, levels

    def search(self, hits: Sequence[FrameResult] | Sequence[Screened]) -> Proposal | None:
        """Search with the spots of hits."""
        frames = [self._hit(hit) for hit in hits[:MAX_HITS]]
        return self._proposal(SEARCH_WITH_HITS, SearchWithHits(str(self._folder.path), frames))

    def refine(self, integrated: Sequence[FrameResult], again: bool) -> Proposal | None:
        """Refine against the spots of integrated hits."""
        asked = ProposeGeometry(run=str(self._folder.path), results=list(integrated), levels=self._levels, again=again)
        return self._proposal(PROPOSE_GEOMETRY, asked)

    def _proposal(self, question: Question[Asked, ProposedGeometry], asked: Asked) -> Proposal | None:
        try:
            found = question.ask(asked)
        except NoAnswerError as error:
            logger.info("The geometry is kept: %s", error)
            return None
        if found.reference is not None:
            return Proposal(found.reference, found.finding, found.n_used)
        if found.diagnosis is not None:
            logger.info(
                "The geometry was checked with %d lattices and is kept: RMSD %.2f px, %.2f px if it is refined. %s",
                found.n_used,
                found.diagnosis.rmsd_px,
                found.diagnosis.rmsd_refined_px,
                found.diagnosis.sentence,
            )
        elif found.finding:
            logger.info("The geometry is kept. %s", found.finding)
        return None

    def _hit(self, hit: FrameResult | Screened) -> HitFrame:
        if isinstance(hit, Screened) or not {"strong", "experiments"} <= hit.files.keys():
            return HitFrame(hit.frame)
        return HitFrame(hit.frame, *(str(self._folder.path / hit.files[what]) for what in ("experiments", "strong")))
