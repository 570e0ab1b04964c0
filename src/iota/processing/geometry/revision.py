"""Decides during a run whether its detector is elsewhere than taken to be, and whether a new geometry is better.

The first hits of the run are processed as usual. One third of them is set aside; a new geometry is determined from the
others, and compared with the one in use on those that were set aside. Which hits these are depends on the names of the
frames alone (in monitor mode, on their order of arrival), and a decision waits until all of them are processed, so the
result depends neither on the order of frames nor on the number of workers.
Limits and measurements: docs/decisions/0033-geometry-refined-during-a-run.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from iota.crystallography.cells import Cell
from iota.processing.geometry.proof import Tried, compare
from iota.processing.ongoing_steps import Calculation, Steps, WantHits
from iota.records import FrameRef, FrameResult, Screened, Settings, Task
from iota.runs.geometry_revisions import GeometryRevisions, Method, Revision

logger = logging.getLogger(__name__)

MAX_REVISIONS = 3  # that are used: found by a search, refined, refined again
_BLOCK = 12  # hits at a time
_PART = 3  # every third hit is set aside
_ENOUGH = 72  # integrated hits: 48 to determine a geometry, 24 to compare
_MAX_HITS = 360
_MIN_INTEGRATED = 27  # 18 of them to determine a geometry
_FEW = ((24, 0.25), (60, 0.75))  # hits, and the fraction of integrated ones below which the geometry is searched for...
_MIN_HITS = 15  # ...also at the end of the input, with the last fraction
_MIN_HITS_OF_SEARCH = 60  # without a lattice
MAX_COMPARED = 24

More = Callable[[FrameRef], str]  # backend parameters that make a frame use a geometry


class Proposal(NamedTuple):
    """A geometry that may be better."""

    reference: str  # of the geometry, relative to the run folder
    finding: str
    n_used: int
    method: Method


@dataclass(frozen=True)
class GeometryRules:
    """How a run finds a better geometry."""

    search: Callable[[Sequence[FrameResult] | Sequence[Screened]], Proposal | None]
    refine: Callable[[Sequence[FrameResult], bool], Proposal | None]  # whether it was revised before
    follow: Callable[[], tuple[Proposal, list[FrameResult]] | None]  # a drift, and hits not used to find it
    more: Callable[[Revision | Proposal | None], More]
    given_cell: Cell | None
    settings_of_search: tuple[Settings, ...]  # for hits without a lattice
    stop: Callable[[], None] = lambda: None  # ends a calculation that is in progress


def revise_geometry(
    rules: GeometryRules, known: GeometryRevisions, settings: Callable[[], tuple[Settings, ...]]
) -> Steps[Revision]:
    """Generate requests for hits, calculations and trials; return a revision, which may not be better, or None.

    Args:
        rules: how to look.
        known: geometries that were tried before.
        settings: those in use for processing, asked for when they are needed.
    """
    may_search = not any(one.method == "search" for one in known.revisions)
    hits: list[FrameResult] = []
    while True:
        block: list[FrameResult] = yield WantHits(_BLOCK)
        hits += block
        exhausted = len(block) < _BLOCK
        n_integrated = sum(hit.outcome == "integrated" for hit in hits)
        if may_search and _is_for_search(hits, n_integrated, exhausted):
            may_search = False
            proposal: Proposal | None = yield Calculation(
                partial(rules.search, _used(hits)), "searching for the beam centre", holds=True
            )
            if proposal is not None:
                return (yield from _compared(rules, known, proposal, hits, rules.settings_of_search))
        if exhausted or n_integrated >= _ENOUGH or len(hits) >= _MAX_HITS:
            break
    if n_integrated < _MIN_INTEGRATED:
        return None
    used = [hit for hit in _used(hits) if hit.outcome == "integrated"]
    again = known.in_use is not None
    proposal = yield Calculation(partial(rules.refine, used, again), "refining the geometry")
    if proposal is None:
        return None
    return (yield from _compared(rules, known, proposal, hits, settings()))


def search_before_lattice(
    rules: GeometryRules, scouted: Mapping[FrameRef, Tried], known: GeometryRevisions
) -> Steps[Revision]:
    """The same for a run whose lattice cannot be determined: the first hits were indexed in vain.

    Args:
        rules: how to look.
        scouted: what became of these hits; the new geometry is tried on them.
        known: geometries that were tried before.
    """
    hits: list[Screened] = yield WantHits(len(scouted) + _MIN_HITS_OF_SEARCH)
    compared = [hit for hit in hits if hit.frame in scouted]
    others = [hit for hit in hits if hit.frame not in scouted]
    if len(others) < _MIN_HITS:
        return None
    proposal: Proposal | None = yield Calculation(partial(rules.search, others), "searching for the beam centre")
    if proposal is None:
        return None
    before = [scouted[hit.frame] for hit in compared]
    return (yield from _tried(rules, known, proposal, compared, before, rules.settings_of_search))


def follow_drift(
    rules: GeometryRules, known: GeometryRevisions, settings: Callable[[], tuple[Settings, ...]]
) -> Steps[Revision]:
    """The same at the end of a run: if the detector moved, parts of the run get geometries of their own."""
    found: tuple[Proposal, list[FrameResult]] | None = yield Calculation(
        rules.follow, "checking the geometry for drift"
    )
    if found is None:
        return None
    proposal, hits = found
    return (yield from _tried(rules, known, proposal, hits, [Tried.of(hit) for hit in hits], settings()))


def _is_for_search(hits: Sequence[FrameResult], n_integrated: int, exhausted: bool) -> bool:
    few = [*_FEW, (_MIN_HITS, _FEW[-1][1])] if exhausted else _FEW
    return any(len(hits) >= enough and n_integrated < fraction * len(hits) for enough, fraction in few)


def _used(hits: Sequence[FrameResult]) -> list[FrameResult]:
    return [hit for k, hit in enumerate(hits) if k % _PART != _PART - 1]


def _compared(
    rules: GeometryRules,
    known: GeometryRevisions,
    proposal: Proposal,
    hits: Sequence[FrameResult],
    settings: tuple[Settings, ...],
) -> Steps[Revision]:
    """Process the hits that were set aside with the new geometry, and compare."""
    aside = hits[_PART - 1 :: _PART][:MAX_COMPARED]
    return (yield from _tried(rules, known, proposal, aside, [Tried.of(hit) for hit in aside], settings))


def _tried(
    rules: GeometryRules,
    known: GeometryRevisions,
    proposal: Proposal,
    hits: Sequence[FrameResult] | Sequence[Screened],
    before: Sequence[Tried],
    settings: tuple[Settings, ...],
) -> Steps[Revision]:
    more = rules.more(proposal)
    after: list[FrameResult] = yield [
        Task("process", x.frame, x.name, settings, more(x.frame), trial=True) for x in hits
    ]
    return Revision(
        number=len(known.revisions) + 1,
        method=proposal.method,
        reference=proposal.reference,
        finding=proposal.finding,
        n_used=proposal.n_used,
        proof=compare(
            proposal.method,
            before,
            [Tried.of(result) for result in after],
            rules.given_cell,
            again=known.in_use is not None,
        ),
    )
