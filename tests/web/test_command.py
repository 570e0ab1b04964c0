"""Commands that a page starts: how they ended."""

import asyncio
import os
import signal
import sys

import pytest

from iota.processes import command as commands
from iota.processes.command import Command


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Start a command that does what is said here."""

    def start(code, log=tmp_path / "merge.txt"):
        monkeypatch.setattr(commands, "own_command", lambda name: [sys.executable, "-uc", code])
        return Command("iota.merge", [], log)

    return start


@pytest.mark.parametrize("by_page", [True, False])
async def test_a_command_that_was_killed_says_so_and_one_that_was_cancelled_does_not(started, by_page):
    command = started("import time; print('iota.merge: at work'); time.sleep(60)")
    shown = []
    running = asyncio.create_task(command.ended(shown.append))
    while not any("at work" in said for said in shown):
        await asyncio.sleep(0.02)
    if by_page:
        await command.end()
    else:
        os.kill(command.process_id, signal.SIGKILL)
    status = await asyncio.wait_for(running, 20)
    assert status < 0
    assert command.was_cancelled == by_page
    killed = "iota.merge was killed (signal 9), as happens when a machine runs out of memory."
    assert (command.sentence == killed) != by_page


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("print('Reading\\niota.merge: No lattice\\nis there.\\n\\nHelp'); exit(2)", "No lattice is there."),
        ("print('1\\n2\\n3\\n4'); exit(3)", "2 3 4"),
        ("exit(3)", "iota.merge ended with status 3."),
    ],
)
async def test_what_a_command_refused_is_its_own_sentence(started, code, sentence):
    command = started(code, None)
    assert await command.ended() == int(code[-2])
    assert command.sentence == sentence
