"""Rules by which a run revises its geometry, from its parameters."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from typing import Any

from iota.engine.questions import SEARCH_GEOMETRY, HitFrame, SearchGeometry
from iota.errors import ParameterError
from iota.params import safe_text
from iota.params.from_target import given_lattice, words_in
from iota.params.to_backend import phil
from iota.processes.question import NoAnswerError
from iota.processing.geometry_revision import GeometryRules, Proposal
from iota.records import FrameResult, Screened, Settings
from iota.refinement.questions import PROPOSE_GEOMETRY, ProposeGeometry
from iota.runs import RunFolder
from iota.runs.folder import new_numbered_folder

logger = logging.getLogger(__name__)

_MAX_SEARCHED = 60  # hits


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
    asker = _Asker(folder, target, values.geometry.levels)
    return GeometryRules(
        search=asker.search,
        refine=asker.refine,
        more=lambda one: "" if one is None else _reference(folder, one.folder),
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


def _reference(folder: RunFolder, geometry: str) -> str:
    return phil("advanced.reference_geometry", safe_text.quoted(folder.path / geometry / "refined.expt"))


class _Asker:
    """Asks processes with DIALS for better geometries; without an answer the geometry is kept, and the log says why."""

    def __init__(self, folder: RunFolder, target: str, levels: list[int] | None) -> None:
        self._folder, self._target, self._levels = folder, target, levels

    def search(self, hits: Sequence[FrameResult] | Sequence[Screened]) -> Proposal | None:
        """Search with the spots of hits."""
        folder = new_numbered_folder(self._folder.path / "geometry")
        given = given_lattice(self._folder.target)
        asked = SearchGeometry(
            [self._hit(hit) for hit in hits[:_MAX_SEARCHED]],
            self._target,
            str(folder / "refined.expt"),
            None if given is None else given[0],
            None if given is None else given[1],
        )
        try:
            found = SEARCH_GEOMETRY.ask(asked)
        except NoAnswerError as error:
            logger.info("Beam centre and distance were not searched for: %s", error)
            found = None
        if found is None or not found.changed:
            shutil.rmtree(folder, ignore_errors=True)
        if found is None:
            return None
        logger.info("Search for beam centre and distance with %d hits: %s", found.n_hits, found.sentence)
        return Proposal(self._relative(folder), found.sentence, found.n_hits) if found.changed else None

    def refine(self, integrated: Sequence[FrameResult], again: bool) -> Proposal | None:
        """Refine against the spots of integrated hits."""
        asked = ProposeGeometry(run=str(self._folder.path), results=list(integrated), levels=self._levels, again=again)
        try:
            found = PROPOSE_GEOMETRY.ask(asked)
        except NoAnswerError as error:
            logger.info("The geometry was not refined: %s", error)
            return None
        if found.folder is None:
            if found.diagnosis is not None:
                logger.info(
                    "The geometry was checked with %d lattices: RMSD %.2f px, %.2f px if it is refined. %s",
                    found.n_lattices,
                    found.diagnosis.rmsd_px,
                    found.diagnosis.rmsd_refined_px,
                    found.finding or "It is kept.",
                )
            return None
        return Proposal(found.folder, found.finding, found.n_lattices)

    def _hit(self, hit: FrameResult | Screened) -> HitFrame:
        if isinstance(hit, Screened) or "strong" not in hit.files or "experiments" not in hit.files:
            return HitFrame(hit.frame)
        experiments, strong = (str(self._folder.path / hit.files[what]) for what in ("experiments", "strong"))
        return HitFrame(hit.frame, experiments, strong)

    def _relative(self, folder: Any) -> str:
        return str(folder.relative_to(self._folder.path))
