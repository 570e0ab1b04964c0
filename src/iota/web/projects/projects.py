"""Lists projects and their runs, with status and notes."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from iota.atomic_files import write_atomically
from iota.errors import NotFoundError, RunFolderError
from iota.records import Outcome
from iota.runs import RunFolder, read_state
from iota.runs.folder import RunInfo
from iota.runs.state import Status, is_at_work
from iota.web.places import state_folder
from iota.web.projects.run_counts import RunCounts

_RUN_ID = re.compile(r"(\d{3,})(?:@([0-9a-f]{8}))?")
_NOTE = "note.txt"  # in the run folder
_LONGEST_NOTE = 2000  # characters
_DESCRIPTION = re.compile(r"^description = (.*)$", re.MULTILINE)


class RunEntry(msgspec.Struct, kw_only=True):
    """One line of a list of runs."""

    id: str
    """Id of the run in addresses."""
    number: int
    """Number of the run in its project."""
    folder: str
    """The run folder."""
    project: str
    """The folder below which the run folder is."""
    status: Status
    """Status last written by the run."""
    is_at_work: bool
    """Whether its coordinator is alive, or its job is queued; False for a run that was killed."""
    n_frames: int
    """Frames of the run."""
    n_finished: int
    """Frames that have a record."""
    counts: dict[Outcome, int]
    """Finished frames by outcome."""
    doing: str = ""
    """What the run is doing, as a text for users."""
    reason: str = ""
    """Why it was aborted or failed."""
    description: str = ""
    """Description that the user gave to the run."""
    note: str = ""
    """Note that somebody wrote on the page of runs."""
    host: str = ""
    """Host of the coordinator."""
    started: float = 0.0
    """Start of the run (s since the epoch)."""
    heartbeat: float = 0.0
    """When the coordinator last wrote its state (s since the epoch)."""


class Projects:
    """The project that the server was started in, and others that people went to; they are remembered."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self._memory = state_folder() / "projects.json"
        self._others: dict[str, Path] = {_digest(path): path for path in self._remembered()}
        self._counts = RunCounts()
        self._started: dict[Path, tuple[float, str]] = {}  # run folder -> when it was started, description

    def add(self, project: Path) -> None:
        """Take a project into the list of those whose runs are shown, and remember it."""
        project = project.absolute()
        if project in (self.home, *self._others.values()):
            return
        self._others[_digest(project)] = project
        with contextlib.suppress(OSError):  # a home folder that is full or read-only stops nobody from working
            write_atomically(self._memory, msgspec.json.encode([str(path) for path in self._others.values()]).decode())

    @property
    def folders(self) -> list[Path]:
        """Project folders, that of the server first."""
        return [self.home, *(path for path in self._others.values() if path != self.home)]

    def id_of(self, folder: RunFolder) -> str:
        """The id of a run: its number, and for runs of other projects a mark of the project."""
        project = folder.path.parents[1]
        return folder.path.name if project == self.home else f"{folder.path.name}@{_digest(project)}"

    def folder(self, run_id: str) -> RunFolder:
        """The folder of a run by its id.

        Raises:
            NotFoundError: there is no such run.
        """
        match = _RUN_ID.fullmatch(run_id)
        project = (self._others.get(match[2]) if match[2] else self.home) if match else None
        if match is not None and project is not None:
            with contextlib.suppress(RunFolderError):
                return RunFolder.open(project / "integration" / match[1])
        raise NotFoundError(f"There is no run {run_id[:40]} on this server. The Runs page lists the existing runs.")

    def runs(self, project: Path | None = None) -> list[RunEntry]:
        """Runs of one project, or of all; the newest of a project first."""
        projects = self.folders if project is None else [project]
        return [entry for one in projects for entry in self._runs_of(one)]

    def entry(self, folder: RunFolder) -> RunEntry:
        """What a list of runs says of one.

        Raises:
            RunFolderError: its state cannot be read.
        """
        state = read_state(folder.state)
        at_work = is_at_work(state)
        counts = state.counts if at_work else self._counts.of(folder, state)
        n_finished = state.n_finished if counts is state.counts else sum(counts.values())
        started, description = self._info(folder)
        return RunEntry(
            id=self.id_of(folder),
            number=folder.number,
            folder=str(folder.path),
            project=str(folder.path.parents[1]),
            status=state.status,
            is_at_work=at_work,
            n_frames=max(state.n_frames, n_finished),
            n_finished=n_finished,
            counts=counts,
            doing=state.doing,
            reason=state.reason,
            description=description,
            note=read_note(folder),
            host=state.host,
            started=started or state.started,
            heartbeat=state.heartbeat,
        )

    def _runs_of(self, project: Path) -> Iterator[RunEntry]:
        try:
            paths = [path for path in (project / "integration").iterdir() if path.name.isdigit()]
        except OSError:
            return
        for path in sorted(paths, key=lambda path: -int(path.name)):
            with contextlib.suppress(RunFolderError):  # it is being made, or its disk is gone
                yield self.entry(RunFolder.open(path))

    def _info(self, folder: RunFolder) -> tuple[float, str]:
        """When a run was started, and its description; neither changes."""
        if folder.path not in self._started:
            try:
                info = msgspec.json.decode(folder.info.read_bytes(), type=RunInfo)
                with folder.script.open(encoding="utf-8", errors="replace") as file:
                    found = _DESCRIPTION.search(file.read(4096))
            except (OSError, msgspec.DecodeError):
                return 0.0, ""
            text = found[1].strip().strip("\"'") if found else ""
            self._started[folder.path] = info.started, "" if text == "None" else text
        return self._started[folder.path]

    def _remembered(self) -> list[Path]:
        try:
            return [Path(path) for path in msgspec.json.decode(self._memory.read_bytes(), type=list[str])]
        except (OSError, msgspec.DecodeError):
            return []


def read_note(folder: RunFolder) -> str:
    """What people wrote about a run; empty where nobody did."""
    try:
        return (folder.path / _NOTE).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def write_note(folder: RunFolder, text: str) -> None:
    """Write about a run.

    Raises:
        RunFolderError: the folder cannot be written; what was written before stays.
    """
    try:
        write_atomically(folder.path / _NOTE, text.strip()[:_LONGEST_NOTE] + "\n")
    except OSError as error:
        raise RunFolderError(
            f"The note on run {folder.number} was not saved: {error.strerror}. The previous note is kept. Free some"
            f" space in {folder.path}, or ask its owner for write access, and try again."
        ) from error


def _digest(project: Path) -> str:
    return hashlib.blake2b(str(project).encode(), digest_size=4).hexdigest()
