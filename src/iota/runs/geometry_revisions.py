"""Reads and stores the geometries that a run tried instead of the given one, ``geometry_revisions.json``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from iota.errors import RunFolderError
from iota.records import FrameRef
from iota.runs.folder import RunFolder

_FOLDER = re.compile(r"geometry/(\d{1,9})")

Method = Literal["search", "refinement", "drift"]


FRAMES_BEFORE = "frames_before.jsonl"  # in the folder of a geometry
BY_RUN = "proposed_by_run"  # an empty file in the folder of a geometry that nobody asked for
_FOUND: dict[Method, str] = {
    "search": "Found with the spots of {n} hits",
    "refinement": "Refined against {n} lattices",
    "drift": "A geometry for each part of the run, from {n} lattices",
}


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The same hits with two geometries; they were not used to find the second one."""

    n_hits: int
    """Hits."""
    n_integrated_before: int
    """Integrated with the geometry that was in use."""
    n_integrated_after: int
    """Integrated with the new one."""
    n_both: int
    """Integrated with both."""
    n_indexed_before: int
    """Indexed spots of all these hits with the geometry that was in use."""
    n_indexed_after: int
    """The same with the new one."""
    rmsd_before_px: float | None = None
    """Median RMSD of the lattices integrated with both, with the geometry that was in use (px)."""
    rmsd_after_px: float | None = None
    """The same with the new one (px)."""
    cell_before: float | None = None
    """Median relative difference of their axes from the given cell, with the geometry that was in use."""
    cell_after: float | None = None
    """The same with the new one."""
    is_better: bool
    """Whether the new geometry is better, so that it is used."""


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """A geometry that was tried."""

    number: int
    """Number in the run, from 1."""
    method: Method
    """search: with the spots of hits without a lattice; refinement: against indexed spots; drift: of parts of a run."""
    reference: str
    """The reference geometry, relative to the run folder; its record and pictures are beside it."""
    finding: str
    """What was wrong, as a sentence."""
    n_used: int
    """Hits (search) or lattices (refinement) from which it was determined."""
    proof: Proof
    """Comparison on other hits."""
    sample: tuple[FrameRef, ...] = ()
    """The hits that it was decided with: those that were used, and those that were set aside."""

    @property
    def frames_before(self) -> str:
        """Ledger of the hits with the geometry before, relative to the run folder."""
        return f"{self.folder}/{FRAMES_BEFORE}"

    @property
    def folder(self) -> str:
        """Folder of the geometry, relative to the run folder."""
        return self.reference.rpartition("/")[0]

    @property
    def sentence(self) -> str:
        """What was done and why."""
        proof = self.proof
        found = _FOUND[self.method].format(n=f"{self.n_used:,}")
        parts = [f"{proof.n_integrated_before} → {proof.n_integrated_after} integrated"]
        parts.append(f"{proof.n_indexed_before:,} → {proof.n_indexed_after:,} spots indexed")
        if proof.rmsd_before_px is not None and proof.rmsd_after_px is not None:
            parts.append(f"RMSD {proof.rmsd_before_px:.2f} → {proof.rmsd_after_px:.2f} px")
        if proof.cell_before is not None and proof.cell_after is not None:
            parts.append(
                f"axes {100 * proof.cell_before:.2f} % → {100 * proof.cell_after:.2f} % from those of the given cell"
            )
        used = "used for all images" if proof.is_better else "not used, because the result is not better"
        return f"{found}; on {proof.n_hits} other hits: {', '.join(parts)}; {used} ({self.folder})."


class GeometryRevisions(msgspec.Struct):
    """The geometries that a run has tried so far; a resumed run starts from them."""

    revisions: list[Revision] = []
    """In the order in which they were tried."""
    over: bool = False
    """Whether no more are tried with the first hits."""
    is_drift_checked: bool = False
    """Whether the detector was found to move or not, at the end of the run."""

    @property
    def in_use(self) -> Revision | None:
        """The geometry in use; None is the given one."""
        return next((one for one in reversed(self.revisions) if one.proof.is_better), None)


def geometry_picture(folder: RunFolder, number: int) -> Path:
    """The picture of the displacements in ``geometry/NNN`` of a run; there may be none."""
    return folder.path / "geometry" / f"{number:03d}" / "geometry.png"


def used_pictures(folder: RunFolder, revisions: Sequence[Revision]) -> list[tuple[Revision, int]]:
    """Geometries that were used and have a picture, with the numbers of their folders, in order."""
    numbered = [(one, _FOLDER.fullmatch(one.folder)) for one in revisions if one.proof.is_better]
    found = [(one, int(match[1])) for one, match in numbered if match]
    return [(one, number) for one, number in found if geometry_picture(folder, number).is_file()]


def read_revisions(folder: RunFolder) -> GeometryRevisions:
    """Read the geometries that a run has tried; empty if there are none, or none that can be read."""
    try:
        return msgspec.json.decode(folder.geometry_revisions.read_bytes(), type=GeometryRevisions)
    except (OSError, msgspec.DecodeError, RecursionError):
        return GeometryRevisions()


def read_revisions_in_use(folder: RunFolder) -> GeometryRevisions:
    """The same for a run that is resumed, whose other frames need the geometry that it uses.

    Raises:
        RunFolderError: there is a file that cannot be read.
    """
    path = folder.geometry_revisions
    try:
        return msgspec.json.decode(path.read_bytes(), type=GeometryRevisions)
    except FileNotFoundError:
        return GeometryRevisions()
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        raise RunFolderError(
            f"{path} cannot be read ({error}), so the geometry that this run uses is not known. Restore this file, or"
            " start a new run."
        ) from error


def write_revisions(folder: RunFolder, revisions: GeometryRevisions) -> None:
    """Store what a run has tried.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(revisions), indent=1).decode()
    folder.write_text(folder.geometry_revisions, text + "\n")
