"""Runs that go on while a test does something to them."""

import subprocess
import sys
import time
from pathlib import Path

from iota.runs import RunFolder, read_ledger, read_state

IOTA_RUN = Path(sys.executable).with_name("iota.run")


def start(arguments, cwd, before=()):
    """Start iota.run; what it says goes to ``out.txt`` in its folder.  ``before``: words before the command."""
    with (cwd / "out.txt").open("a") as out:
        return subprocess.Popen(
            [*map(str, before), str(IOTA_RUN), *map(str, arguments)], cwd=cwd, stdout=out, stderr=subprocess.STDOUT
        )


def said(cwd):
    """What the runs of a folder have said."""
    return (cwd / "out.txt").read_text()


def wait_until(condition, seconds=120.0, every=0.1):
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(every)


def n_finished(folder):
    """Frames that have their record."""
    return len(read_ledger(folder.ledger)[0])


def status(folder):
    """How a run stands; empty while it has not begun."""
    return read_state(folder.state).status if folder.state.exists() else ""


def jobs(folder, *states):
    """Numbers of the jobs of a run that are in one of some states."""
    return [job.id for job in read_state(folder.state).jobs if job.state in states] if folder.state.exists() else []


def first_run(folder):
    """The first run that is started in a folder; it need not have begun."""
    return RunFolder(folder / "integration" / "001")


def succeeds(*words):
    """Whether a command is here and ends well soon."""
    try:
        return subprocess.run(words, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
