"""Writes an input script for PRIME from the results of a run."""

from __future__ import annotations

from pathlib import Path

from iota.analysis.summary import Summary
from iota.crystallography.cells import cell_text
from iota.crystallography.space_groups import asymmetric_unit_volume_A3, crystal_system
from iota.params.safe_text import quoted

_VOLUME_PER_DALTON_A3 = 2.4  # a typical Matthews coefficient (Matthews, J. Mol. Biol. (1968) 33, 491)
_DALTONS_PER_RESIDUE = 110.0


def prime_script(summary: Summary, title: str | None, pickles: Path, output: Path, n_processors: int) -> str | None:
    """Parameters for ``prime.run`` on the integration pickles of a run; None if nothing was integrated.

    Cell and space group are those of the consensus lattice; all resolution limits are what half of the lattices reach.
    The number of residues is estimated from the volume of the asymmetric unit at 2.4 A^3/Da, for one space group of the
    lattice: with another one it has to be changed.

    Args:
        summary: of the run.
        title: title of the run, or None.
        pickles: folder of the integration pickles.
        output: folder that PRIME shall write.
        n_processors: processes that PRIME may use.
    """
    consensus = summary.consensus
    if consensus is None or summary.d_min_A is None:
        return None
    d_min = f"{summary.d_min_A[1]:.2f}"
    residues = asymmetric_unit_volume_A3(consensus.unit_cell, consensus.space_group)
    residues /= _VOLUME_PER_DALTON_A3 * _DALTONS_PER_RESIDUE
    parts = ("scale", "crystal_orientation", "reflecting_range", "unit_cell", "allparams")
    refinement = "\n".join(f"  {part}.d_min = {d_min}" for part in parts)
    return f"""\
data = {quoted(pickles)}
run_no = {quoted(output)}
title = {quoted(title or "")}
scale.d_min = {d_min}
postref {{
{refinement}
}}
merge.d_min = {d_min}
target_unit_cell = {cell_text(consensus.unit_cell)}
target_space_group = {quoted(consensus.space_group)}
target_crystal_system = {crystal_system(consensus.space_group)}
n_residues = {round(residues)}
pixel_size_mm = {summary.pixel_size_mm:g}
n_processors = {n_processors}
"""
