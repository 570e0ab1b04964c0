"""The ledger, ``frames.jsonl``: one line of JSON for each finished frame, one writer, any number of readers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import msgspec

from iota.errors import RunFolderError
from iota.records import FrameResult
from iota.runs.folder import cannot_write

_decoder = msgspec.json.Decoder(FrameResult)
_encoder = msgspec.json.Encoder()


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


def iterate_ledger(path: Path) -> Iterator[FrameResult]:
    """Yield the complete records one by one, without keeping them.

    Raises:
        RunFolderError: as :func:`read_ledger`.
    """
    try:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n") and len(line) > 1:
                    yield _decoder.decode(line)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise RunFolderError(f"{path} holds a line that is not a record: {error}.") from error


def read_ledger(path: Path, offset: int = 0, limit: int = -1) -> tuple[list[FrameResult], int]:
    """Read the complete records after an offset, from at most ``limit`` bytes; -1 is all.

    Returns:
        The records, and the offset from which to read on later.  A half-written last line is left for then.

    Raises:
        RunFolderError: the ledger exists but cannot be read, or a complete line is not a record.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(limit)
    except FileNotFoundError:
        return [], offset
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}.") from error
    end = data.rfind(b"\n") + 1
    try:
        return [_decoder.decode(line) for line in data[:end].splitlines() if line], offset + end
    except msgspec.DecodeError as error:
        raise RunFolderError(f"{path} holds a line that is not a record: {error}.") from error
