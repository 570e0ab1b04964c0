"""The state of a run, ``state.json``: replaced atomically, read by everyone."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Literal

import msgspec

from iota.errors import RunFolderError
from iota.records import Outcome
from iota.runs.folder import replace_text
from iota.runs.process import ProcessMark, process_lives

STALE_AFTER_S = 60.0  # a coordinator writes its heartbeat every second

Status = Literal["queued", "running", "watching", "finished", "aborted", "failed"]


class BatchJob(msgspec.Struct, kw_only=True):
    """A job of a batch system."""

    id: str
    method: str  # slurm, sge, ..., or custom
    state: Literal["queued", "running", "ended"] = "queued"
    log: str = ""  # the job's own log, or the folder it is in


class RunState(msgspec.Struct, kw_only=True):
    """Where a run stands."""

    status: Status
    n_frames: int
    n_finished: int = 0
    n_waiting: int = 0  # frames known to have diffraction that are not finished, as while a lattice is determined
    counts: dict[Outcome, int] = {}
    doing: str = ""  # for people, e.g. "determining the lattice from 6"
    reason: str = ""  # why it is aborted or failed
    jobs: list[BatchJob] = []
    process_id: int = msgspec.field(default_factory=os.getpid)
    host: str = msgspec.field(default_factory=socket.gethostname)
    process: ProcessMark | None = None  # the same two, so that nobody takes another process for it
    started: float = msgspec.field(default_factory=time.time)  # s since the epoch
    heartbeat: float = 0.0  # s since the epoch
    format_version: int = 1

    @property
    def claims_work(self) -> bool:
        """Whether it says that a process works on the run; that process may have been killed."""
        return self.status in ("running", "watching")

    def write(self, path: Path) -> None:
        """Replace the state file, with the heartbeat of now.

        Raises:
            RunFolderError: the file system refuses.
        """
        self.heartbeat = time.time()
        replace_text(path, msgspec.json.format(msgspec.json.encode(self), indent=1).decode() + "\n")


def read_state(path: Path) -> RunState:
    """Read the state of a run.

    Raises:
        RunFolderError: there is none, or it is not one.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunState)
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise RunFolderError(f"{path} cannot be read: {error}.") from error


def is_at_work(state: RunState) -> bool:
    """Whether somebody works on a run or will: its process lives, or its job waits; False for one that was killed."""
    if state.status == "queued":
        return True
    if not state.claims_work:
        return False
    lives = None if state.process is None else state.process.lives
    if lives is not None:
        return lives
    silent_s = time.time() - state.heartbeat
    if state.process is not None or state.host != socket.gethostname():
        return silent_s < STALE_AFTER_S
    if silent_s > 10 * STALE_AFTER_S:  # by now its number may be that of another process
        return False
    return process_lives(state.process_id)
