"""A command of IOTA in a separate process: started, followed, ended. It continues when its parent ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from iota.errors import UsageError
from iota.processes.starting import how_it_ended, own_command

_POLL_EVERY_S = 0.1
_SHOWN_EVERY_S = 0.5
_GRACE_S = 10.0  # to end, and to clear away what is half done
_STOPPED = 130  # exit status of a command that was asked to end


class Command:
    """A command that was started."""

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path | None = None, folder: Path | None = None
    ) -> None:
        """Start it.

        Args:
            name: as people type it, e.g. ``iota.export``.
            arguments: of the command.
            log: file for what it says, if it is to be kept.
            folder: in which it runs, if it matters.

        Raises:
            UsageError: it cannot be started.
        """
        self._name = name
        self._is_to_end = False
        environment = {key: value for key, value in os.environ.items() if not key.startswith("NICEGUI_")}
        try:
            if log is not None:
                log.unlink(missing_ok=True)  # an earlier command may still write into it
            with tempfile.TemporaryFile() if log is None else log.open("w+b") as said:
                self._process = subprocess.Popen(
                    [*own_command(name), *arguments],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
                self._said = os.dup(said.fileno())
        except OSError as error:
            raise UsageError(f"{name} cannot be started: {error.strerror}.") from error
        weakref.finalize(self, os.close, self._said)
        threading.Thread(target=self._process.wait, daemon=True).start()  # so that it never is a zombie

    @property
    def process_id(self) -> int:
        """Process ID."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Exit status, negative for a signal; None while it is running."""
        return self._process.returncode

    @property
    def was_cancelled(self) -> bool:
        """Whether it was ended on request, and not killed by something else."""
        status = self.exit_status
        return status == _STOPPED or (self._is_to_end and status is not None and status < 0)

    @property
    def sentence(self) -> str:
        """Why it failed: its own message if it refused, that it was killed, or the last lines of its output."""
        status, lines, own = self.exit_status, self._lines(), f"{self._name}: "
        if status is not None and status < 0:
            return f"{self._name} {how_it_ended(status)}."
        for number in reversed(range(len(lines))):
            if lines[number].startswith(own):  # and the lines of the same paragraph
                return " ".join(takewhile(str.strip, lines[number:])).removeprefix(own).strip()
        return " ".join(line for line in lines[-3:] if line) or f"{self._name} ended with status {status}."

    def _lines(self) -> list[str]:
        return os.pread(self._said, os.fstat(self._said).st_size, 0).decode(errors="replace").splitlines()

    async def ended(self, show: Callable[[str], object] = lambda last: None) -> int:
        """Wait until it has ended; returns its exit status.

        Args:
            show: is told, twice a second, what the command did last.
        """
        began, shown = time.monotonic(), 0.0
        while self._process.returncode is None:
            await asyncio.sleep(_POLL_EVERY_S)
            now = time.monotonic()
            if now - shown > _SHOWN_EVERY_S:
                shown = now
                lines = [line for line in self._lines() if line.strip()]
                last = lines[-1].strip().partition(" -- ")[0] if lines else "Starting"
                show(f"{last}, {now - began:.0f} s")
        return self._process.returncode

    async def end(self) -> None:
        """Ask it to end; after a while, kill it and the programs that it has started."""
        if self._process.returncode is not None:
            return
        self._is_to_end = True
        self._process.terminate()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.ended(), _GRACE_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
