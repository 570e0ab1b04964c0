"""Runs that are followed: one poller for all who look."""

import asyncio
import itertools
import os
import shutil
import time

import pytest
from made_runs import blank, hit, made_run, write

from iota.runs import RunFolder, read_state
from iota.web.live import runs as live_module
from iota.web.live.runs import EVERY_S, LiveRuns


@pytest.fixture
def runs(monkeypatch):
    """A registry of one test's own."""
    made = LiveRuns()
    monkeypatch.setattr(live_module, "live_runs", made)
    return made


@pytest.fixture
def folder(tmp_path):
    return made_run(tmp_path, [hit(0), blank(1)], status="running", n_frames=10)


async def _until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        await asyncio.sleep(0.01)


async def test_all_viewers_share_one_reader(runs, folder):
    live = runs.get(folder)
    assert runs.get(RunFolder(folder.path)) is live
    assert live.state.n_frames == 10  # at once
    assert live.summary().n_finished == 2
    await live.current()
    assert live.table.n_rows == 2
    assert (live.n_frames, live.summary().n_integrated, live.problem) == (10, 1, "")
    assert live.summary().consensus.bravais == "tP"


async def test_viewers_are_told_of_a_new_line_within_a_second_and_not_too_often(runs, folder):
    live, told, other = runs.get(folder), [], []
    await live.current()
    live.subscribe(lambda: told.append((time.monotonic(), live.table.n_rows)))
    live.subscribe(lambda: other.append(1))
    start = time.monotonic()
    for k in range(20):
        write(folder, [blank(10 + k)])
        await asyncio.sleep(0.05)
    await _until(lambda: told[-1][1] == 22, 1.0)
    first = next(when for when, n_rows in told if n_rows > 2)
    assert first - start < 1.0
    times = [when for when, _ in told]
    assert all(b - a > EVERY_S * 0.9 for a, b in itertools.pairwise(times))
    assert len(other) == len(told)


async def test_nobody_is_told_when_nothing_happens(runs, folder):
    live, told = runs.get(folder), []
    await live.current()
    await asyncio.sleep(2 * EVERY_S)
    live.subscribe(lambda: told.append(1))
    for _ in range(5):
        await live.current()
    await asyncio.sleep(3 * EVERY_S)
    assert told == []


async def test_one_viewer_that_fails_does_not_stop_the_others(runs, folder):
    live, told, errors = runs.get(folder), [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    live.subscribe(lambda: 1 / 0)
    live.subscribe(lambda: told.append(1))
    await live.current()
    write(folder, [blank(7)])
    await _until(lambda: told)
    assert all(isinstance(error, ZeroDivisionError) for error in errors)


async def test_a_change_of_state_is_told(runs, folder):
    live, told = runs.get(folder), []
    await live.current()
    live.subscribe(lambda: told.append(live.state.status))
    state = read_state(folder.state)
    state.status = "finished"
    state.write(folder.state)
    await _until(lambda: told and told[-1] == "finished")
    assert not live.is_at_work


async def test_a_run_whose_process_is_killed_is_told(runs, folder):
    process = await asyncio.create_subprocess_exec("sleep", "60")
    state = read_state(folder.state)
    state.process_id = process.pid
    state.write(folder.state)
    live, told = runs.get(folder), []
    await live.current()
    assert live.is_at_work
    live.subscribe(lambda: told.append(live.is_at_work))
    os.kill(process.pid, 9)
    await process.wait()
    await _until(lambda: told and not told[-1])


async def test_a_run_that_is_deleted_while_it_is_watched(runs, folder):
    live, told = runs.get(folder), []
    await live.current()
    live.subscribe(lambda: told.append(live.problem))
    shutil.rmtree(folder.path)
    await _until(lambda: told and "gone" in told[-1])
    assert live.table.n_rows == 2  # as it was
    assert live.state.n_frames == 10
    made_run(folder.path.parents[1], [blank(k) for k in range(4)])
    await _until(lambda: told[-1] == "" and live.table.n_rows == 4)
    assert live.table.generation == 1


async def test_a_run_that_is_being_prepared_has_no_state(runs, tmp_path):
    folder = RunFolder.create(tmp_path)
    live = runs.get(folder)
    assert live.state is None
    await live.current()
    assert (live.table.n_rows, live.n_frames, live.summary().n_finished, live.problem) == (0, 0, 0, "")


async def test_a_run_that_nobody_looks_at_is_let_go(runs, folder, monkeypatch):
    monkeypatch.setattr(live_module, "_IDLE_S", 0.3)
    live = runs.get(folder)

    def callback():
        pass

    live.subscribe(callback)
    await asyncio.sleep(0.8)
    assert runs.get(folder) is live
    live.unsubscribe(callback)
    live.unsubscribe(callback)  # twice does no harm
    poller = live._poller
    await _until(poller.done)
    assert runs.get(folder) is not live
