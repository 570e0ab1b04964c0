"""A frame that crashes, hangs or eats the memory costs itself only."""

import time
from collections import Counter
from pathlib import Path

import hostile_engine
import pytest

from iota.engine.frame.config import EngineConfig
from iota.processing.coordinator import Coordinator
from iota.records import FrameRef
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


class Pool(LocalPool):
    """Writes down what goes to a process at once."""

    def submit(self, tasks):
        self.bundles = [*getattr(self, "bundles", ()), [task.name for task in tasks]]
        return super().submit(tasks)


def _run(names, n_processes=2, folder="/data"):
    book = Book()
    limit_s = SHORT_S if "hang_1" in names else TIME_LIMIT_S
    pool = Pool(n_processes, EngineConfig(target="", run_folder="", memory_GB=1.0), limit_s, hostile_engine)
    frames = [FrameRef(f"{folder}/{name}.cbf") for name in names]
    try:
        Coordinator(frames, lambda frame: Path(frame.path).stem, pool, book, ()).run()
    finally:
        pool.stop()
    book.bundles = pool.bundles
    return book


BAD = pytest.mark.parametrize(
    ("what", "outcome", "sentence"),
    [
        ("segfault", "crashed", "ended unexpectedly: Segmentation fault (signal 11). It was tried twice."),
        ("exit", "crashed", "ended unexpectedly: exit status 3. It was tried twice."),
        ("killed", "crashed", "killed (signal 9), as happens when a machine runs out of memory"),
        ("hang", "timed_out", "longer than allowed (mp.frame_timeout)"),
        ("memory", "crashed", "more than the 1 GB of memory that mp.frame_memory allows; it already used"),
        ("raise", "crashed", "what DIALS might say"),
    ],
)


@BAD
def test_a_bad_frame_has_its_outcome_and_a_sentence_and_nobody_else_notices(what, outcome, sentence):
    good = [f"good_{k}" for k in range(12)]
    book = _run([*good[:4], f"{what}_1", *good[4:8], f"{what}_2", *good[8:]])
    assert {book.results[name].outcome for name in good} == {"integrated"}
    for name in (f"{what}_1", f"{what}_2"):
        assert book.results[name].outcome == outcome
        assert sentence in book.results[name].reason


@BAD
def test_a_bad_frame_among_blanks_that_go_together_costs_itself_only(what, outcome, sentence):
    names = [f"blank_{k:03d}" for k in range(150)]
    bad = [f"{what}_1", f"{what}_2"]
    names[60:60], names[90:90] = bad[:1], bad[1:]
    book = _run(names)
    assert sorted(book.results) == sorted(names)
    assert {result.outcome for name, result in book.results.items() if name not in bad} == {"failed_triage"}
    for name in bad:
        assert book.results[name].outcome == outcome
        assert sentence in book.results[name].reason
        having = [bundle for bundle in book.bundles if name in bundle]
        together = [bundle for bundle in having if len(bundle) > 1]
        assert together, "it went alone, so nothing was tried here"
        if what == "memory":
            assert [name] not in having, "it said so itself, and was tried again"
            continue
        assert having[-1] == [name]
        last = together[-1]  # one before may have ended early, where others work, too
        before = last[: last.index(name)]
        assert all([other] in book.bundles for other in before), "which was to blame could not be known"


def test_frames_behind_a_hit_are_taken_in_their_order():
    names = [f"blank_{k:03d}" for k in range(60)]
    names[40:40] = ["slow_1"]
    book = _run(names, n_processes=1)
    (bundle,) = (bundle for bundle in book.bundles if "slow_1" in bundle)
    left = bundle[bundle.index("slow_1") + 1 :]
    assert left
    waiting_in_line, *later = book.bundles[book.bundles.index(bundle) + 1 :]
    after_it = names[names.index(waiting_in_line[-1]) + 1 :]
    assert [name for other in later for name in other] == [*left, *after_it]
    assert sorted(book.results) == sorted(names)


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
    assert len({r.seconds["pid"] for r in book.results.values() if r.seconds}) <= 3, "it was tried twice"


@pytest.mark.parametrize("how", ["exit", "killed", "segfault"])
def test_a_frame_whose_process_died_once_is_done_in_a_second_try(tmp_path, how):
    names = ["good_0", f"once-{how}_1", "good_2", f"once-{how}_3", *(f"good_{k}" for k in range(4, 8))]
    book = _run(names, folder=tmp_path)
    assert {result.outcome for result in book.results.values()} == {"integrated"}
    assert len(list(tmp_path.glob("once-*"))) == 2, "both died"


def test_frames_that_were_killed_do_not_meet_again_in_their_second_try(tmp_path):
    book = _run(["shy_1", "shy_2", "good_3"], folder=tmp_path)
    assert len(list(tmp_path.glob("shy_*.met"))) == 2
    assert {result.outcome for result in book.results.values()} == {"integrated"}


def test_what_earlier_frames_left_ends_no_frame_and_their_process_is_replaced_between_two():
    names = [f"leak_{k:02d}" for k in range(12)]  # 2.4 GB, of which each may take 1
    book = _run(names, n_processes=1)
    assert {result.outcome for result in book.results.values()} == {"integrated"}
    assert all(book.bundles.count([name]) == 1 for name in names), "no frame was tried again"
    frames_of = Counter(result.seconds["pid"] for result in book.results.values())
    assert len(frames_of) >= 3
    assert max(frames_of.values()) == 4  # 0.5 GB for any process, and a quarter of a frame's gigabyte


def test_results_come_in_the_order_they_finish_not_behind_the_slowest():
    book = _run(["hang_1", *(f"good_{k}" for k in range(20))])
    assert list(book.results)[-1] == "hang_1"
