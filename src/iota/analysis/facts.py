"""The items of a run's summary, as names and values; log, API, pages and reports all show these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from iota.analysis.cells.cell_scale import CellScale
from iota.analysis.cells.proportions import percent, wilson_interval
from iota.analysis.revision_texts import revision_texts
from iota.analysis.summary import Summary
from iota.analysis.table.columns import STAGES
from iota.crystallography.cells import cell_text
from iota.geometry.drift.record import GeometryDrift
from iota.runs.geometry_revisions import Revision

_MAX_REMARKS = 20
_MINUS = "\N{MINUS SIGN}"


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the summary of a run."""

    name: str
    """Name for programs."""
    label: str
    """Label for users."""
    text: str
    """Its text, the same wherever it is shown."""
    values: Mapping[str, float] = {}
    """The numbers in the text, at full precision."""
    unit: str = ""
    """Unit of the values; percentages and counts have none."""
    is_warning: bool = False
    """Whether a problem is likely."""


def run_facts(summary: Summary) -> list[Fact]:
    """Counts, typical values of frames and lattices, geometry, time, remarks on files and headers."""
    return [*_counts(summary), *_data(summary), *_geometry(summary), *_time(summary), *_remarks(summary)]


def lattice_facts(summary: Summary) -> list[Fact]:
    """The consensus lattice and others; empty if nothing was integrated."""
    consensus = summary.consensus
    if consensus is None:
        return []
    low, high = (100 * limit for limit in consensus.share_interval)
    facts = [
        Fact(
            name="consensus",
            label="Consensus",
            text=f"{consensus.bravais} ({consensus.space_group}, as indexed), {consensus.n_lattices:,} of"
            f" {summary.n_lattices:,} lattices",
            values={"n": consensus.n_lattices, "of": summary.n_lattices},
        ),
        Fact(
            name="consensus_share",
            label="Fraction",
            text=f"{100 * consensus.share:.0f} % (95 % confidence: {low:.0f} to {high:.0f} %)",
            values={"percent": 100 * consensus.share, "low": low, "high": high},
        ),
        _cell("unit_cell", "Unit cell", consensus.unit_cell, f"{cell_text(consensus.unit_cell)} (Å, °)"),
        _cell(
            "unit_cell_spread",
            "Spread",
            consensus.unit_cell_spread,
            f"{cell_text(consensus.unit_cell_spread)} (Å, °; robust standard deviation)",
        ),
    ]
    facts += _checks(summary)
    for k, candidate in enumerate(consensus.candidates):
        words = f"{candidate.n_lattices:,} {candidate.bravais} ({candidate.space_group})"
        facts.append(
            Fact(
                name=f"candidate_{k + 1}",
                label="Others" if k == 0 else "",
                text=f"{words} {cell_text(candidate.unit_cell, 1)}: {candidate.relation}",
                values={"n": candidate.n_lattices},
            )
        )
    if consensus.n_multiples:
        facts.append(
            Fact(
                name="multiples",
                label="Multiples",
                text=_multiples(consensus.n_multiples),
                values={"n": consensus.n_multiples},
            )
        )
    if (consensus.candidates or consensus.n_multiples) and consensus.n_unlike > 0:
        text = f"{consensus.n_unlike:,} {'matches' if consensus.n_unlike == 1 else 'match'} none of the above"
        facts.append(Fact(name="unlike", label="", text=text, values={"n": consensus.n_unlike}))
    if not consensus.candidates and not consensus.n_multiples:
        others = ", ".join(f"{number:,} {bravais}" for bravais, number in summary.other_bravais.items())
        n_others = sum(summary.other_bravais.values())
        facts.append(Fact(name="others", label="Others", text=others or "none", values={"n": n_others}))
    if consensus.is_close:
        text = "Almost equally frequent: try both as targets, or collect more images."
        facts.append(Fact(name="close", label="Note", text=text))
    if consensus.metric_symmetry and consensus.metric_cell:
        text = f"compatible with {consensus.metric_symmetry}: {cell_text(consensus.metric_cell)} (Å, °)"
        facts.append(_cell("metric_cell", "Metric symmetry", consensus.metric_cell, text))
    return facts


def _multiples(n: int) -> str:
    """Text on lattices whose cells are integer multiples or fractions of the consensus."""
    what = "more lattice is a supercell or subcell" if n == 1 else "more lattices are supercells or subcells"
    return f"{n:,} {what} of the consensus (index 2 to 4)"


def _checks(summary: Summary) -> list[Fact]:
    """What is wrong with geometry or cells; of two ways to find a wrong distance only the better one."""
    facts = []
    geometry = summary.geometry
    if geometry is not None and geometry.sentence:
        values = {one.name: one.value for one in geometry.deviations}
        values |= {f"{one.name} uncertainty": one.uncertainty for one in geometry.deviations}
        if geometry.better_distance_mm is not None:
            values["distance_mm"] = geometry.better_distance_mm
        facts.append(Fact(name="geometry", label="Check", text=geometry.sentence, values=values, is_warning=True))
    drift = summary.geometry_drift
    if drift is not None and drift.sentence and not summary.follows_drift:
        values = {one.name: one.change_mm for one in drift.courses if one.is_significant}
        facts.append(
            Fact(name="geometry_drift", label="Check", text=drift.sentence, values=values, unit="mm", is_warning=True)
        )
    if summary.cell_scale is not None and not (geometry is not None and geometry.explains_cells):
        facts.append(_scale(summary.cell_scale))
    return facts


