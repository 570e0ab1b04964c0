"""Records that were taken out of a ledger because their frames are processed again with another geometry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from iota.errors import RunFolderError
from iota.records import FrameRef, FrameResult
from iota.runs.ledger import LedgerReader, decoded_record


class WithdrawnRecords(Mapping[FrameRef, FrameResult]):
    """The records in a file, by frame; they are read one by one, and only their places are kept in memory."""

    def __init__(self, path: Path) -> None:
        """Read where the records are; there are none if there is no such file.

        Raises:
            RunFolderError: the file cannot be read.
        """
        self._path = path
        self._start: dict[FrameRef, int] = {}
        reader = LedgerReader()
        try:
            with path.open("rb") as file:
                while piece := reader.read(file):
                    self._start.update(
                        (record.frame, int(start)) for record, start in zip(piece.records, piece.starts, strict=True)
                    )
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._unreadable(error) from error

    def __getitem__(self, frame: FrameRef) -> FrameResult:
        start = self._start[frame]
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                return decoded_record(file.readline())
        except OSError as error:
            raise self._unreadable(error) from error

    def __iter__(self) -> Iterator[FrameRef]:
        return iter(self._start)

    def __len__(self) -> int:
        return len(self._start)

    def _unreadable(self, error: OSError) -> RunFolderError:
        return RunFolderError(f"{self._path} cannot be read: {error.strerror}.")
