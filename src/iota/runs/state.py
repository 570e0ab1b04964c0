"""Reads and writes the state of a run, ``state.json``, and decides whether it is still at work."""

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
    """Number that the batch system gave the job."""
    method: str
    """slurm, sge, ..., or custom."""
    state: Literal["queued", "running", "ended"] = "queued"
    """State of the job."""
    log: str = ""
    """The log of the job, or the folder that contains it."""


class RunState(msgspec.Struct, kw_only=True):
    """The state of a run."""

    status: Status
    """Status as the run last wrote it."""
    n_frames: int
    """Frames of the run that are known so far."""
    n_finished: int = 0
    """Frames that have a record."""
    n_waiting: int = 0
    """Hits that are not finished, for instance because a lattice is being determined."""
    counts: dict[Outcome, int] = {}
    """Finished frames by outcome."""
    doing: str = ""
    """What the run is doing, for users, e.g. "determining the lattice from 6"."""
    reason: str = ""
    """Why it was aborted or failed."""
    jobs: list[BatchJob] = []
    """Jobs of a batch system in which it runs."""
    process_id: int = msgspec.field(default_factory=os.getpid)
    """Process ID of the coordinator."""
    host: str = msgspec.field(default_factory=socket.gethostname)
    """Host of the coordinator."""
    process: ProcessMark | None = None
    """The coordinator, identified unambiguously across hosts, reboots and containers."""
    started: float = msgspec.field(default_factory=time.time)
    """Start of the coordinator (s since the epoch)."""
    heartbeat: float = 0.0
    """When the coordinator last wrote the state (s since the epoch)."""
    format_version: int = 1
    """Version of this file's format."""

    @property
    def claims_work(self) -> bool:
        """Whether, according to the file, a process is working on the run; it may have been killed."""
        return self.status in ("running", "watching")

    def write(self, path: Path) -> None:
        """Replace the state file, with the current time as heartbeat.

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
    """Whether a run is being processed or is queued: its process is alive, or its job waits; False if it was killed."""
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
