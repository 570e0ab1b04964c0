"""Reads and stores the lattices that a run determined, ``learnt.json``."""

from __future__ import annotations

import msgspec

from iota.crystallography.cells import Cell, cell_text
from iota.runs.folder import RunFolder


class DeterminedLattice(msgspec.Struct, frozen=True):
    """A lattice on which frames agree."""

    number: int
    """Number of the lattice in the run, from 1."""
    unit_cell: Cell
    """Conventional cell (A, degrees)."""
    space_group: str
    """Hermann-Mauguin symbol."""
    bravais: str
    """Bravais symbol, e.g. tP."""
    primitive_cell: Cell
    """Primitive cell (A, degrees)."""
    agreeing: tuple[str, ...]
    """Names of the scouted frames that agree."""
    n_scouted: int
    """Frames that were scouted."""

    @property
    def label(self) -> str:
        """Label for log and record."""
        return f"determined lattice {self.number}: {self.bravais} {cell_text(self.unit_cell, 1)}"


class Determination(msgspec.Struct):
    """The lattices that a run has determined so far, ``learnt.json``; a resumed run starts from them."""

    lattices: list[DeterminedLattice] = []
    """In the order in which they were determined."""
    over: bool = False
    """Whether no more lattices are looked for."""


def read_determination(folder: RunFolder) -> Determination:
    """Read the lattices that a run has determined; empty if there are none.

    Raises:
        OSError, msgspec.DecodeError, msgspec.ValidationError: the file cannot be read.
    """
    if not folder.determined.exists():
        return Determination()
    return msgspec.json.decode(folder.determined.read_bytes(), type=Determination)


def write_determination(folder: RunFolder, determination: Determination) -> None:
    """Store what a run has determined.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(determination), indent=1).decode()
    folder.write_text(folder.determined, text + "\n")
