"""Which lattices of a run belong to its consensus, for merging and export."""

from __future__ import annotations

from iota.analysis.cells.consensus import Consensus
from iota.crystallography.nearness import is_within_fraction
from iota.records import FrameResult, Lattice

OTHER_TYPE, OTHER_CELL, NO_FILES = "of another Bravais type", "with another unit cell", "without files"


def reason_to_exclude(result: FrameResult, lattice: Lattice, consensus: Consensus, uc_tolerance: float | None) -> str:
    """Why a lattice is excluded, in words that follow "lattices"; empty if it is not.

    Its cell has to be in the setting of the consensus, so that its indices mean the same reflections.

    Args:
        result: record of the frame.
        lattice: one of its lattices.
        consensus: of the run.
        uc_tolerance: of each length and angle, as a fraction; None takes lattices of any cell and Bravais type.
    """
    if uc_tolerance is not None:
        if lattice.bravais != consensus.bravais:
            return OTHER_TYPE
        if not is_within_fraction(lattice.unit_cell, consensus.unit_cell, uc_tolerance):
            return OTHER_CELL
    return "" if {"experiments", "reflections"} <= set(result.files) else NO_FILES
