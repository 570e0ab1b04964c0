"""Commands that a page starts: how they ended."""

import asyncio
import os
import signal
import sys

import pytest

from iota.web.own_process import OwnProcess


class _Waiting(OwnProcess):
    """A command that waits to be ended."""

    def __init__(self, words):
        super().__init__("iota.merge", "iota.cli.merge", words)
        self._command = [sys.executable, "-c", "import time; print('iota.merge: at work', flush=True); time.sleep(60)"]

    async def begun(self):
        while self._process is None or "at work" not in self._said():
            await asyncio.sleep(0.02)
        return self._process.pid


@pytest.mark.parametrize("by_page", [True, False])
async def test_a_command_that_was_killed_says_so_and_one_that_was_cancelled_does_not(tmp_path, by_page):
    command = _Waiting(tmp_path / "merge.txt")
    running = asyncio.create_task(command.run([], lambda said: None))
    pid = await asyncio.wait_for(command.begun(), 20)
    if by_page:
        await command.end()
    else:
        os.kill(pid, signal.SIGKILL)
    status, said = await asyncio.wait_for(running, 20)
    assert status < 0
    assert command.was_ended(status) == by_page
    assert said.startswith("iota.merge was killed (signal 9), as happens when a machine runs out of memory.") != by_page
