"""An engine whose frames do what their names say."""

import ctypes
import os
import signal
import time
from pathlib import Path

from iota.engine.frame import worker
from iota.engine.frame.process_memory import ProcessMemory
from iota.records import FrameResult

left_behind = []


def start(config):
    worker._run = act
    worker._memory = ProcessMemory(config.memory_GB)


def run(task):
    return worker.run(task)


def _first_time(mark, what):
    """Do something the first time only."""
    if mark.exists():
        return "good"
    mark.touch()
    return what


def _not_together(mark):
    """Be killed while another one like this is at work."""
    mark.with_suffix(".alive").touch()
    time.sleep(0.5)
    meets = len(list(mark.parent.glob("shy_*.alive"))) > 1
    time.sleep(0.5)
    mark.with_suffix(".alive").unlink()
    if meets:
        mark.with_suffix(".met").touch()
    return "killed" if meets else "good"


def act(task):
    began = time.time()
    what = task.name.partition("_")[0]
    if what.startswith("once-"):
        what = _first_time(Path(task.frame.path), what.removeprefix("once-"))
    elif what == "shy":
        what = _not_together(Path(task.frame.path))
    if what == "segfault":
        ctypes.string_at(0)
    elif what == "exit":
        os._exit(3)
    elif what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "hang":
        ctypes.CDLL(None).sleep(1000)  # in C, where no Python signal handler runs
    elif what == "memory":
        hoard = []
        while True:
            hoard.append(bytearray(50_000_000))
    elif what == "leak":
        left_behind.append(b"x" * 200_000_000)  # a bytearray would take no memory before it is written
    elif what == "slow":
        time.sleep(0.05)
    elif what == "raise":
        raise ValueError("what DIALS\nmight say")
    elif what == "blank":
        time.sleep(0.002)
        return FrameResult(frame=task.frame, name=task.name, outcome="failed_triage", seconds={"import": 0.002})
    return FrameResult(
        frame=task.frame, name=task.name, outcome="integrated", seconds={"began": began, "pid": os.getpid()}
    )
