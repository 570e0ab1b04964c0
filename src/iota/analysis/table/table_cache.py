"""Caches the columns of a run in a file, so that a million frames open at once.

Any process that has read a large ledger may write it, and it may be deleted at any time: a cache that does not match
the ledger is ignored.  It contains numbers and strings, never code.
"""

from __future__ import annotations

import logging
import os
import zipfile
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import numpy as np

from iota.analysis.table.columns import NO_CODE, OTHER_CODE
from iota.analysis.table.growing import Array, GrowingColumns
from iota.analysis.table.reasons import Kind, Reasons
from iota.analysis.table.rows import FRAME_DTYPES, LATTICE_DTYPES, Rows
from iota.atomic_files import atomic_file
from iota.records import OUTCOMES
from iota.runs.ledger import LedgerReader, checksum_of

logger = logging.getLogger(__name__)

NAME = ".columns.npz"
_VERSION = 4


class _Head(msgspec.Struct, kw_only=True):
    """What the columns were made from."""

    version: int
    offset: int  # of the ledger, up to which it was read (bytes)
    checksum: int  # of all of it
    changed: int  # when the ledger was last changed (ns since the epoch)
    n_unreadable: int
    n_repeated: int
    frames: dict[str, str]  # name -> dtype
    lattices: dict[str, str]
    outcomes: list[str]
    reasons: list[str]
    kinds: list[Kind]  # of reasons
    settings: list[str]
    remarks: list[str]
    symmetries: list[tuple[str, str]]


class Cached(NamedTuple):
    """Rows, and what has read them."""

    rows: Rows
    reader: LedgerReader  # reads on where they end


def save(folder: Path, ledger: BinaryIO, cached: Cached) -> bool:
    """Write the cache; False if this is not possible, which has no consequences."""
    rows, reader = cached
    head = _Head(
        version=_VERSION,
        offset=reader.offset,
        checksum=reader.checksum,
        changed=os.fstat(ledger.fileno()).st_mtime_ns,
        n_unreadable=reader.n_unreadable,
        n_repeated=reader.n_repeated,
        frames=FRAME_DTYPES,
        lattices=LATTICE_DTYPES,
        outcomes=list(OUTCOMES),
        reasons=rows.reasons.words,
        kinds=rows.reasons.kinds,
        settings=rows.settings.words,
        remarks=rows.remarks.words,
        symmetries=rows.symmetries.words,
    )
    arrays: dict[str, Array] = {f"frames.{name}": rows.frames.view(name) for name in FRAME_DTYPES}
    arrays |= {f"lattices.{name}": rows.lattices.view(name) for name in LATTICE_DTYPES}
    arrays["head"] = np.frombuffer(msgspec.json.encode(head), dtype=np.uint8)
    try:
        with atomic_file(folder / NAME) as part:
            np.savez(part, **arrays)
    except OSError as error:
        logger.debug("no columns are kept in %s: %s", folder, error)
        return False
    return True


def load(folder: Path, ledger: BinaryIO) -> Cached | None:
    """Read the cache; None if there is none, or if it was not made from this ledger by this version of IOTA."""
    try:
        with (folder / NAME).open("rb") as opened:
            file = np.load(opened, allow_pickle=False)
            head = msgspec.json.decode(file["head"].tobytes(), type=_Head)
            if not _fits(head, ledger):
                return None
            frames = {name: file[f"frames.{name}"] for name in FRAME_DTYPES}
            lattices = {name: file[f"lattices.{name}"] for name in LATTICE_DTYPES}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, IndexError, KeyError, EOFError, zipfile.BadZipFile, msgspec.DecodeError) as error:
        logger.debug("columns in %s are not used: %s", folder, error)
        return None
    if not _is_sound(head, frames, lattices):
        return None
    rows = Rows(
        GrowingColumns.of(frames, len(frames["outcome"])),
        GrowingColumns.of(lattices, len(lattices["symmetry"])),
        Reasons(head.reasons, head.kinds),
        head.settings,
        head.remarks,
        head.symmetries,
    )
    reader = LedgerReader(head.offset, head.checksum, rows.frames.view("_digest"))
    reader.n_unreadable, reader.n_repeated = head.n_unreadable, head.n_repeated
    return Cached(rows, reader)


def _fits(head: _Head, ledger: BinaryIO) -> bool:
    now = os.fstat(ledger.fileno())
    return (
        head.version == _VERSION
        and head.frames == FRAME_DTYPES
        and head.lattices == LATTICE_DTYPES
        and head.outcomes == list(OUTCOMES)
        and 0 < head.offset <= now.st_size
        and (head.changed == now.st_mtime_ns or head.checksum == checksum_of(ledger, head.offset))
    )


def _is_sound(head: _Head, frames: dict[str, Array], lattices: dict[str, Array]) -> bool:
    """Whether all columns have the same length, and all codes and rows exist."""
    n_frames, n_lattices = frames["outcome"].size, lattices["symmetry"].size
    for arrays, dtypes, n in ((frames, FRAME_DTYPES, n_frames), (lattices, LATTICE_DTYPES, n_lattices)):
        if any(arrays[name].shape != (n,) or arrays[name].dtype != dtype for name, dtype in dtypes.items()):
            return False
    offsets, best, of_frame = frames["_offset"], frames["_best"], lattices["_row"]
    return bool(
        np.all(frames["outcome"] < len(OUTCOMES))
        and len(head.reasons) == len(head.kinds)
        and _are_codes(frames["reason"], len(head.reasons))
        and _are_codes(frames["settings"], len(head.settings))
        and _are_codes(frames["remarks"], len(head.remarks))
        and _are_codes(lattices["symmetry"], len(head.symmetries))
        and np.all(offsets >= 0)
        and np.all(offsets < head.offset)
        and np.all(np.diff(offsets) > 0)
        and np.all((best >= -1) & (best < n_lattices))
        and np.all((of_frame >= 0) & (of_frame < n_frames))
    )


def _are_codes(codes: Array, n_words: int) -> bool:
    return bool(np.all((codes < n_words) | (codes == NO_CODE) | (codes == OTHER_CODE)))
