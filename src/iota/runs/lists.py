"""Writes and reads lists of images by outcome, which can be used as input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from iota.atomic_files import write_atomically
from iota.errors import RunFolderError, UsageError
from iota.records import OUTCOMES, FrameRef, Outcome
from iota.runs.folder import RunFolder, cannot_write

_MOVED = "# moved before it was read: "  # a comment for others who read the list
_LONGEST_LINE = 1 << 16
LIST_NAMES: Mapping[Outcome, str] = {outcome: f"{outcome}.lst" for outcome in OUTCOMES}


def write_input_list(folder: RunFolder, frames: Iterable[FrameRef]) -> None:
    """Write ``input.lst``: all frames of the run, in order."""
    _write(folder, "input.lst", frames)


def append_input_list(folder: RunFolder, frames: Iterable[FrameRef], moved: Iterable[FrameRef] = ()) -> None:
    """Add new frames to ``input.lst``, and remove those in ``moved``.

    Raises:
        RunFolderError: the list cannot be written.
    """
    path = folder.path / "input.lst"
    lines = [f"{_MOVED}{frame}\n" for frame in moved] + [f"{frame}\n" for frame in frames]
    try:
        with path.open("ab+") as file:
            _drop_half_line(file)
            file.write("".join(lines).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise RunFolderError(cannot_write(path, error)) from error


def _drop_half_line(file: BinaryIO) -> None:
    """Remove an incomplete last line left by a full disk: its frame was never processed, and is found again."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _LONGEST_LINE))
    tail = file.read()
    if tail and not tail.endswith(b"\n"):
        file.truncate(end - len(tail) + tail.rfind(b"\n") + 1)


def read_input_list(folder: RunFolder) -> list[FrameRef]:
    """Frames of a run, in order, without checking the files.

    Raises:
        RunFolderError: the list cannot be read.
    """
    return read_list(folder.path / "input.lst")


def read_list(path: Path) -> list[FrameRef]:
    """Frames of a list written by IOTA, in order, without checking the files.

    Raises:
        RunFolderError: the list cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}.") from error
    complete = text[: text.rfind("\n") + 1]  # a killed run may leave half a line
    lines = complete.split("\n")[:-1]
    if f"\n{_MOVED}" not in text:
        return [_frame(line) for line in lines]
    frames: dict[FrameRef, None] = {}
    for line in lines:
        if line.startswith(_MOVED):
            frames.pop(_frame(line.removeprefix(_MOVED)), None)
        else:
            frames[_frame(line)] = None
    return list(frames)


def _frame(line: str) -> FrameRef:
    path, mark, number = line.rpartition("#")
    return FrameRef(path, int(number) - 1) if mark and number.isdigit() and not Path(line).exists() else FrameRef(line)


def with_recorded(frames: Sequence[FrameRef], recorded: Iterable[FrameRef]) -> list[FrameRef]:
    """Frames of a list, followed by those with a record that are not in it, as after losing its end."""
    return list(dict.fromkeys([*frames, *recorded]))


def write_outcome_lists(folder: RunFolder, frames: Sequence[FrameRef], outcomes: Mapping[FrameRef, Outcome]) -> None:
    """Write a list for every outcome, including empty ones, and ``not_integrated.lst`` for all but integrated frames.

    Frames that are not finished are in none of them.
    """
    for outcome, name in LIST_NAMES.items():
        _write(folder, name, (frame for frame in frames if outcomes.get(frame) == outcome))
    _write(
        folder, "not_integrated.lst", (frame for frame in frames if outcomes.get(frame, "integrated") != "integrated")
    )


def write_cluster_files(folder: RunFolder, clusters: Sequence[tuple[Sequence[FrameRef], str]]) -> None:
    """Write ``uc_cluster_1.lst`` and so on, the images of each cluster of cells, and ``uc_cluster_1.phil``, its script.

    Those of before are removed.
    """
    for old in [*folder.path.glob("uc_cluster_*.lst"), *folder.path.glob("uc_cluster_*.phil")]:
        old.unlink()
    for number, (frames, script) in enumerate(clusters, start=1):
        _write(folder, f"uc_cluster_{number}.lst", frames)
        folder.write_text(folder.path / f"uc_cluster_{number}.phil", script)


def _write(folder: RunFolder, name: str, frames: Iterable[FrameRef]) -> None:
    folder.write_text(folder.path / name, "".join(f"{frame}\n" for frame in frames))


_OWN_LISTS = frozenset(("input", "not_integrated", *OUTCOMES))


def write_named_list(place: Path, name: str, frames: Iterable[FrameRef]) -> Path:
    """Write a list named by the user, ``NAME.lst``, in a run folder or a project; an existing one is replaced.

    Raises:
        UsageError: the name is none for a file, or that of a list which belongs to the run.
        RunFolderError: the list cannot be written.
    """
    stem = name.strip().removesuffix(".lst")
    if not stem or not all(letter.isalnum() or letter in "._-" for letter in stem) or stem.startswith("."):
        raise UsageError(f"{name.strip()!r} is not a valid name for a list; use letters, digits, dots, - and _.")
    if stem in _OWN_LISTS or stem.startswith("uc_cluster_"):
        raise UsageError(f"{stem}.lst is a list of the run itself. Choose another name.")
    path = place / f"{stem}.lst"
    try:
        write_atomically(path, "".join(f"{frame}\n" for frame in frames))
    except OSError as error:
        raise RunFolderError(f"The list {path} cannot be written: {error.strerror}. Choose another place.") from error
    return path
