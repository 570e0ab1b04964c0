"""An engine whose frames do what their names say."""

import ctypes
import os
import signal
import time

from iota.engine import worker
from iota.engine.process_memory import ProcessMemory
from iota.records import FrameResult

left_behind = []


def start(config):
    worker._engine, worker.run_in = "hostile", lambda _engine, task: act(task)
    worker._memory = ProcessMemory(config.memory_GB)


def run(task):
    return worker.run(task)


def act(task):
    began = time.time()
    what = task.name.partition("_")[0]
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
