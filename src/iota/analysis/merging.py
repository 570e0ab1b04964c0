"""What a merging was and gave: its record, and the words for it, which terminal, files and reports all show."""

from __future__ import annotations

import msgspec

from iota.analysis.enough import FramesNeeded
from iota.analysis.merged import CurvePoint, Shell
from iota.symmetry import cell_text

TABLE_HEAD = ("d max (Å)", "d min (Å)", "obs.", "unique", "compl. (%)", "mult.", "⟨I⟩", "⟨I/σ⟩", "CC½", "Rsplit")


class Merging(msgspec.Struct, kw_only=True):
    """``merge.json``: what was merged, how, and what came out."""

    run: str
    engine: str
    started: float  # s since the epoch
    versions: dict[str, str]
    space_group: str
    unit_cell: tuple[float, ...]
    d_min_A: float
    n_frames: int = 0  # of the run
    n_frames_finished: int = 0  # of these when merging began
    n_lattices: int  # merged
    left_out: dict[str, int] = {}  # why -> lattices
    ambiguities: list[str] = []  # other ways to index that the cell cannot tell apart
    reindexed: dict[str, int] = {}  # way of indexing -> lattices
    n_unclear: int = 0  # lattices among these that hardly prefer one way
    commands: list[list[str]] = []
    shells: list[Shell] = []
    overall: Shell | None = None
    cumulative: list[CurvePoint] = []
    frames_needed: list[FramesNeeded] = []
    remarks: list[str] = []


def merging_facts(merging: Merging) -> list[tuple[str, str]]:
    """What was merged and how sure it is, as names and sentences."""
    facts = [
        ("Merged", f"{merging.n_lattices:,} lattices" + _counts("; left out: ", merging.left_out)),
        ("Crystal", f"{merging.space_group}, {cell_text(merging.unit_cell)} (Å, °)"),
        ("Resolution", f"{merging.d_min_A:.2f} Å"),
    ]
    if merging.ambiguities:
        ways = ", ".join(merging.ambiguities)
        facts.append(("Ambiguity", f"the cell cannot tell x,y,z from {ways}: the lattice has a higher symmetry"))
    else:
        facts.append(("Ambiguity", "none: there is one way to index this crystal"))
    if merging.reindexed:
        n = merging.n_unclear
        unclear = f"; {n:,} of them hardly prefer one, and are kept" if n else ""
        facts.append(("", _counts("told apart by their intensities: ", merging.reindexed) + unclear))
    facts += [(f"{100 * needed.completeness:.0f} % complete", _needed(needed)) for needed in merging.frames_needed]
    return facts + [("Note", remark) for remark in merging.remarks]


def table_rows(merging: Merging) -> list[list[str]]:
    """Table 1 below ``TABLE_HEAD``, the line for all last; nothing where the engine makes its own."""
    if merging.overall is None:
        return []
    return [
        [
            f"{shell.d_max_A:.2f}",
            f"{shell.d_min_A:.2f}",
            f"{shell.n_observations:,}",
            f"{shell.n_unique:,}",
            f"{100 * shell.completeness:.1f}",
            f"{shell.multiplicity:.1f}",
            _number(shell.mean_intensity, 1),
            _number(shell.i_over_sigma, 1),
            _number(shell.cc_half, 3),
            _number(shell.r_split, 3),
        ]
        for shell in [*merging.shells, merging.overall]
    ]


def _counts(before: str, numbers: dict[str, int]) -> str:
    return before + ", ".join(f"{number:,} {what}" for what, number in numbers.items()) if numbers else ""


def _needed(needed: FramesNeeded) -> str:
    low, high = needed.interval
    if needed.n_frames is None or low is None:
        return "cannot be foretold: these lattices have nearly one orientation, or are too few"
    most = "any number" if high is None else f"{high:,.0f}"
    return f"with {needed.n_frames:,.0f} lattices ({low:,.0f} to {most}, 95 % confidence)"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
