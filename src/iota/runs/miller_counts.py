"""Stores how often each Miller index was measured in a run, by lattice, ``.miller_counts.npz``.

It can be regenerated from the run's files at any time, so it may be deleted.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from iota.atomic_files import atomic_file
from iota.crystallography.cells import Cell
from iota.errors import RunFolderError
from iota.runs.folder import cannot_write

FORMAT_VERSION = 2
FILE_NAME = ".miller_counts.npz"


class LatticeCounts(msgspec.Struct, kw_only=True):
    """Miller indices of lattices with one space group and nearly one cell, in the setting they were indexed in."""

    space_group: str
    """Hermann-Mauguin symbol."""
    unit_cell: Cell
    """Median of the first few thousand lattices (A, degrees)."""
    n_lattices: int
    """Number of lattices."""
    n_reflections: int
    """Reflections of all of them, counted with multiplicity."""
    hkl: npt.NDArray[np.int16]
    """Miller indices `[n, 3]`, each once, sorted."""
    counts: npt.NDArray[np.uint32]
    """How often each was measured, `[n]`."""


class MillerCounts(msgspec.Struct, kw_only=True):
    """The counts so far."""

    lattices: list[LatticeCounts]
    """The most frequent first."""
    n_frames: int
    """Frames whose reflections were read."""
    n_missing: int
    """Frames whose files are missing."""
    n_other_lattices: int
    """Lattices of cells too rare to be counted separately."""
    ledger_bytes: int
    """How far the ledger was read (bytes)."""
    ledger_checksum: int = 0
    """Checksum of what was read."""

    @property
    def version(self) -> int:
        """Increases with each file written for a run."""
        return self.ledger_bytes


class _Head(msgspec.Struct, kw_only=True):
    lattices: list[tuple[str, Cell, int, int]]
    n_frames: int
    n_missing: int
    n_other_lattices: int
    ledger_bytes: int
    ledger_checksum: int
    format_version: int = FORMAT_VERSION


def write_miller_counts(folder: Path, found: MillerCounts) -> None:
    """Replace the file in a run folder.

    Raises:
        RunFolderError: the file system refuses.
    """
    head = _Head(
        lattices=[(x.space_group, x.unit_cell, x.n_lattices, x.n_reflections) for x in found.lattices],
        n_frames=found.n_frames,
        n_missing=found.n_missing,
        n_other_lattices=found.n_other_lattices,
        ledger_bytes=found.ledger_bytes,
        ledger_checksum=found.ledger_checksum,
    )
    arrays: dict[str, npt.NDArray[np.generic]] = {"head": np.frombuffer(msgspec.json.encode(head), dtype=np.uint8)}
    for number, lattice in enumerate(found.lattices):
        arrays[f"hkl_{number}"], arrays[f"counts_{number}"] = lattice.hkl, lattice.counts
    data = io.BytesIO()
    np.savez(data, **arrays)
    path = folder / FILE_NAME
    try:
        with atomic_file(path) as part:
            part.write_bytes(data.getbuffer())
    except OSError as error:
        raise RunFolderError(cannot_write(path, error)) from error


def read_miller_counts(folder: Path) -> MillerCounts | None:
    """Read the file of a run folder; None if there is none, or if this version cannot read it."""
    try:
        with np.load(folder / FILE_NAME, allow_pickle=False) as file:
            head = msgspec.json.decode(file["head"].tobytes(), type=_Head)
            if head.format_version != FORMAT_VERSION:
                return None
            lattices = [
                LatticeCounts(
                    space_group=space_group,
                    unit_cell=cell,
                    n_lattices=n_lattices,
                    n_reflections=n_reflections,
                    hkl=file[f"hkl_{number}"],
                    counts=file[f"counts_{number}"],
                )
                for number, (space_group, cell, n_lattices, n_reflections) in enumerate(head.lattices)
            ]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, msgspec.DecodeError):
        return None
    return MillerCounts(
        lattices=lattices,
        n_frames=head.n_frames,
        n_missing=head.n_missing,
        n_other_lattices=head.n_other_lattices,
        ledger_bytes=head.ledger_bytes,
        ledger_checksum=head.ledger_checksum,
    )
