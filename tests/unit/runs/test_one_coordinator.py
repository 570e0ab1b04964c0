"""One coordinator a run, also where the file system has no locks, and when its lock file is deleted."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from iota.errors import RunFolderError
from iota.runs import RunFolder, RunState, read_state
from iota.runs.lock import LostRunError, RunLock
from iota.runs.process import ProcessMark, own_mark
from iota.runs.state import is_at_work

_HOLDER = """
import errno, fcntl, os, sys, time
from pathlib import Path
from iota.runs import RunFolder, RunState
from iota.runs.lock import RunLock
from iota.runs.process import own_mark

def no_locks(*_):
    raise OSError(errno.ENOLCK, "No locks available")

if sys.argv[2] == "without":
    fcntl.flock = no_locks
folder = RunFolder(Path(sys.argv[1]))
with RunLock(folder) as lock:
    RunState(status="running", n_frames=3, process=own_mark()).write(folder.state)
    print("has it", flush=True)
    while True:
        time.sleep(0.1)
        lock.check()
"""


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path)


@pytest.fixture
def start(folder):
    """Starts processes that take the run, and ends them."""
    started = []

    def start(locks="without", wait=True):
        process = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, folder.path, locks],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        if wait:
            assert process.stdout.readline() == "has it\n", process.stderr.read()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("locks", ["with", "without"])
@pytest.mark.parametrize("deleted", [False, True])
def test_a_second_coordinator_is_refused_with_and_without_locks_and_lock_file(folder, start, locks, deleted):
    first = start(locks)
    if deleted:
        (folder.path / ".lock").unlink()
    second = start(locks, wait=False)
    _, said = second.communicate(timeout=20)
    assert f"is being processed by process {first.pid} on" in said
    if deleted:
        time.sleep(2.5)  # it is written again
    assert json.loads((folder.path / ".lock").read_text())["process"]["process_id"] == first.pid
    assert first.poll() is None


@pytest.mark.parametrize("locks", ["with", "without"])
def test_of_a_process_that_was_killed_the_run_is_free_at_once(folder, start, locks):
    first = start(locks)
    first.kill()
    first.wait()
    assert read_state(folder.state).claims_work
    assert not is_at_work(read_state(folder.state))
    start(locks)


def test_of_two_that_start_at_the_same_moment_without_locks_one_is_refused(folder, start):
    both = [start(wait=False), start(wait=False)]
    deadline = time.monotonic() + 20
    while all(process.poll() is None for process in both) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    assert [process.poll() is None for process in both].count(True) == 1


def test_a_coordinator_that_lost_the_run_while_it_was_stopped_says_so_and_ends(folder, start):
    first = start()
    first.send_signal(signal.SIGSTOP)
    (folder.path / ".lock").unlink()
    state = read_state(folder.state)
    state.process = ProcessMark("elsewhere", "another boot", 12, 34)
    state.write(folder.state)  # as by another host, which waited until it gave no sign of life
    first.send_signal(signal.SIGCONT)
    _, said = first.communicate(timeout=20)
    assert "LostRunError" in said and "was taken over by process 12 on elsewhere" in said


def test_a_process_of_another_machine_is_waited_for_and_watched(folder, monkeypatch):
    monkeypatch.setattr("iota.runs.lock._WATCH_S", 1.0)
    elsewhere = ProcessMark("elsewhere", "another boot", os.getpid(), 1)
    state = RunState(status="running", n_frames=3, process=elsewhere, host="elsewhere")
    state.write(folder.state)
    with pytest.raises(
        RunFolderError, match=r"process \d+ on elsewhere 0 s ago.*if it no longer exists, try again in 60 s"
    ):
        RunLock(folder).acquire()
    folder.state.write_text(folder.state.read_text().replace(f'"heartbeat": {state.heartbeat}', '"heartbeat": 1.0'))
    told = []
    RunLock(folder).acquire(told.append)
    assert told == [f"The run was being processed by {elsewhere}; waiting 1 s for a sign of life."]


def test_a_clock_of_another_machine_may_be_wrong(folder, start):
    first = start()
    first.kill()
    first.wait()
    (folder.path / ".lock").unlink()
    beats = subprocess.Popen([sys.executable, "-c", _BEATS, folder.state, folder.state.read_text()])
    try:
        time.sleep(1)
        with pytest.raises(RunFolderError, match="whose clock differs from the one here"):
            RunLock(folder).acquire()
    finally:
        beats.kill()
        beats.wait()


_BEATS = """
import sys, time
from pathlib import Path
import msgspec
path, state = Path(sys.argv[1]), msgspec.json.decode(sys.argv[2])
state["process"]["space"] = "another boot"
beat = time.time() - 3600
while True:
    beat += 1
    state["heartbeat"] = beat
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(state))
    new.replace(path)
    time.sleep(0.3)
"""


def test_a_process_is_told_from_a_later_one_of_its_number():
    own = own_mark()
    assert own.lives
    assert ProcessMark(own.host, own.space, own.process_id, own.started - 1).lives is False
    assert ProcessMark(own.host, own.space, 2**22 + 1, own.started).lives is False
    assert ProcessMark(own.host, "another boot", own.process_id, own.started).lives is None
    ended = subprocess.Popen([sys.executable, "-c", ""])
    time.sleep(0.5)  # it has ended, and waits for its parent to notice
    assert ProcessMark(own.host, own.space, ended.pid, own.started).lives is False
    ended.wait()


def test_a_lost_run_stays_lost(folder):
    with RunLock(folder) as lock:
        lock._lost = "process 1 on elsewhere"
        with pytest.raises(LostRunError, match="process 1 on elsewhere"):
            lock.check()
        assert lock.is_lost