def _scale(scale: CellScale) -> Fact:
    values = {"factor": scale.factor, "standard_error": scale.standard_error, "n": scale.n_lattices}
    if scale.distance_mm is not None:
        values["distance_mm"] = scale.distance_mm
    return Fact(name="cell_scale", label="Check", text=scale.sentence, values=values, is_warning=True)


def _counts(summary: Summary) -> list[Fact]:
    multiple = summary.n_multi_lattice_frames
    several = f"; {multiple:,} frame{'' if multiple == 1 else 's'} with more than one" if multiple else ""
    return [
        Fact(
            name="finished",
            label="Frames",
            text=f"{summary.n_finished:,} of {summary.n_frames:,} finished",
            values={"n": summary.n_finished, "of": summary.n_frames},
        ),
        _fraction("hits", "Hits", summary.n_hits, summary.n_read, of_what(summary)),
        _fraction("indexed", "Indexed", summary.n_indexed, summary.n_hits, "hits"),
        _fraction("integrated", "Integrated", summary.n_integrated, summary.n_hits, "hits"),
        Fact(
            name="lattices",
            label="Lattices",
            text=f"{summary.n_lattices:,}{several}",
            values={"n": summary.n_lattices, "n_frames_with_several": multiple},
        ),
    ]


def of_what(summary: Summary) -> str:
    """The denominator of the hit rate, in words; frames that could not be read are neither hits nor misses."""
    return "finished frames" if summary.n_read == summary.n_finished else "frames that could be read"


def _fraction(name: str, label: str, n: int, of: int, what: str) -> Fact:
    if not of:
        return Fact(name=name, label=label, text=f"{n:,}", values={"n": n, "of": of})
    low, high = (100 * limit for limit in wilson_interval(n, of))
    return Fact(
        name=name,
        label=label,
        text=f"{n:,} of {of:,} {what}, {percent(n, of)} (95 % confidence: {_limit(low)} to {_limit(high)} %)",
        values={"n": n, "of": of, "percent": 100 * n / of, "low": low, "high": high},
    )


def _limit(share: float) -> str:
    """A limit in percent, with enough digits to distinguish it from 0 and 100."""
    return f"{share:.0f}" if 10 <= share <= 90 or share in (0, 100) else f"{share:.1f}"


def _data(summary: Summary) -> list[Fact]:
    """Medians over hits and lattices."""
    facts = []
    if summary.n_spots_median is not None:
        facts.append(_median("spots", "Spots", summary.n_spots_median, 0, "", " per hit"))
    if summary.d_min_A:
        best, median, worst = summary.d_min_A
        facts.append(
            Fact(
                name="resolution",
                label="Resolution",
                text=f"{median:.2f} Å median, {best:.2f} Å best, {worst:.2f} Å worst",
                values={"median": median, "best": best, "worst": worst},
                unit="Å",
            )
        )
    if summary.n_integrated_median is not None:
        strong = summary.n_strong_median or 0.0
        facts.append(
            Fact(
                name="reflections",
                label="Reflections",
                text=f"{summary.n_integrated_median:,.0f} per lattice, {strong:,.0f} of them strong (medians)",
                values={"integrated": summary.n_integrated_median, "strong": strong},
            )
        )
    if summary.wilson_b_A2_median is not None:
        facts.append(_median("wilson_b", "Wilson B", summary.wilson_b_A2_median, 1, "Å²"))
    if summary.rmsd_px_median is not None:
        facts.append(_median("rmsd", "RMSD (positions)", summary.rmsd_px_median, 2, "px"))
    if summary.half_mosaicity_deg_median is not None:
        facts.append(_median("mosaicity", "Mosaicity (half-width)", summary.half_mosaicity_deg_median, 3, "°"))
    if summary.domain_size_A_median is not None:
        facts.append(_median("domain_size", "Domain size", summary.domain_size_A_median, 0, "Å"))
    return facts


