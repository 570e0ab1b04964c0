"""What the summary of a run says, as names and values for people; pages and reports show the same."""

from __future__ import annotations

from iota.analysis.shares import percent
from iota.analysis.summary import Summary
from iota.symmetry import cell_text

Facts = list[tuple[str, str]]


def run_facts(summary: Summary) -> Facts:
    """Counts and typical values."""
    facts = [
        ("Frames", f"{summary.n_finished} of {summary.n_frames} finished"),
        ("Hits", f"{summary.n_hits} ({percent(summary.n_hits, summary.n_finished)} of finished)"),
        ("Integrated", f"{summary.n_integrated} ({percent(summary.n_integrated, summary.n_hits)} of hits)"),
        ("Lattices", str(summary.n_lattices)),
    ]
    if summary.n_multi_lattice_frames:
        facts.append(("Multiple lattices", f"on {summary.n_multi_lattice_frames} frames"))
    if summary.d_min_A:
        best, median, worst = summary.d_min_A
        facts.append(("Resolution", f"{median:.2f} Å median, {best:.2f} Å best, {worst:.2f} Å worst"))
    if summary.n_integrated_median is not None:
        facts.append(("Reflections", f"{summary.n_integrated_median:.0f} a lattice (median)"))
    if summary.wilson_b_A2_median is not None:
        facts.append(("Wilson B", f"{summary.wilson_b_A2_median:.1f} Å² (median)"))
    if summary.beam_centre_px_median is not None:
        fast, slow = summary.beam_centre_px_median
        facts.append(("Beam centre", f"{fast:.1f} {slow:.1f} px, fast and slow (median)"))
    if summary.distance_mm_median is not None:
        facts.append(("Distance", f"{summary.distance_mm_median:.2f} mm (median)"))
    return facts


def lattice_facts(summary: Summary) -> Facts:
    """The consensus lattice and others; none when nothing is integrated."""
    consensus = summary.consensus
    if consensus is None:
        return []
    low, high = consensus.share_interval
    facts = [
        ("Bravais lattice", f"{consensus.bravais}, {consensus.n_lattices} of {summary.n_lattices} lattices"),
        ("Share", f"{100 * consensus.share:.0f} %, 95 % confidence {100 * low:.0f} to {100 * high:.0f} %"),
        ("Space group", f"{consensus.space_group}, as indexed"),
        ("Unit cell", f"{cell_text(consensus.unit_cell)} (Å, °)"),
        ("Spread", f"{cell_text(consensus.unit_cell_spread)} (Å, °; robust standard deviation)"),
    ]
    for k, candidate in enumerate(consensus.candidates):
        words = f"{candidate.n_lattices} {candidate.bravais} ({candidate.space_group})"
        facts.append(("Others" if k == 0 else "", f"{words} {cell_text(candidate.unit_cell, 1)}: {candidate.relation}"))
    if not consensus.candidates:
        others = ", ".join(f"{number} {bravais}" for bravais, number in summary.other_bravais.items())
        facts.append(("Others", others or "none"))
    if consensus.is_close:
        facts.append(("Note", "The vote is close: try both as targets, or collect more images."))
    if consensus.metric_symmetry and consensus.metric_cell:
        facts.append(("Metric", f"allows {consensus.metric_symmetry}, {cell_text(consensus.metric_cell)} (Å, °)"))
    return facts
