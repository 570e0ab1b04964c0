"""Determines the lattice of an unknown crystal from scouted frames.

A few frames are scouted: indexed with one group of settings after another, the fastest first, until enough of them
agree on a lattice.  The result for a single frame is not reliable: most wrong cells are multiples of the true one, are
reported as success, and have more integrated reflections than the true cell.  Which frames are scouted depends on
their names alone, and a decision waits for the whole batch, so the result depends neither on the order of frames nor
on the number of workers.  Measured figures: docs/decisions/0002-learning-the-lattice.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from iota.analysis.cells.lattices import LatticeGroup, group_lattices, sub_lattices, supporters
from iota.crystallography.cells import Cell, cell_text, median_cell
from iota.crystallography.lattices import closest_setting, is_same_lattice
from iota.crystallography.metric_symmetry import Symmetry, cell_in_setting_of, metric_symmetries
from iota.crystallography.multiples import supercell_index
from iota.crystallography.nearness import ONE_FORM
from iota.processing.ongoing_steps import Steps, WantHits
from iota.records import Scouted, Screened, Settings, Task
from iota.runs.determination import DeterminedLattice

logger = logging.getLogger(__name__)

BLOCK = 6  # frames scouted at a time
EXPLAINS_AS_WELL = 0.9  # share of the spots of the free lattice that a smaller or more symmetric one must index


@dataclass(frozen=True)
class DeterminationRules:
    """Settings shared by all lattices that a run may determine."""

    settings_to_try: Sequence[Settings]
    with_lattice: Callable[[str, Cell, str], Settings]  # label, conventional cell, space group
    min_agreement: int = 4
    max_frames: int = 48
    find_symmetry: bool = True
    given_space_group: str | None = None

    def for_another(self) -> DeterminationRules:
        """Rules for a further lattice: only one block of frames, since the remaining ones are mostly just weak."""
        return replace(self, max_frames=BLOCK)


def determine_lattice(
    rules: DeterminationRules, number: int = 1, known: Sequence[DeterminedLattice] = ()
) -> Steps[DeterminedLattice]:
    """Generate requests for hits and for scouting, and return the lattice that was determined, or None.

    Args:
        rules: how to look.
        number: number of the lattice in the run, from 1.
        known: lattices that were determined before; multiples of them are not new.
    """
    scouted: list[Screened] = []
    reports: list[Scouted] = []
    while len(scouted) < rules.max_frames:
        wanted = min(BLOCK, rules.max_frames - len(scouted))
        block = yield WantHits(wanted)
        new = [hit for hit in block if isinstance(hit, Screened)]
        scouted += new
        exhausted = len(new) < wanted
        needed = _needed(rules.min_agreement, len(scouted), exhausted)
        if len(scouted) < 2:
            return None
        for settings in rules.settings_to_try:
            best = best_group(reports, needed)
            agreeing = set(best.members) if best else set()
            batch = [Task("scout", hit.frame, hit.name, (settings,)) for hit in new if hit.name not in agreeing]
            if not batch:
                break
            reports += [report for report in (yield batch) if isinstance(report, Scouted)]
            best = best_group(reports, needed)
            if best and len(best) >= needed and not _is_known(best.unit_cell, known):
                return (yield from _confirm(rules, number, best, reports, scouted))
        if exhausted:
            break
    logger.info(
        "No lattice was determined: of %d frames tried, at most %d agree.",
        len(scouted),
        len(best_group(reports, rules.max_frames) or ()),
    )
    return None


def _needed(min_agreement: int, n_scouted: int, exhausted: bool) -> int:
    """How many frames must agree; for a run with few hits, three quarters of them, but at least two."""
    return min(min_agreement, max(2, -(-3 * n_scouted // 4))) if exhausted else min_agreement


def best_group(reports: Sequence[Scouted], needed: int) -> LatticeGroup | None:
    """The largest group; of several that are large enough, the one whose lattice or a multiple is on most frames.

    A frame that has only a multiple does not make a group large enough, since a multiple may be chance.
    """
    groups = group_lattices((r.name, r.unit_cell) for r in reports if r.unit_cell is not None)
    large = [group for group in groups if len(group) >= needed]
    if len(large) < 2:
        return groups[0] if groups else None
    return max(large, key=lambda group: (len(supporters(group, groups)), len(group)))  # the first of equal ones


def _is_known(cell: Cell, known: Sequence[DeterminedLattice]) -> bool:
    return any(_is_same(cell, lattice.primitive_cell) for lattice in known)


def _is_same(cell: Cell, known: Cell) -> bool:
    """Whether a lattice or a multiple of it is known; a form with slightly different axes is another lattice."""
    if (supercell_index(known, cell) or 1) > 1 or (supercell_index(cell, known) or 1) > 1:
        return True
    return is_same_lattice(cell, known, ONE_FORM)


def _confirm(
    rules: DeterminationRules, number: int, best: LatticeGroup, reports: Sequence[Scouted], scouted: Sequence[Screened]
) -> Steps[DeterminedLattice]:
    """Index the agreeing frames with the lattice as given: smaller cells and higher symmetry first, as far as they go.

    The first candidate that explains as many spots as the free lattices did is taken, with the median of its cells.
    """
    frames = {hit.name: hit.frame for hit in scouted}
    members = best.members[: 2 * BLOCK]
    free = _spots_explained(reports, members)
    for group in [*sub_lattices(best, group_lattices((r.name, r.unit_cell) for r in reports if r.unit_cell)), best]:
        for symmetry in _candidates(rules, group.unit_cell):
            label = f"{symmetry.bravais} {cell_text(symmetry.unit_cell, 1)} as known"
            settings = rules.with_lattice(label, symmetry.unit_cell, symmetry.space_group)
            answer = yield [Task("scout", frames[name], name, (settings,)) for name in members]
            confirmed = [r for r in answer if isinstance(r, Scouted) and r.unit_cell is not None]
            explained = sum(r.n_indexed for r in confirmed)
            logger.info(
                "%s %s explains %d of the %d spots explained by the unconstrained lattices of %d frames.",
                symmetry.bravais,
                cell_text(symmetry.unit_cell, 1),
                explained,
                free,
                len(members),
            )
            if explained >= EXPLAINS_AS_WELL * free:
                return _determined(number, symmetry, group.unit_cell, confirmed, best, len(scouted))
    lowest = metric_symmetries(best.unit_cell)[-1]
    return _determined(number, lowest, best.unit_cell, [], best, len(scouted))


def _spots_explained(reports: Sequence[Scouted], members: Sequence[str]) -> int:
    """Spots indexed by the free lattices of these frames, with the best settings of each frame."""
    most: dict[str, int] = {}
    for report in reports:
        if report.name in members and report.unit_cell is not None:
            most[report.name] = max(most.get(report.name, 0), report.n_indexed)
    return sum(most.values())


def _candidates(rules: DeterminationRules, cell: Cell) -> list[Symmetry]:
    """Symmetries to try on a primitive cell, the highest first, one of each Bravais type, P 1 last."""
    allowed = metric_symmetries(cell)
    if rules.given_space_group is not None:
        given = rules.given_space_group
        return [s for s in allowed if cell_in_setting_of(s.unit_cell, s.space_group, given)][:1] or allowed[-1:]
    if not rules.find_symmetry:
        return allowed[-1:]
    first_of_each = {s.bravais: s for s in reversed(allowed)}
    return [s for s in allowed if first_of_each[s.bravais] is s]


def _determined(
    number: int, symmetry: Symmetry, cell: Cell, confirmed: Sequence[Scouted], best: LatticeGroup, n_scouted: int
) -> DeterminedLattice:
    """The median of the confirmed cells, refined with the symmetry, in the candidate's setting."""
    settings = [closest_setting(r.unit_cell, cell) for r in confirmed if r.unit_cell is not None]
    refined = [c for c in settings if c is not None]
    if refined:
        cell = median_cell(refined)
        symmetry = next((s for s in metric_symmetries(cell) if s.space_group == symmetry.space_group), symmetry)
    return DeterminedLattice(
        number=number,
        unit_cell=symmetry.unit_cell,
        space_group=symmetry.space_group,
        bravais=symmetry.bravais,
        primitive_cell=cell,
        agreeing=tuple(sorted(best.members)),
        n_scouted=n_scouted,
    )


def log_scouted(report: Scouted) -> None:
    """Write the result of trial indexing to the log."""
    logger.info("%s: trial indexing with %s: %s", report.name, report.settings, _scouting_result(report))


def _scouting_result(report: Scouted) -> str:
    if report.unit_cell is None:
        return report.reason
    multiple = f", {report.multiple}-fold supercell reduced" if report.multiple > 1 else ""
    return f"{' '.join(f'{x:.1f}' for x in report.unit_cell)}, {report.n_indexed} spots{multiple}"
