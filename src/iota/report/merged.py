"""The newest merging of a run, as ``merge.json`` of ``iota.merge`` says."""

from __future__ import annotations

from pathlib import Path

import msgspec

from iota.analysis.merged import CurvePoint, Shell


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """Lattices that a completeness needs; None where no number is enough."""

    completeness: float
    n_frames: float | None
    interval: tuple[float | None, float | None]


class Merged(msgspec.Struct, kw_only=True):
    """What is shown of a merging; whatever an earlier or later version does not say is left out."""

    folder: str = ""
    engine: str
    versions: dict[str, str] = {}
    space_group: str
    unit_cell: tuple[float, ...]
    d_min_A: float
    n_lattices: int
    left_out: dict[str, int] = {}
    ambiguities: list[str] = []
    reindexed: dict[str, int] = {}
    shells: list[Shell] = []
    overall: Shell | None = None
    cumulative: list[CurvePoint] = []
    frames_needed: list[Needed] = []
    remarks: list[str] = []


def newest_merging(run: Path) -> Merged | None:
    """Read the newest merging of a run that came to an end; None where there is none."""
    found = [path for path in run.glob("merge/*/merge.json") if path.parent.name.isdigit()]
    for path in sorted(found, key=lambda path: -int(path.parent.name)):
        try:
            merged = msgspec.json.decode(path.read_bytes(), type=Merged)
        except (OSError, msgspec.DecodeError):
            continue
        merged.folder = str(path.parent)
        return merged
    return None


def table_rows(merged: Merged) -> list[list[str]]:
    """Table 1, the line for all last."""
    if merged.overall is None:
        return []
    return [
        [
            f"{shell.d_max_A:.2f}",
            f"{shell.d_min_A:.2f}",
            f"{shell.n_observations:,}",
            f"{shell.n_unique:,}",
            f"{100 * shell.completeness:.1f}",
            f"{shell.multiplicity:.1f}",
            _text(shell.mean_intensity, 1),
            _text(shell.i_over_sigma, 1),
            _text(shell.cc_half, 3),
            _text(shell.r_split, 3),
        ]
        for shell in [*merged.shells, merged.overall]
    ]


TABLE_HEAD = ("d max (Å)", "d min (Å)", "obs.", "unique", "compl. (%)", "mult.", "⟨I⟩", "⟨I/σ⟩", "CC½", "Rsplit")


def merging_facts(merged: Merged) -> list[tuple[str, str]]:
    """What was merged and how sure it is."""
    left_out = ", ".join(f"{number:,} {reason}" for reason, number in merged.left_out.items())
    facts = [
        ("Merged", f"{merged.n_lattices:,} lattices" + (f"; left out: {left_out}" if left_out else "")),
        ("Crystal", f"{merged.space_group}, {' '.join(f'{value:.2f}' for value in merged.unit_cell)} (Å, °)"),
        ("Resolution", f"{merged.d_min_A:.2f} Å"),
    ]
    if merged.ambiguities:
        ways = ", ".join(merged.ambiguities)
        told = ", ".join(f"{number:,} {way}" for way, number in merged.reindexed.items())
        facts.append(("Ambiguity", f"x,y,z or {ways}" + (f"; told apart by dials.cosym: {told}" if told else "")))
    facts += [(f"{100 * x.completeness:.0f} % complete", _needed(x)) for x in merged.frames_needed]
    facts += [("Note", remark) for remark in merged.remarks]
    return [*facts, ("Folder", merged.folder)]


def _needed(needed: Needed) -> str:
    low, high = needed.interval
    if needed.n_frames is None or low is None:
        return "cannot be foretold"
    most = "any number" if high is None else f"{high:,.0f}"
    return f"with {needed.n_frames:,.0f} lattices ({low:,.0f} to {most}, 95 % confidence)"


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
