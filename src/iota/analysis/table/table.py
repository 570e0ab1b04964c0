"""The table of a run: columns read from its ledger and updated as it grows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt

from iota.analysis.table import table_cache
from iota.analysis.table.columns import COLUMNS, NO_CODE, current_name
from iota.analysis.table.growing import Array
from iota.analysis.table.ledger_lines import lines_with, names_of
from iota.analysis.table.reasons import Kind
from iota.analysis.table.rows import Rows
from iota.errors import RunFolderError
from iota.records import OUTCOMES, FrameRef, FrameResult, Outcome
from iota.runs import RunFolder
from iota.runs.ledger import LedgerReader, decoded_record
from iota.runs.seen import frame_digests

_CHUNK_BYTES = 1 << 19  # decoded in some 10 ms, in which nothing else runs in this process
_SEARCHED_ROWS = 2000  # at a time, for the same reason
MIN_SAVED = 50_000  # rows; fewer are read again in 0.3 s


class RunTable:
    """Columns of a run, one row for each finished frame in the order of the ledger.

    One thread may :meth:`update` and :meth:`save` while others read.  Memory: 78 bytes a frame and 86 a lattice.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.generation = 0  # counts how often all rows became void, because the ledger was cut, replaced or changed
        self.is_complete = False  # whether all was read that was there at the last update
        self._rows = Rows()
        self._reader = LedgerReader()
        self._n_bytes = 0  # of the ledger, when last seen
        self._seen: tuple[int, int, int] | None = None  # identity, size and time of change of the ledger
        self._n_saved = 0  # rows that are in the cache

    # -- reading

    def update(self, limit_s: float | None = None) -> int:
        """Read the lines added to the ledger.

        Args:
            limit_s: leave off after about this time; :attr:`is_complete` tells whether there is more.

        Returns:
            Number of new rows; negative when the ledger is shorter than before, and all was read anew.

        Raises:
            RunFolderError: the ledger is gone or cannot be read; rows that were read stay.
        """
        before = self.n_rows
        deadline = None if limit_s is None else time.monotonic() + limit_s
        path = self.folder.ledger
        try:
            with path.open("rb") as file:
                self._check_ledger(file)
                while not self.is_complete:
                    self.is_complete = not self._read_piece(file)
                    if deadline is not None and time.monotonic() > deadline:
                        break
        except FileNotFoundError as error:
            if self._reader.offset:
                raise RunFolderError(f"{path} is gone; what was read of it is still shown.") from error
            self.is_complete = True
        except OSError as error:
            raise RunFolderError(f"{path} cannot be read: {error.strerror}.") from error
        return self.n_rows - before

    def _check_ledger(self, file: BinaryIO) -> None:
        """Check whether the ledger has grown, and whether it is still the one that was read."""
        found = os.fstat(file.fileno())
        seen = (found.st_ino, found.st_size, found.st_mtime_ns)
        if seen == self._seen:
            return
        is_longer = found.st_size != self._n_bytes
        self._seen, self._n_bytes, self.is_complete = seen, found.st_size, False
        fits = self._reader.fits(file) and (is_longer or self._reader.is_unchanged(file))
        if self._reader.offset and not fits:
            self._rows, self._reader = Rows(), LedgerReader()
            self._n_saved = 0
            self.generation += 1
        if not self._reader.offset:
            self._load(file)

    def _load(self, file: BinaryIO) -> None:
        cached = table_cache.load(self.folder.path, file)
        if cached is not None:
            self._rows, self._reader = cached
            self._n_saved = self.n_rows

    def _read_piece(self, file: BinaryIO) -> bool:
        """Read some complete lines; False if there are no more."""
        piece = self._reader.read(file, _CHUNK_BYTES)
        if piece is not None and piece.records:
            self._rows.append(piece)
        return piece is not None

    def save(self) -> bool:
        """Cache the columns beside the ledger, if there are so many new ones that reading them again takes long.

        Returns:
            Whether they were written; False too where the folder cannot be written.
        """
        n_new = self.n_rows - self._n_saved
        if n_new < max(MIN_SAVED, self._n_saved // 4):
            return False
        try:
            with self.folder.ledger.open("rb") as file:
                done = table_cache.save(self.folder.path, file, table_cache.Cached(self._rows, self._reader))
        except OSError:
            return False
        self._n_saved = self.n_rows  # where it could not be written, it is not tried with every frame
        return done

    # -- what is there

    @property
    def n_rows(self) -> int:
        """Finished frames that were read."""
        return self._rows.frames.n_rows

    @property
    def n_unreadable(self) -> int:
        """Lines that are not valid records, or of a later version; they have no row."""
        return self._reader.n_unreadable

    @property
    def n_repeated(self) -> int:
        """Records that have no row because their frame has one already."""
        return self._reader.n_repeated

    @property
    def n_lattices(self) -> int:
        """Lattices of all frames that were read."""
        return self._rows.lattices.n_rows

    @property
    def progress(self) -> float:
        """Fraction of the ledger that has been read."""
        return 1.0 if self.is_complete else min(1.0, self._reader.offset / max(1, self._n_bytes))

    @property
    def reasons(self) -> list[str]:
        """Sentences of the column ``reason``, with … for numbers."""
        return self._rows.reasons.words

    @property
    def kinds(self) -> list[Kind]:
        """Cause of each of :attr:`reasons`."""
        return self._rows.reasons.kinds

    @property
    def settings(self) -> list[str]:
        """Words of the column ``settings``."""
        return self._rows.settings.words

    @property
    def remarks(self) -> list[str]:
        """Words of the column ``remarks``: the sentences on a frame, a line each."""
        return self._rows.remarks.words

    @property
    def symmetries(self) -> list[tuple[str, str]]:
        """Bravais symbol and space group of the column ``symmetry``."""
        return self._rows.symmetries.words

    def words(self, name: str) -> list[str]:
        """What the codes of a column (one of :data:`iota.analysis.table.columns.CODES`) stand for, by code.

        Raises:
            KeyError: the column has no codes.
        """
        words: dict[str, list[str]] = {
            "outcome": list(OUTCOMES),
            "reason": list(self.reasons),
            "settings": list(self.settings),
            "remarks": list(self.remarks),
            "symmetry": [" ".join(symmetry) for symmetry in self.symmetries],
        }
        return words[name]

    def column(self, name: str, start: int = 0, stop: int | None = None) -> Array:
        """A column of frames, read only, `[n_rows]` or `[stop - start]`.

        Values of lattices are those of the frame's best lattice, that with most integrated reflections; nan, or the
        code 65535, where there is none.  They are gathered anew at each call (some ms for a million rows), so ask only
        for the rows that are new, or use :meth:`lattice_column`.

        Raises:
            KeyError: there is no such column.
        """
        rows, name = self._rows, current_name(name)
        stop = rows.frames.n_rows if stop is None else min(stop, rows.frames.n_rows)
        if COLUMNS[name].of == "frame":
            return rows.frames.view(name, start, stop)
        best = rows.frames.view("_best", start, stop)
        having = np.flatnonzero(best >= 0)
        found = np.full(len(best), NO_CODE if COLUMNS[name].dtype == "u2" else np.nan, dtype=COLUMNS[name].dtype)
        found[having] = rows.lattices.view(name)[best[having]]
        found.flags.writeable = False
        return found

    def lattice_column(self, name: str) -> Array:
        """A column of lattices, all of all frames, read only, `[n_lattices]`; "row" is the row of each one's frame.

        Raises:
            KeyError: there is no such column.
        """
        return self._rows.lattices.view("_row" if name == "row" else current_name(name))

    @property
    def counts(self) -> dict[Outcome, int]:
        """Finished frames by outcome, in the order of the stages; those that occur."""
        numbers = np.bincount(self.column("outcome"), minlength=len(OUTCOMES)).tolist()
        return {outcome: number for outcome, number in zip(OUTCOMES, numbers, strict=True) if number}

    # -- records

    def record(self, row: int) -> FrameResult:
        """The whole record of a row, read from the ledger.

        Raises:
            IndexError: there is no such row.
            RunFolderError: the ledger cannot be read any more.
        """
        return next(self.records([row]))

    def records(self, rows: Iterable[int] | npt.NDArray[np.int64]) -> Iterator[FrameResult]:
        """The whole records of rows, in the order given; as :meth:`record`."""
        offsets = self._rows.frames.view("_offset")
        path = self.folder.ledger
        try:
            with path.open("rb") as file:
                for row in rows:
                    if not 0 <= row < len(offsets):
                        raise IndexError(row)
                    file.seek(offsets[row])
                    yield decoded_record(file.readline())
        except OSError as error:
            raise RunFolderError(f"{path} cannot be read: {error.strerror}.") from error
        except msgspec.DecodeError as error:
            raise RunFolderError(f"{path} was changed while it was read: {error}.") from error

    def frame_names(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[str, str]]:
        """Yield frame (as list files write it) and name of rows; 1 s for a million, as the ledger is read again.

        Raises:
            RunFolderError: the ledger cannot be read any more.
        """
        offsets = self._rows.frames.view("_offset")
        stop = len(offsets) if stop is None else min(stop, len(offsets))
        for first in range(start, stop, _SEARCHED_ROWS):
            after = min(first + _SEARCHED_ROWS, stop)
            yield from names_of(self._block(offsets, first, after), offsets[first:after] - offsets[first])

    def _block(self, offsets: Array, first: int, after: int) -> bytes:
        """Lines of rows as they are in the ledger, with whatever unreadable lines are among them."""
        end = int(offsets[after]) if after < len(offsets) else self._reader.offset
        path = self.folder.ledger
        try:
            with path.open("rb") as file:
                file.seek(offsets[first])
                return file.read(end - int(offsets[first]))
        except OSError as error:
            raise RunFolderError(f"{path} cannot be read: {error.strerror}.") from error

    def rows_of(self, frames: Sequence[FrameRef]) -> npt.NDArray[np.int64]:
        """Rows of frames, `[n_frames]`, -1 for those that are not finished."""
        digests, wanted = self._rows.frames.view("_digest"), frame_digests(frames)
        candidates = np.flatnonzero(np.isin(digests, wanted))
        known = dict(zip(digests[candidates].tolist(), candidates.tolist(), strict=True))
        return np.array([known.get(digest, -1) for digest in wanted.tolist()], dtype=np.int64)

    def sample(self, rows: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
        """At most so many of some rows, chosen and ordered by digests of their frames, whatever the order of these."""
        digests = self._rows.frames.view("_digest")[rows]
        return np.asarray(rows[np.argsort(digests, kind="stable")[:most]])

    def rows_with(self, text: str, limit: int | None = None) -> npt.NDArray[np.int64]:
        """Rows of frames whose path or name contains a text, ignoring case; searches the ledger.

        Args:
            text: a part of the path or name.
            limit: leave off after so many.

        Raises:
            RunFolderError: the ledger cannot be read.
        """
        offsets = self._rows.frames.view("_offset")
        found: list[int] = []
        for first in range(0, len(offsets), _SEARCHED_ROWS):
            after = min(first + _SEARCHED_ROWS, len(offsets))
            block = self._block(offsets, first, after)
            found += [first + row for row in lines_with(text, block, offsets[first:after] - offsets[first])]
            if limit is not None and len(found) >= limit:
                break
        return np.array(found[:limit], dtype=np.int64)
