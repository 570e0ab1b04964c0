"""Question on a better geometry during a run, answered by a process with DIALS."""

from __future__ import annotations

import msgspec

from iota.engine.questions import HitFrame
from iota.geometry.deviations import Diagnosis
from iota.processes.question import Question
from iota.records import FrameResult


class ProposeGeometry(msgspec.Struct, frozen=True, kw_only=True):
    """Refine the geometry of a run against some of its frames, if it should be refined."""

    run: str
    """Folder of the run."""
    results: list[FrameResult]
    """Records of integrated frames."""
    levels: list[int] | None
    """Levels of the hierarchy; None: the detector as a whole, and its panels if they are displaced."""
    again: bool
    """Whether it was revised before, and smaller changes are wanted."""


class SearchWithHits(msgspec.Struct, frozen=True):
    """Search for beam centre and distance of a run with the spots of some of its hits."""

    run: str
    """Folder of the run."""
    hits: list[HitFrame]
    """Hits, with the files of their spots if they were kept."""


class ProposedGeometry(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    n_used: int
    """Lattices, or hits of a search, that were used; if there are too few, nothing else is known."""
    diagnosis: Diagnosis | None = None
    """How far the detector is from where it was taken to be; None if it was searched for."""
    reference: str | None = None
    """The reference geometry, relative to the folder of the run; None: there is nothing to improve."""
    finding: str = ""
    """What is wrong, as a sentence."""


SEARCH_WITH_HITS = Question(
    f"{__package__}.proposing:search_with_hits",
    SearchWithHits,
    ProposedGeometry,
    "Searching for beam centre and distance",
    seconds=900,
)

PROPOSE_GEOMETRY = Question(
    f"{__package__}.proposing:propose_geometry",
    ProposeGeometry,
    ProposedGeometry,
    "Refining the geometry",
    seconds=600,
)
