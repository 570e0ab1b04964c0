"""Folders of merges, ``merge/NNN`` in that of a run: numbers, and what became of each.

A merge is done when it says so in its ``state.json``; files of one that was stopped or failed are not results.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Literal

import msgspec

from iota.errors import RunFolderError
from iota.runs import RunFolder
from iota.runs.folder import new_numbered_folder, replace_text
from iota.runs.process import process_lives

_STATE = "state.json"
_RESULTS = ("merged.mtz", "merge.json", "table.txt", "merging.png", "merging.pdf")


class MergeState(msgspec.Struct, kw_only=True):
    """``state.json`` of a merge."""

    status: Literal["merging", "done", "stopped", "failed"]
    reason: str = ""  # of one that failed
    process_id: int = msgspec.field(default_factory=os.getpid)
    host: str = msgspec.field(default_factory=socket.gethostname)
    started: float = msgspec.field(default_factory=time.time)  # s since the epoch
    ended: float | None = None  # s since the epoch


def new_merge_folder(run: RunFolder) -> Path:
    """Make the next folder for a merge of a run, whose state is that it goes on.

    Raises:
        RunFolderError: it cannot be made.
    """
    above = run.path / "merge"
    try:
        folder = new_numbered_folder(above)
    except OSError as error:
        raise RunFolderError(f"No folder can be made in {above}: {error.strerror}.") from error
    _write(folder, MergeState(status="merging"))
    return folder


def end_merge(folder: Path, status: Literal["done", "stopped", "failed"], reason: str = "") -> None:
    """Write down what became of a merge; one that is not done keeps its logs and loses what looks like a result.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    state = merge_state(folder)
    state.status, state.reason, state.ended = status, reason, time.time()
    if status != "done":
        for path in [*folder.glob("*.expt"), *folder.glob("*.refl"), *(folder / name for name in _RESULTS)]:
            path.unlink(missing_ok=True)
    _write(folder, state)


def merge_state(folder: Path) -> MergeState:
    """What became of a merge; one whose process was killed is stopped."""
    path = folder / _STATE
    try:
        state = msgspec.json.decode(path.read_bytes(), type=MergeState)
    except (OSError, msgspec.DecodeError):  # written before there were states, or just being made
        return MergeState(status="done" if (folder / "merge.json").is_file() else "stopped")
    if state.status == "merging" and state.host == socket.gethostname() and not process_lives(state.process_id):
        state.status = "stopped"
    return state


def merge_folders(run: Path) -> list[Path]:
    """Folders of merges of a run, the newest first."""
    found = [path for path in (run / "merge").glob("[0-9]*") if path.name.isdigit() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def _write(folder: Path, state: MergeState) -> None:
    replace_text(folder / _STATE, msgspec.json.format(msgspec.json.encode(state), indent=1).decode() + "\n")
