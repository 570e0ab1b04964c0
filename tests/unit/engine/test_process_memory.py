"""How much memory a frame may take, and what is said when it took more."""

import resource
import subprocess
import sys

import pytest
from pebble import ProcessExpired

from iota.engine.frame.process_memory import ProcessMemory, is_out_of_memory
from iota.processing.lost_workers import failure_report
from iota.records import FrameRef, Settings, Task

TASK = Task("process", FrameRef("/data/x.cbf"), "x", (Settings("given"),))

LIMITED = """
import resource
from iota.engine.frame.process_memory import ProcessMemory
memory = ProcessMemory(0.2)
kept = []
for _ in range(4):  # 0.15 GB each: a limit on the process would end the second
    memory.begin_frame()
    kept.append(bytearray(150_000_000))
memory.begin_frame()
assert not memory._is_spoilt
try:
    taken = b"x" * 120_000_000, b"x" * 120_000_000
except MemoryError:
    print(memory.ran_out())
    print(memory.is_outgrown, resource.getrlimit(resource.RLIMIT_DATA)[1] == resource.RLIM_INFINITY)
"""


def test_each_frame_may_take_the_same_whatever_is_there_when_it_begins():
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    sentence, state = done.stdout.splitlines()
    assert sentence == (
        "It needed more than the 0.2 GB of memory that mp.frame_memory allows;"
        " it already used 0.12 GB when it requested more."
    )
    assert state == "True True"


def test_without_a_limit_nothing_is_limited_and_no_process_replaced():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    memory = ProcessMemory(None)
    memory.begin_frame()
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert not memory.is_outgrown


def _made_of(cause):
    try:
        try:
            raise cause
        except Exception as error:
            raise ValueError("The file is damaged or cut short: its pixels cannot be read.") from error
    except ValueError as error:
        return error


def test_want_of_memory_is_seen_through_what_others_make_of_it():
    assert is_out_of_memory(_made_of(MemoryError()))
    assert is_out_of_memory(RuntimeError("std::bad_alloc"))
    assert not is_out_of_memory(_made_of(OSError("torn")))


@pytest.mark.parametrize(
    ("error", "words", "setting"),
    [
        (MemoryError(), "more memory than allowed", "mp.frame_memory"),
        (ProcessExpired("Abnormal termination", code=-9), "killed (signal 9)", "mp.n_processors"),
        (ProcessExpired("Abnormal termination", code=-11), "unexpectedly: Segmentation fault (signal 11).", ""),
        (ProcessExpired("Abnormal termination", code=3), "unexpectedly: exit status 3.", ""),
    ],
)
def test_a_process_that_ended_has_a_reason_and_a_hint(error, words, setting):
    result = failure_report(TASK, error)
    assert result.outcome == "crashed"
    assert words in result.reason
    assert result.cause.hint("crashed").setting == setting


def test_a_frame_that_needed_too_much_has_the_hint_on_memory():
    assert ProcessMemory(2.0).ran_out().cause.hint("crashed").setting == "mp.frame_memory"
