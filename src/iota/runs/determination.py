"""Lattices that a run determined from its own images, ``learnt.json``: its records, and reading them."""

from __future__ import annotations

import msgspec

from iota.runs.folder import RunFolder
from iota.symmetry import Cell, cell_text


class DeterminedLattice(msgspec.Struct, frozen=True):
    """A lattice on which frames agree."""

    number: int
    unit_cell: Cell  # conventional
    space_group: str
    bravais: str
    primitive_cell: Cell
    agreeing: tuple[str, ...]  # names of the frames that were scouted and agree
    n_scouted: int

    @property
    def label(self) -> str:
        """Words for log and record."""
        return f"determined lattice {self.number}: {self.bravais} {cell_text(self.unit_cell, 1)}"


class Determination(msgspec.Struct):
    """The lattices that a run has determined so far, ``learnt.json``; a resumed run starts from them."""

    lattices: list[DeterminedLattice] = []
    over: bool = False  # no more lattices are looked for


def read_determination(folder: RunFolder) -> Determination:
    """Read what a run has determined; empty if that is nothing.

    Raises:
        OSError, msgspec.DecodeError, msgspec.ValidationError: the file cannot be read.
    """
    if not folder.determined.exists():
        return Determination()
    return msgspec.json.decode(folder.determined.read_bytes(), type=Determination)
