"""Starts, stops and resumes runs by the commands that a user would type.

Neither closing the page nor killing the server ends a run: its process is no child of any terminal, and what it needs
is in its folder.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from iota.atomic_files import write_atomically
from iota.errors import RunFolderError, UsageError
from iota.processes.command import Command
from iota.runs import RunFolder, read_state
from iota.runs.control import give_order
from iota.runs.state import is_at_work

_EVERY_S = 0.1
_HIDDEN = ".iota"  # in a project: scripts that runs were started with, and what their commands said


async def start_run(script: str, target: str, project: Path, more: Sequence[str] = ()) -> RunFolder:
    """Start a run; returns as soon as its folder is there.

    Args:
        script: IOTA's parameters as PHIL text.
        target: parameters of the backend as PHIL text, empty for none.
        project: where ``integration/NNN`` is made.
        more: further arguments of ``iota.run``, paths and name=value.

    Raises:
        UsageError: the command refused; the text is its own sentence.
    """
    stem = time.strftime("%Y%m%d-%H%M%S") + f"-{time.time_ns() % 10**6:06d}"
    hidden = project / _HIDDEN
    path = hidden / f"{stem}.param"
    try:
        hidden.mkdir(parents=True, exist_ok=True)
        write_atomically(path, script)
        arguments = [str(path), *more, f"output={project}"]
        if target.strip():
            target_path = hidden / f"{stem}.phil"
            write_atomically(target_path, target)
            arguments.append(f"cctbx_xfel.target={target_path}")
    except OSError as error:
        raise UsageError(f"{hidden} cannot be written: {error.strerror}. Choose another project folder.") from error
    known = _run_numbers(project)
    command = Command("iota.run", arguments, hidden / f"{stem}.txt", project)
    while True:
        folder = _folder_of(command.process_id, project, known)
        if folder is not None:
            return folder
        if command.exit_status is not None:
            folder = _folder_of(command.process_id, project, known)
            if folder is not None:  # a short run
                return folder
            raise UsageError(command.sentence)
        await asyncio.sleep(_EVERY_S)


async def resume_run(folder: RunFolder, *, watch: bool = False, retry: Sequence[str] = ()) -> None:
    """Go on with a run that was stopped or killed, or that is finished.

    Args:
        folder: of the run.
        watch: look for new images from now on.
        retry: outcomes of images that are to be processed again.

    Raises:
        UsageError: the command refused; the text is its own sentence.
    """
    hidden = folder.path.parents[1] / _HIDDEN
    try:
        hidden.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"{hidden} cannot be written: {error.strerror}.") from error
    arguments = ["--resume", str(folder.path), *(["--watch"] if watch else [])]
    if retry:
        arguments += ["--retry", ",".join(retry)]
    command = Command("iota.run", arguments, hidden / f"resume-{folder.path.name}.txt", folder.path.parents[1])
    while command.exit_status is None:
        state = read_state(folder.state)
        if state.process_id == command.process_id or (state.status == "queued" and is_at_work(state)):
            return
        await asyncio.sleep(_EVERY_S)
    if command.exit_status not in (0, 1, 130):
        raise UsageError(command.sentence)


async def stop_run(folder: RunFolder) -> None:
    """End a run; what is finished is kept.  A job that has not begun is taken out of its queue.

    Raises:
        RunFolderError: the folder cannot be written.
        UsageError: the job cannot be taken out of its queue.
    """
    if read_state(folder.state).status != "queued":
        give_order(folder, "stop")
        return
    log = folder.path / "logs" / "stop.txt"
    command = Command("iota.run", ["--stop", str(folder.path)], log, folder.path.parents[1])
    if await command.ended() != 0:
        raise UsageError(command.sentence)


async def ended(folder: RunFolder, patience_s: float = 60.0) -> None:
    """Wait until nobody works on a run any more.

    Raises:
        UsageError: somebody still does after so long.
    """
    deadline = time.monotonic() + patience_s
    while is_at_work(read_state(folder.state)):
        if time.monotonic() > deadline:
            raise UsageError(f"Run {folder.number} has not stopped yet; see its log.")
        await asyncio.sleep(_EVERY_S)


def _run_numbers(project: Path) -> set[str]:
    try:
        return {path.name for path in (project / "integration").iterdir() if path.name.isdigit()}
    except OSError:
        return set()


def _folder_of(process_id: int, project: Path, known: set[str]) -> RunFolder | None:
    """The new run folder that a process writes."""
    for name in _run_numbers(project) - known:
        folder = RunFolder(project / "integration" / name)
        try:
            if read_state(folder.state).process_id == process_id:
                return folder
        except RunFolderError:  # no state yet
            continue
    return None
