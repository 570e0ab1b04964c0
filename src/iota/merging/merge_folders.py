"""Folders of mergings, ``merge/NNN`` in the run folder, and their status.

A merge works in a hidden folder within its own.  Its results are moved out together when they are complete,
``merge.json`` last: if it exists, all results do.  Logs and the script are there from the start.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from iota.atomic_files import UNFINISHED, write_atomically
from iota.errors import IotaError, RunFolderError
from iota.runs import RunFolder
from iota.runs.folder import new_numbered_folder
from iota.runs.process import process_lives
from iota.runs.state import STALE_AFTER_S

_STATE, _RECORD = "state.json", "merge.json"
_WORK = f"{UNFINISHED}merge"
_HEARTBEAT_S = 5.0

Status = Literal["merging", "done", "stopped", "failed", "interrupted"]


class MergeState(msgspec.Struct, kw_only=True):
    """``state.json`` of a merge; ``interrupted`` is never written, since a merge that was killed writes nothing."""

    status: Status
    reason: str = ""  # of one that failed or was interrupted
    process_id: int = msgspec.field(default_factory=os.getpid)
    host: str = msgspec.field(default_factory=socket.gethostname)
    started: float = msgspec.field(default_factory=time.time)  # s since the epoch
    heartbeat: float = msgspec.field(default_factory=time.time)  # s since the epoch
    ended: float | None = None  # s since the epoch


class MergeFolder(NamedTuple):
    """Folder for the script and logs of a merge, and for its results while they are incomplete."""

    path: Path
    work: Path


@contextlib.contextmanager
def new_merge_folder(run: RunFolder) -> Iterator[MergeFolder]:
    """Make the next folder for a merge of a run; its status is written there when the context ends.

    Results of one that is not done are removed.

    Raises:
        RunFolderError: the folder cannot be made or written.
    """
    above = run.path / "merge"
    remove_left_work(run.path)
    try:
        path = new_numbered_folder(above)
        (path / _WORK).mkdir()
        state = MergeState(status="merging")
        _write(path, state)
    except OSError as error:
        raise RunFolderError(f"No folder can be created in {above}: {error.strerror}.") from error
    try:
        with _heart_beats(path, state):
            yield MergeFolder(path, path / _WORK)
        _publish(path)
    except IotaError as error:
        _give_up(path, state, "failed", str(error))
        raise
    except OSError as error:
        problem = f"{path} cannot be written: {error.strerror or error}. Nothing was merged."
        _give_up(path, state, "failed", problem)
        raise RunFolderError(problem) from error
    except BaseException:
        _give_up(path, state, "stopped")
        raise
    _end(path, state, "done")


def merge_state(folder: Path) -> MergeState:
    """Status of a merge; one whose process is gone was interrupted."""
    is_whole = (folder / _RECORD).is_file()
    try:
        state = msgspec.json.decode((folder / _STATE).read_bytes(), type=MergeState)
    except (OSError, msgspec.DecodeError):  # written before there were states, or just being made
        return MergeState(status="done" if is_whole else "stopped")
    if state.status == "merging" and not _is_at_work(state):
        if is_whole:
            state.status, state.ended = "done", state.heartbeat
        else:
            state.status = "interrupted"
            state.reason = "Its process was killed, or the machine went down. Nothing was merged; start it again."
    return state


def merge_folders(run: Path) -> list[Path]:
    """Folders of merges of a run, the newest first."""
    found = [path for path in (run / "merge").glob("[0-9]*") if path.name.isdigit() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def remove_left_work(run: Path) -> None:
    """Remove the unfinished files of merges that were killed."""
    for folder in merge_folders(run):
        if (folder / _WORK).is_dir() and merge_state(folder).status != "merging":
            shutil.rmtree(folder / _WORK, ignore_errors=True)


def _is_at_work(state: MergeState) -> bool:
    silent_s = time.time() - state.heartbeat
    if state.host != socket.gethostname():
        return silent_s < STALE_AFTER_S
    return silent_s < 10 * STALE_AFTER_S and process_lives(state.process_id)  # its number may be another's by now


@contextlib.contextmanager
def _heart_beats(folder: Path, state: MergeState) -> Iterator[None]:
    """Update the heartbeat in the state every few seconds, for processes on other hosts."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(_HEARTBEAT_S):
            with contextlib.suppress(OSError):  # the merge itself finds out that the disk is full
                _write(folder, state)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _publish(folder: Path) -> None:
    """Move the results to their final paths: each is complete, and the record comes last."""
    work = folder / _WORK
    for path in sorted(work.iterdir(), key=lambda path: path.name == _RECORD):
        path.rename(folder / path.name)
    work.rmdir()


def _give_up(folder: Path, state: MergeState, status: Status, reason: str = "") -> None:
    shutil.rmtree(folder / _WORK, ignore_errors=True)
    _end(folder, state, status, reason)


def _end(folder: Path, state: MergeState, status: Status, reason: str = "") -> None:
    state.status, state.reason, state.ended = status, reason, time.time()
    with contextlib.suppress(OSError):  # without it, the record tells whether it is done, as soon as this process ends
        _write(folder, state)


def _write(folder: Path, state: MergeState) -> None:
    state.heartbeat = time.time()
    write_atomically(folder / _STATE, msgspec.json.format(msgspec.json.encode(state), indent=1).decode() + "\n")
