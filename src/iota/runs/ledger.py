"""Reads and writes the ledger, ``frames.jsonl``, one line of JSON per finished frame; notices a full disk."""

from __future__ import annotations

import os
import shutil
import stat
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from iota.crystallography.cells import is_possible_cell
from iota.crystallography.space_groups import is_space_group
from iota.errors import RunFolderError
from iota.records import FORMAT_VERSION, FrameResult, Outcome
from iota.runs.earlier_records import converted
from iota.runs.folder import cannot_write
from iota.runs.seen import Digests, SeenFrames, frame_digests

_PIECE_BYTES = 1 << 19  # decoded in some 10 ms, in which nothing else runs in this process
_decoder = msgspec.json.Decoder(FrameResult)
_encoder = msgspec.json.Encoder()
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # of an editor
_TAIL_BYTES = 96  # of the last line, with the time when its frame was finished: no other ledger has the same there
_LONGEST = 16 << 20  # bytes of a line; a frame of hundreds of lattices and grid points has some 0.2 MB


class Ledger:
    """The writing end.  A line counts only once its newline is written; a torn last line is cut off on opening."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            _cut_torn_line(path)
            self._file = path.open("ab", buffering=0)
            self._n_bytes = self._file.seek(0, 2)
        except OSError as error:
            raise RunFolderError(cannot_write(path, error)) from error

    def append(self, result: FrameResult) -> None:
        """Write one record; the operating system has it when this returns.

        Raises:
            RunFolderError: the file system refuses.
        """
        result.version = FORMAT_VERSION
        result.old_reason = result.reason  # for people, and for programs that read the file themselves
        line = _encoder.encode(result) + b"\n"
        result.old_reason = ""
        try:
            written = self._file.write(line)
            if written != len(line):
                self._file.truncate(self._n_bytes)
                raise OSError(28, "No space left on device")
            self._n_bytes += written
        except OSError as error:
            raise RunFolderError(cannot_write(self.path, error)) from error

    def take_out(self, is_wanted: Callable[[FrameResult], bool], into: Path) -> None:
        """Move records to another file; readers see the old ledger or the new one.

        Args:
            is_wanted: which records are moved.
            into: a new ledger with these; what was there is replaced.

        Raises:
            RunFolderError: the file system refuses; the ledger is as it was.
        """
        try:
            self._file.close()
            _rewrite(self.path, lambda record: not is_wanted(record), into)
        finally:
            try:
                self._file = self.path.open("ab", buffering=0)
                self._n_bytes = self._file.seek(0, 2)
            except OSError as error:
                raise RunFolderError(cannot_write(self.path, error)) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, 2)
        position = end
        while position > 0:
            step = min(65536, position)
            file.seek(position - step)
            newline = file.read(step).rfind(b"\n")
            if newline >= 0:
                position = position - step + newline + 1
                break
            position -= step
        if position != end:
            file.truncate(position)


class Piece(NamedTuple):
    """Some records of a ledger."""

    records: list[FrameResult]
    """The records."""
    starts: npt.NDArray[np.int64]
    """Where their lines begin in the ledger (bytes), `[n_records]`."""
    digests: Digests
    """Digests of their frames, `[n_records]`."""


class LedgerReader:
    """Reads a ledger piece by piece, and later what was added; used by all code that reads ledgers.

    A frame counts once, whatever the ledger holds: of several records the first is taken, unless ``keep_repeated``.
    Lines that are no records are skipped.  A half-written last line is left for later.

    Attributes:
        offset: up to where the ledger was read (bytes).
        checksum: of all bytes before, as :func:`checksum_of`.
        n_unreadable: lines that were skipped: damaged, or of a later version.
        n_repeated: records that were skipped because their frame has one.
    """

    def __init__(
        self, offset: int = 0, checksum: int = 0, seen: Digests | None = None, *, keep_repeated: bool = False
    ) -> None:
        self.offset, self.checksum, self._keep_repeated = offset, checksum, keep_repeated
        self.n_unreadable = self.n_repeated = 0
        self._seen = SeenFrames(seen)
        self._tail: bytes | None = None if offset else b""  # last bytes that were read; None: not known

    def fits(self, file: BinaryIO) -> bool:
        """Whether the part read last is unchanged: not if the ledger was cut, replaced or edited before it."""
        if self._tail is None:
            n = min(_TAIL_BYTES, self.offset)
            file.seek(self.offset - n)
            self._tail = file.read(n)
        file.seek(self.offset - len(self._tail))
        return file.read(len(self._tail)) == self._tail

    def is_unchanged(self, file: BinaryIO) -> bool:
        """Whether everything read so far is unchanged, byte by byte; 1 s for 2 million frames."""
        return checksum_of(file, self.offset) == self.checksum

    def read(self, file: BinaryIO, n_bytes: int = _PIECE_BYTES) -> Piece | None:
        """Read complete lines from about so many bytes, at least one; None if there is none."""
        file.seek(self.offset)
        checksum = self.checksum
        if self.offset == 0:
            if file.read(3) == _BYTE_ORDER_MARK:
                checksum = zlib.crc32(_BYTE_ORDER_MARK)
            else:
                file.seek(0)
        data = file.read(n_bytes)
        is_too_long = False
        while (end := data.rfind(b"\n") + 1) == 0:  # the last line is being written, or it is a long one
            more = file.read(n_bytes)
            if not more:
                return None
            is_too_long = is_too_long or len(data) > _LONGEST
            if is_too_long:
                checksum, data = zlib.crc32(data, checksum), more
            else:
                data += more
        begin = file.tell() - len(data)
        if is_too_long:
            end = data.index(b"\n") + 1
            self.n_unreadable += 1
            piece = _NOTHING
        else:
            piece = self._taken(data[:end], begin)
        self._tail = data[max(0, end - _TAIL_BYTES) : end]
        self.offset, self.checksum = begin + end, zlib.crc32(data[:end], checksum)
        return piece

    def _taken(self, data: bytes, begin: int) -> Piece:
        """Records among complete lines that begin at an offset; counts the other lines."""
        records, starts, n_unreadable = _decoded(data)
        digests = frame_digests(record.frame for record in records)
        is_new = self._seen.add(digests) | self._keep_repeated
        self.n_unreadable += n_unreadable
        if not is_new.all():
            self.n_repeated += len(records) - int(np.count_nonzero(is_new))
            records = [records[k] for k in np.flatnonzero(is_new)]
        return Piece(records, starts[is_new] + begin, digests[is_new])


_NOTHING = Piece([], np.zeros(0, np.int64), np.zeros(0, np.uint64))


def _decoded(data: bytes) -> tuple[list[FrameResult], npt.NDArray[np.int64], int]:
    """Records among complete lines, their offsets, and the number of invalid lines; empty lines do not count."""
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 10)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1] + 1])
    if int((ends - starts).max()) <= _LONGEST:
        try:
            records = _decoder.decode_lines(data)
            if len(records) == len(starts) and all(map(_is_sound, records)):
                return records, starts, 0
        except (msgspec.DecodeError, RecursionError):
            pass
    found, n_unreadable = {}, 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        record = _record(data[start:end])
        if record is not None:
            found[start] = record
        elif data[start:end].strip():
            n_unreadable += 1
    return list(found.values()), np.array(list(found), dtype=np.int64), n_unreadable


def _record(line: bytes) -> FrameResult | None:
    """The record in a line; None if it is invalid or of a later version."""
    if len(line) > _LONGEST:
        return None
    try:
        record = _decoder.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return record if _is_sound(record) else None


def decoded_record(line: bytes) -> FrameResult:
    """The record of a line that was read before.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return converted(_decoder.decode(line))


