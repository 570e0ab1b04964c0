"""What the summary of a run says, as names and values for people; pages and reports show the same."""

from __future__ import annotations

from iota.analysis.summary import Summary
from iota.symmetry import cell_text
from iota.web.charts.outcomes import percent

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
    n = f"{consensus.n_lattices} of {summary.n_lattices} lattices"
    others = ", ".join(f"{number} {bravais}" for bravais, number in summary.other_bravais.items())
    return [
        ("Bravais lattice", f"{consensus.bravais}, {n}"),
        ("Space group", f"{consensus.space_group}, as indexed"),
        ("Unit cell", f"{cell_text(consensus.unit_cell)} (Å, °)"),
        ("Spread", f"{cell_text(consensus.unit_cell_spread)} (Å, °; robust standard deviation)"),
        ("Other Bravais lattices", others or "none"),
    ]
