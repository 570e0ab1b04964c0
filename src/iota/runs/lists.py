"""Lists of images by what became of them; each can be given back as input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from iota.errors import RunFolderError
from iota.records import OUTCOMES, FrameRef, Outcome
from iota.runs.folder import RunFolder

LIST_NAMES: Mapping[Outcome, str] = {outcome: f"{outcome}.lst" for outcome in OUTCOMES}


def write_input_list(folder: RunFolder, frames: Iterable[FrameRef]) -> None:
    """Write ``input.lst``: all frames of the run, in order."""
    _write(folder, "input.lst", frames)


def read_input_list(folder: RunFolder) -> list[FrameRef]:
    """Frames of a run, in order, without a look at the files.

    Raises:
        RunFolderError: the list cannot be read.
    """
    path = folder.path / "input.lst"
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}.") from error
    return [_frame(line) for line in lines]


def _frame(line: str) -> FrameRef:
    path, mark, number = line.rpartition("#")
    return FrameRef(path, int(number) - 1) if mark and number.isdigit() and not Path(line).exists() else FrameRef(line)


def write_outcome_lists(folder: RunFolder, frames: Sequence[FrameRef], outcomes: Mapping[FrameRef, Outcome]) -> None:
    """Write a list for every outcome, empty ones too, and ``not_integrated.lst`` for all that ended otherwise.

    Frames that are not finished are in none of them.
    """
    for outcome, name in LIST_NAMES.items():
        _write(folder, name, (frame for frame in frames if outcomes.get(frame) == outcome))
    _write(
        folder, "not_integrated.lst", (frame for frame in frames if outcomes.get(frame, "integrated") != "integrated")
    )


def _write(folder: RunFolder, name: str, frames: Iterable[FrameRef]) -> None:
    folder.write_text(folder.path / name, "".join(f"{frame}\n" for frame in frames))