def _geometry(summary: Summary) -> list[Fact]:
    facts = _revisions(summary.revisions)
    if summary.beam_centre_px_median is not None:
        fast, slow = summary.beam_centre_px_median
        text, values = f"{fast:.1f}, {slow:.1f} px", {"fast_px": fast, "slow_px": slow}
        if summary.beam_centre_mm_median is not None:
            x, y = summary.beam_centre_mm_median
            text, values = f"{text}; {x:.3f}, {y:.3f} mm", values | {"x_mm": x, "y_mm": y}
        text += " (fast, slow; median)"
        facts.append(Fact(name="beam_centre", label="Beam centre", text=text, values=values))
    if summary.distance_mm_median is not None:
        facts.append(_median("distance", "Distance", summary.distance_mm_median, 2, "mm"))
    if summary.geometry_drift is not None:
        facts.append(_measured_drift(summary.geometry_drift, is_followed=summary.follows_drift))
    elif summary.drifts:
        moved = [drift.axis for drift in summary.drifts if drift.is_significant]
        changes = ", ".join(f"{d.axis} {_signed(d.change_mm)} ± {d.half_width_mm:.3f}" for d in summary.drifts)
        text = f"{changes} mm, first to last third (99 % confidence): {' and '.join(moved) or 'none'} significant"
        if not any(d.change_mm or d.half_width_mm for d in summary.drifts):
            text = "none: all lattices have the same geometry"
        facts.append(
            Fact(
                name="drift",
                label="Drift",
                text=text,
                values={d.axis: d.change_mm for d in summary.drifts}
                | {f"{d.axis}_half_width": d.half_width_mm for d in summary.drifts}
                | {f"{d.axis}_is_significant": d.is_significant for d in summary.drifts},
                unit="mm",
            )
        )
    return facts


def _revisions(revisions: Sequence[Revision]) -> list[Fact]:
    """How the geometry was determined during the run, and what was wrong before."""
    facts = [
        Fact(name=f"revision_{name}", label="" if k else "Geometry", text=text)
        for k, (name, text) in enumerate(revision_texts(revisions))
    ]
    first = next((one for one in revisions if one.proof.is_better), None)
    if first is not None and first.method != "drift":  # which has a fact of its own
        facts.append(Fact(name="given_geometry", label="As given", text=first.finding))
    return facts


def _measured_drift(drift: GeometryDrift, *, is_followed: bool) -> Fact:
    """Drift from the positions of spots, which replaces that of the headers."""
    axes = {one.name.rpartition(" ")[2]: one for one in drift.courses}
    changes = ", ".join(
        f"{axis} {one.direction} by {one.change_mm:.3f} mm" if one.is_significant else f"{axis} none"
        for axis, one in axes.items()
    )
    followed = "; parts of the run have geometries of their own" if is_followed else ""
    return Fact(
        name="drift",
        label="Drift",
        text=f"{changes} (from the positions of spots){followed}",
        values={axis: one.change_mm for axis, one in axes.items()}
        | {f"{axis}_is_significant": one.is_significant for axis, one in axes.items()},
        unit="mm",
    )


def _time(summary: Summary) -> list[Fact]:
    if not summary.stages:
        return []
    medians = ", ".join(f"{STAGES[stage.stage]} {_seconds(stage.median_s)}" for stage in summary.stages)
    total = sum(stage.total_s for stage in summary.stages)
    return [
        Fact(
            name="seconds",
            label="Time",
            text=f"{medians} s per frame (medians); {_duration(total)} in total",
            values={stage.stage: stage.median_s for stage in summary.stages} | {"total": total},
            unit="s",
        )
    ]


def _remarks(summary: Summary) -> list[Fact]:
    return [*_unreadable(summary.n_unreadable), *_repeated(summary.n_repeated)] + [
        Fact(
            name=f"remark_{k + 1}",
            label="Note",
            text=f"{sentence} ({n:,} {'image' if n == 1 else 'images'})",
            values={"n": n},
        )
        for k, (sentence, n) in enumerate(list(summary.remarks.items())[:_MAX_REMARKS])
    ]


def _unreadable(n: int) -> list[Fact]:
    if not n:
        return []
    what = "1 line is damaged and was" if n == 1 else f"{n:,} lines are damaged and were"
    text = f"{what} ignored; iota.run --resume reprocesses the images that have no other record"
    return [Fact(name="unreadable", label="Ledger", text=text, values={"n": n})]


def _repeated(n: int) -> list[Fact]:
    if not n:
        return []
    what = "1 record is a duplicate" if n == 1 else f"{n:,} records are duplicates"
    text = f"{what}, e.g. because two processes wrote to the same ledger; each frame is counted once"
    return [Fact(name="repeated", label="Ledger", text=text, values={"n": n})]


def _median(name: str, label: str, value: float, digits: int, unit: str, what: str = "") -> Fact:
    text = f"{value:,.{digits}f}"
    spaced = text + ("" if unit == "°" or not unit else " ") + unit
    return Fact(name=name, label=label, text=f"{spaced}{what} (median)", values={"median": value}, unit=unit)


def _cell(name: str, label: str, cell: tuple[float, ...], text: str) -> Fact:
    values = dict(zip(("a", "b", "c", "alpha", "beta", "gamma"), cell, strict=True))
    return Fact(name=name, label=label, text=text, values=values, unit="Å, °")


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", _MINUS)


def _seconds(value: float) -> str:
    if value < 0.0005:
        return "<0.001"
    return f"{value:.3f}" if value < 0.0995 else f"{value:.2f}" if value < 9.95 else f"{value:.0f}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
