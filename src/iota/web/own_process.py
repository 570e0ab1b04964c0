"""A command of IOTA that a page starts, whose words it shows, and which it can end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Sequence
from pathlib import Path

from iota.errors import UsageError
from iota.installation import own_command

_EVERY_S = 0.5
_GRACE_S = 10.0  # to end, and to clear away what is half done
_STOPPED = 130  # exit status of a command that was ended
_KILLED = "{name} was killed (signal {number}), as happens when a machine runs out of memory. Nothing of it is kept."


class OwnProcess:
    """One command at a time, in a process of its own, which goes on when the page is closed.

    Args:
        name: of the command, e.g. ``iota.export``.
        module: that it is in.
        words: file for what it says.
    """

    def __init__(self, name: str, module: str, words: Path) -> None:
        self._name = name
        self._command = own_command(name, module)
        self._words = words
        self._process: Process | None = None
        self._is_to_end = False

    async def run(self, arguments: Sequence[str], show: Callable[[str], object]) -> tuple[int | None, str]:
        """Run the command to its end.

        Args:
            arguments: of the command.
            show: is told, twice a second, what the command did last.

        Returns:
            Exit status, and the sentence with which it refused, or all that it said, or that it was killed.

        Raises:
            UsageError: it cannot be started.
        """
        try:
            with self._words.open("wb") as output:
                self._process = process = await asyncio.create_subprocess_exec(
                    *self._command, *arguments, stdin=DEVNULL, stdout=output, stderr=STDOUT, start_new_session=True
                )
        except OSError as error:
            raise UsageError(f"{self._name} cannot be started: {error.strerror}.") from error
        self._is_to_end = False
        began = time.monotonic()
        ended = asyncio.create_task(process.wait())
        while not ended.done():
            await asyncio.wait([ended], timeout=_EVERY_S)
            lines = [line.strip() for line in self._said().splitlines() if line.strip()]
            last = lines[-1].partition(" -- ")[0] if lines else "Starting"
            show(f"{last}, {time.monotonic() - began:.0f} s")
        self._process = None
        if process.returncode is not None and process.returncode < 0:
            return process.returncode, _KILLED.format(name=self._name, number=-process.returncode)
        return process.returncode, " ".join(self._said().split()).rpartition(f"{self._name}: ")[2]

    def was_ended(self, status: int | None) -> bool:
        """Whether the command ended with this status because somebody wanted it to, and was not killed by others."""
        return status == _STOPPED or (self._is_to_end and status is not None and status < 0)

    async def end(self) -> None:
        """Ask the command to end; after a while end it, with the programs that it has started."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._is_to_end = True
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(process.wait()), _GRACE_S)
            os.killpg(process.pid, signal.SIGKILL)

    def _said(self) -> str:
        try:
            return self._words.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
