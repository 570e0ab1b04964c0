"""The record of a merging, ``merge.json``, and the lines of table 1 as text; its numbers are from ``merged``."""

from __future__ import annotations

import msgspec

from iota.analysis.intensities.frames_needed import FramesNeeded
from iota.analysis.intensities.merged import CurvePoint, Shell
from iota.crystallography.cells import cell_text

TABLE_HEAD = ("d max (Å)", "d min (Å)", "obs.", "unique", "compl. (%)", "mult.", "⟨I⟩", "⟨I/σ⟩", "CC½", "Rsplit")


class MergeRecord(msgspec.Struct, kw_only=True):
    """``merge.json``: what was merged, how, and the result."""

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
    ambiguities: list[str] = []  # reindexing operators that leave the cell unchanged
    reindexed: dict[str, int] = {}  # reindexing operator -> lattices
    n_unclear: int = 0  # lattices among these for which the operator is uncertain
    commands: list[list[str]] = []
    shells: list[Shell] = []
    overall: Shell | None = None
    cumulative: list[CurvePoint] = []
    frames_needed: list[FramesNeeded] = []
    remarks: list[str] = []


def merging_facts(merging: MergeRecord) -> list[tuple[str, str]]:
    """What was merged and how reliable it is, as names and sentences."""
    facts = [
        ("Merged", f"{merging.n_lattices:,} lattices" + _counts("; excluded: ", merging.left_out)),
        ("Crystal", f"{merging.space_group}, {cell_text(merging.unit_cell)} (Å, °)"),
        ("Resolution", f"{merging.d_min_A:.2f} Å"),
    ]
    if merging.ambiguities:
        facts.append(("Indexing ambiguity", ", ".join(merging.ambiguities)))
    else:
        facts.append(("Indexing ambiguity", "none"))
    if merging.reindexed:
        n = merging.n_unclear
        unclear = f"; {n:,} uncertain, but kept" if n else ""
        facts.append(("", _counts("resolved from intensities: ", merging.reindexed) + unclear))
    facts += [(f"{100 * needed.completeness:.0f} % completeness", _needed(needed)) for needed in merging.frames_needed]
    return facts + [("Note", remark) for remark in merging.remarks]


def table_rows(merging: MergeRecord) -> list[list[str]]:
    """Rows of table 1 below ``TABLE_HEAD``, the overall row last; empty if the engine writes a table of its own."""
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
        return "cannot be predicted: too few lattices, or almost no variation in orientation"
    interval = f"more than {low:,.0f}" if high is None else f"{low:,.0f} to {high:,.0f}"
    return f"expected from {needed.n_frames:,.0f} lattices ({interval}, 95 % confidence)"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
