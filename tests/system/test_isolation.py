"""A frame that crashes, hangs or eats the memory costs itself only."""

import time

import hostile_engine
import pytest

from iota.engine.worker import EngineConfig
from iota.records import FrameRef
from iota.workers.coordinator import Coordinator
from iota.workers.local import LocalPool

TIME_LIMIT_S = 60.0  # eating a gigabyte takes more than some seconds where others work, too
SHORT_S = 3.0  # for frames that hang


class Book:
    def __init__(self):
        self.results, self.order, self.times = {}, [], {}

    def finished(self, result):
        assert result.name not in self.results
        self.results[result.name] = result
        self.times[result.name] = time.time()

    def tick(self, doing, n_waiting):
        pass


def _run(names, n_processes=2):
    book = Book()
    limit_s = SHORT_S if "hang_1" in names else TIME_LIMIT_S
    pool = LocalPool(n_processes, EngineConfig(target="", run_folder="", memory_GB=1.0), limit_s, hostile_engine)
    frames = [FrameRef(f"/data/{name}.cbf") for name in names]
    try:
        Coordinator(frames, lambda frame: frame.path[6:-4], pool, book, ()).run()
    finally:
        pool.stop()
    return book


@pytest.mark.parametrize(
    ("what", "outcome", "sentence"),
    [
        ("segfault", "crashed", "ended unexpectedly"),
        ("exit", "crashed", "ended unexpectedly"),
        ("hang", "timed_out", "longer than allowed (mp.frame_timeout)"),
        ("memory", "crashed", "more memory than allowed (mp.frame_memory)"),
        ("raise", "crashed", "what DIALS might say"),
    ],
)
def test_a_bad_frame_has_its_outcome_and_a_sentence_and_nobody_else_notices(what, outcome, sentence):
    good = [f"good_{k}" for k in range(12)]
    book = _run([*good[:4], f"{what}_1", *good[4:8], f"{what}_2", *good[8:]])
    assert {book.results[name].outcome for name in good} == {"integrated"}
    for name in (f"{what}_1", f"{what}_2"):
        assert book.results[name].outcome == outcome
        assert sentence in book.results[name].reason


def test_a_dead_worker_is_replaced_within_a_second():
    names = ["good_0", "segfault_1", *(f"good_{k}" for k in range(2, 8))]
    book = _run(names, n_processes=1)
    died = book.times["segfault_1"]
    first_after = min(
        r.seconds["began"]
        for r in book.results.values()
        if r.lattices == [] and r.seconds.get("began", 0) > died - 0.5 and r.name > "good_1"
    )
    assert first_after - died < 1.0
    assert len({r.seconds["pid"] for r in book.results.values() if r.seconds}) == 2


def test_results_come_in_the_order_they_finish_not_behind_the_slowest():
    book = _run(["hang_1", *(f"good_{k}" for k in range(20))])
    assert list(book.results)[-1] == "hang_1"
