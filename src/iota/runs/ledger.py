"""The ledger, ``frames.jsonl``: one line of JSON for each finished frame, one writer, any number of readers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec

from iota.errors import RunFolderError
from iota.records import FrameResult
from iota.runs.folder import cannot_write

_decoder = msgspec.json.Decoder(FrameResult)
_encoder = msgspec.json.Encoder()
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
        """Write one record; it is in the hands of the operating system when this returns.

        Raises:
            RunFolderError: the file system refuses.
        """
        line = _encoder.encode(result) + b"\n"
        try:
            written = self._file.write(line)
            if written != len(line):
                self._file.truncate(self._n_bytes)
                raise OSError(28, "No space left on device")
            self._n_bytes += written
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


class LedgerRecords:
    """The complete records of a ledger, read one by one; get it from :func:`iterate_ledger`.

    ``n_unreadable`` counts the lines that were skipped as invalid records: damaged, or from a later version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_unreadable = 0

    def __iter__(self) -> Iterator[FrameResult]:
        self.n_unreadable = 0
        try:
            with self.path.open("rb") as file:
                skip_byte_order_mark(file)
                for line in _complete_lines(file):
                    record = _record(line)
                    if record is not None:
                        yield record
                    elif line != b"\n":
                        self.n_unreadable += 1
        except FileNotFoundError:
            return
        except OSError as error:
            raise RunFolderError(f"{self.path} cannot be read: {error.strerror}.") from error


def iterate_ledger(path: Path) -> LedgerRecords:
    """Yield the complete records one by one, without keeping them; lines that are no records are skipped and counted.

    Raises:
        RunFolderError: the ledger exists but cannot be read.
    """
    return LedgerRecords(path)


def read_ledger(path: Path, offset: int = 0, limit: int = -1) -> tuple[list[FrameResult], int]:
    """Read the complete records after an offset, from at most ``limit`` bytes; -1 is all.

    Returns:
        The records, and the offset from which to read on later.  A half-written last line is left for then, a complete
        one that is no record is skipped.

    Raises:
        RunFolderError: the ledger exists but cannot be read.
    """
    records: list[FrameResult] = []
    try:
        with path.open("rb") as file:
            file.seek(offset)
            if offset == 0:
                offset = skip_byte_order_mark(file)
            end = None if limit < 0 else offset + limit
            for line in _complete_lines(file):
                if end is not None and offset + len(line) > end and records:
                    break
                offset = file.tell()
                record = _record(line)
                if record is not None:
                    records.append(record)
                if end is not None and offset >= end:
                    break
    except FileNotFoundError:
        return [], offset
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}.") from error
    return records, offset


def skip_byte_order_mark(file: BinaryIO) -> int:
    """Move to the first line of a file that may have been through an editor; returns where that begins (bytes)."""
    if file.read(3) == b"\xef\xbb\xbf":
        return 3
    file.seek(0)
    return 0


def _complete_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines that end, each with its end; of one that no record can be as long as, only its first part."""
    while line := file.readline(_LONGEST):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(_LONGEST)
        if not rest:
            return
        yield line


def _record(line: bytes) -> FrameResult | None:
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError:
        return None