def _is_sound(record: FrameResult) -> bool:
    """Whether a record is of a known version and has possible lattices; one of an earlier version is converted."""
    if record.version != FORMAT_VERSION:
        if record.version > FORMAT_VERSION:
            return False
        converted(record)
    record.old_reason = ""  # it follows from the cause
    return all(is_space_group(x.space_group) and is_possible_cell(x.unit_cell) for x in record.lattices)


class LedgerRecords:
    """The records of a ledger, read one by one and not kept; get it from :func:`iterate_ledger`.

    ``n_unreadable`` and ``n_repeated`` are those of :class:`LedgerReader`, once all was read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_unreadable = self.n_repeated = 0

    def __iter__(self) -> Iterator[FrameResult]:
        reader = LedgerReader()
        try:
            with self.path.open("rb") as file:
                while piece := reader.read(file):
                    yield from piece.records
        except FileNotFoundError:
            pass
        except OSError as error:
            raise RunFolderError(f"{self.path} cannot be read: {error.strerror}.") from error
        self.n_unreadable, self.n_repeated = reader.n_unreadable, reader.n_repeated


def iterate_ledger(path: Path) -> LedgerRecords:
    """The records one by one, one for each frame; other lines are skipped and counted.

    Raises:
        RunFolderError: the ledger exists but cannot be read.
    """
    return LedgerRecords(path)


def read_ledger(path: Path, offset: int = 0, limit: int = -1) -> tuple[list[FrameResult], int]:
    """Read the records after an offset, from about ``limit`` bytes, all that a frame has; a limit of -1 is no limit.

    Returns:
        The records, and the offset from which to read on later.

    Raises:
        RunFolderError: the ledger exists but cannot be read.
    """
    records: list[FrameResult] = []
    reader = LedgerReader(offset, keep_repeated=True)
    try:
        with path.open("rb") as file:
            while piece := reader.read(file, limit if limit > 0 else _PIECE_BYTES):
                records += piece.records
                if limit > 0:
                    break
    except FileNotFoundError:
        pass
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}.") from error
    return records, reader.offset


def checksum_of(file: BinaryIO, n_bytes: int) -> int:
    """CRC-32 of the first bytes of a ledger, or of all if there are fewer."""
    file.seek(0)
    checksum = 0
    while n_bytes > 0 and (data := file.read(min(n_bytes, _PIECE_BYTES))):
        checksum = zlib.crc32(data, checksum)
        n_bytes -= len(data)
    return checksum


def remove_records(path: Path, outcomes: Collection[Outcome]) -> int:
    """Remove the records with some outcomes from a ledger not in use; readers see the old or the new one.

    Returns:
        How many records were taken out.

    Raises:
        RunFolderError: the file system refuses; the ledger is as it was.
    """
    return _rewrite(path, lambda record: record.outcome not in outcomes)


def remove_unreplaced(path: Path) -> None:
    """Remove ledgers that were to replace this one when their process was killed; nobody may be writing one.

    Raises:
        OSError: the file system refuses.
    """
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink(missing_ok=True)


def _rewrite(path: Path, stays: Callable[[FrameResult], bool], into: Path = Path(os.devnull)) -> int:
    """Replace a ledger by one with some of its records, and all lines that are none; returns how many others there are.

    Those are written into another file first.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    n_removed = 0
    try:
        with path.open("rb") as old, temporary.open("wb") as new, into.open("wb") as gone:
            for number, line in enumerate(old):
                record = _record(line if number else line.removeprefix(_BYTE_ORDER_MARK))
                if record is None or stays(record):
                    new.write(line)
                else:
                    gone.write(line)
                    n_removed += 1
            for file in (gone, new):
                file.flush()
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    os.fsync(file.fileno())
        shutil.copymode(path, temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunFolderError(cannot_write(path, error)) from error
    return n_removed
