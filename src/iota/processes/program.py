"""External programs: run to the end with a log, or for a few lines of output."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from iota.errors import BackendError
from iota.processes.starting import how_it_ended

_MEANT_FOR_PEOPLE = "Sorry: "  # how DIALS and cctbx begin such a line


def run_program(
    words: Sequence[str], *, folder: Path, log: Path, name: str = "", environment: Mapping[str, str] | None = None
) -> None:
    """Run a program to its end.

    Args:
        words: of its command line.
        folder: in which it runs.
        log: file for what it says.
        name: by which people know it; by default the first word.
        environment: instead of that of this process.

    Raises:
        BackendError: it cannot be started, or it failed; with its last words if they are meant for people.
    """
    name = name or words[0]
    try:
        with log.open("w", encoding="utf-8") as said:
            status = subprocess.run(
                words, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, env=environment,
                check=False,
            ).returncode  # fmt: skip
    except OSError as error:
        raise BackendError(f"{name} cannot be started: {error.strerror}.") from error
    if status:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        last = lines[-1] if lines and lines[-1].startswith(_MEANT_FOR_PEOPLE) else ""
        how = f"failed: {last.removeprefix(_MEANT_FOR_PEOPLE).rstrip('.')}" if last else how_it_ended(status)
        raise BackendError(f"{name} {how}. See {log}.")


def output_of(
    words: Sequence[str], seconds: float, *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program that prints a few lines and ends.

    Args:
        words: of its command line.
        seconds: after which it is ended.
        folder: in which it runs, if it matters.
        environment: instead of that of this process.

    Raises:
        OSError: it cannot be started.
        TimeoutError: it did not end by itself.
    """
    try:
        return subprocess.run(
            words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{words[0]} did not end within {seconds:g} s") from error
