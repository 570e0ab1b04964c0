"""Lists of images by what became of them; each can be given back as input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from iota.records import OUTCOMES, FrameRef, Outcome
from iota.runs.folder import RunFolder

LIST_NAMES: Mapping[Outcome, str] = {outcome: f"{outcome}.lst" for outcome in OUTCOMES}


def write_input_list(folder: RunFolder, frames: Iterable[FrameRef]) -> None:
    """Write ``input.lst``: all frames of the run, in order."""
    _write(folder, "input.lst", frames)


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
