"""How many frames go to a worker at once, and when it stops."""

import time
from collections import deque

import pytest

from iota.engine.frame.bundle import LONGEST_S, run_bundle
from iota.processing.bundles import Bundles, put_back
from iota.records import FrameRef, FrameResult, Screened


def frames(n):
    return [FrameRef(f"/data/{k:04d}.cbf") for k in range(n)]


def blank(frame, seconds=0.001):
    return FrameResult(frame=frame, name=frame.path, outcome="failed_triage", seconds={"import": seconds})


def grown(n_processes=1, seconds=0.001):
    """Bundles that have seen many blanks come back, and how large they are by then."""
    bundles, waiting = Bundles(n_processes), deque(frames(100_000))
    sizes = []
    for _ in range(100):
        taken = bundles.take(waiting)
        sizes.append(len(taken))
        bundles.came_back(len(taken), [blank(frame, seconds) for frame in taken])
    return bundles, sizes


def test_bundles_grow_by_one_while_blanks_are_quick():
    _, sizes = grown()
    assert sizes[:4] == [1, 2, 3, 4]
    assert max(sizes) == sizes[-1] == 50


@pytest.mark.parametrize(("seconds", "size"), [(0.02, 5), (0.04, 2), (0.06, 1), (0.4, 1)])
def test_a_bundle_is_no_longer_than_a_tenth_of_a_second(seconds, size):
    _, sizes = grown(seconds=seconds)
    assert max(sizes) == size


@pytest.mark.parametrize("outcome", ["integrated", "failed_indexing", "crashed", "failed_import"])
def test_after_anything_but_a_blank_frames_go_alone(outcome):
    bundles, _ = grown()
    (*blanks, last) = taken = bundles.take(deque(frames(1000)))
    end = FrameResult(frame=last, name="last", outcome=outcome)
    bundles.came_back(len(taken), [*map(blank, blanks), end])
    assert len(bundles.take(deque(frames(1000)))) == 1


def test_a_worker_short_of_time_gets_no_more_than_it_did():
    bundles, _ = grown()
    bundles.came_back(50, [blank(frame) for frame in frames(7)])
    assert len(bundles.take(deque(frames(1000)))) == 7


def test_the_last_frames_are_shared_by_all_processes():
    bundles, _ = grown(n_processes=4)
    assert [len(bundles.take(deque(frames(n)))) for n in (1000, 80, 16, 8, 3)] == [50, 10, 2, 1, 1]


@pytest.mark.parametrize("newest_first", [False, True])
def test_frames_of_a_bundle_that_failed_go_alone_once(newest_first):
    bundles, _ = grown()
    waiting = deque(frames(1000))
    taken = bundles.take(waiting, newest_first=newest_first)
    bundles.failed(taken)
    put_back(waiting, taken, newest_first=newest_first)
    assert list(waiting) == frames(1000)
    for _ in range(50):
        bundles.came_back(1, [blank(taken[0])])
        bundles.came_back(50, [blank(taken[0], 0.0)] * 50)
    alone = [bundles.take(waiting, newest_first=newest_first) for _ in taken]
    assert alone == [[frame] for frame in taken]
    assert len(bundles.take(waiting, newest_first=newest_first)) == 50


def test_a_worker_stops_behind_what_is_no_blank():
    done = []

    def run(frame):
        done.append(frame)
        if len(done) == 3:
            return Screened(frame=frame, name="hit", n_spots=100)
        return blank(frame)

    assert len(run_bundle(run, frames(10))) == 3
    assert done == frames(3)


def test_a_worker_stops_when_time_is_up_but_does_one():
    def run(frame):
        time.sleep(0.4 * LONGEST_S)
        return blank(frame)

    assert len(run_bundle(run, frames(10))) in (1, 2)

    def run_long(frame):
        time.sleep(1.1 * LONGEST_S)
        return blank(frame)

    assert len(run_bundle(run_long, frames(10))) == 1
