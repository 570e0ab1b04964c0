"""Searches in processes of their own: limits, turns, and that none outlives who waits for it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from iota.inputs.finding.search_job import ChooseImages, Chosen, Counted, CountImages
from iota.web.searches.searching import Cancelled, ClientGoneError, LatestSearch, SearchError, Searches, while_connected

FOR_EVER = CountImages(["/proc/**/nothing*.cbf"])  # folders that lead into each other


def searches(**limits):
    wanted = {"at_once": 1, "seconds": 60, "names": 1000, "megabytes": 700, **limits}
    return Searches("iota.inputs.finding.search_job", "Name less.", found="images", limited="names or images", **wanted)


@pytest.fixture
def images(tmp_path):
    for k in range(30):
        (tmp_path / f"img_{k}.cbf").write_bytes(b"")
    (tmp_path / "notes.lst").write_text("nowhere.cbf\n")
    return tmp_path


def at_work():
    """Process ids of searches of this process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            is_mine = parent == os.getpid() and b"search_job" in (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        found += [int(path.parent.name)] * is_mine
    return found


async def until(condition):
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("waited too long")


async def test_images_are_counted_with_what_stands_in_the_way(images):
    named = [str(images), str(images / "notes.lst"), str(images / "none_*")]
    found = await searches().ask(CountImages(named), Counted)
    assert [(one.kind, one.n_frames, one.n_files) for one in found.sources] == [
        ("folder", 30, 30),
        ("list", 1, 1),
        ("wildcard", 0, 0),
    ]
    assert found.n_frames == 31
    assert str(found.sources[0].first[2]) == str(images / "img_2.cbf")
    assert "no file or folder matches" in found.sources[2].problems[0]
    chosen = await searches().ask(ChooseImages([str(images)], "2-3", 100), Chosen)
    assert [frame.path for frame in chosen.frames] == [str(images / f"img_{k}.cbf") for k in (1, 2)]
    with pytest.raises(SearchError, match="write it like"):
        await searches().ask(ChooseImages([str(images)], "some", 100), Chosen)


@pytest.mark.parametrize(
    ("limit", "question", "words"),
    [
        ({"names": 20}, None, "ended at 20 names or images. Name less."),
        ({"seconds": 1}, FOR_EVER, "ended after 1 s. Name less."),
        ({"megabytes": 20}, None, "ended at 20 MB of memory. Name less."),
    ],
)
async def test_each_limit_is_a_sentence(images, limit, question, words):
    listed = images / "long.lst"
    listed.write_text("x" * 30_000_000)  # one line, as of a file that is no list
    with pytest.raises(SearchError, match=words):
        await searches(**limit).ask(question or CountImages([str(images), str(listed)]), Counted)
    assert not at_work()


async def test_others_wait_for_their_turn_and_a_crowd_is_sent_away(images):
    some = searches()
    first = asyncio.create_task(some.ask(FOR_EVER, Counted))
    await until(at_work)
    others = [asyncio.create_task(some.ask(CountImages([str(images)]), Counted)) for _ in range(10)]
    await asyncio.sleep(0.3)
    assert len(at_work()) == 1
    with pytest.raises(SearchError, match="10 other searches wait already"):
        await some.ask(CountImages([str(images)]), Counted)
    for task in (*others[1:5], first):
        task.cancel()
    answers = await asyncio.gather(*others, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in answers] == [False, *4 * [True], *5 * [False]]
    assert (await some.ask(CountImages([str(images)]), Counted)).n_frames == 30
    assert not at_work()


@pytest.mark.parametrize("leaves_first", [True, False])
async def test_a_turn_is_handed_on_although_the_next_in_line_leaves_at_that_moment(leaves_first):
    some, is_over = searches(), asyncio.Event()

    async def take_turn():
        async with some._turn():
            await is_over.wait()
            if leaves_first:
                tasks[1].cancel()
        tasks[1].cancel()

    tasks = [asyncio.create_task(take_turn()) for _ in range(3)]
    await asyncio.sleep(0.05)
    is_over.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in answers] == [type(None), asyncio.CancelledError, type(None)]
    assert (some._n_at_work, len(some._waiting)) == (0, 0)


async def test_a_new_search_ends_the_one_before(images):
    latest = LatestSearch(searches())
    first = asyncio.create_task(latest.ask(FOR_EVER, Counted))
    await until(at_work)
    assert (await latest.ask(CountImages([str(images)]), Counted)).n_frames == 30
    with pytest.raises(Cancelled):
        await first
    assert not at_work()


async def test_a_search_ends_when_its_client_leaves():
    left = asyncio.Event()

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    waiting = asyncio.create_task(while_connected(receive, searches().ask(FOR_EVER, Counted)))
    await until(at_work)
    left.set()
    with pytest.raises(ClientGoneError):
        await waiting
    assert not at_work()


def test_a_search_ends_with_a_server_that_is_killed():
    search = subprocess.Popen(
        [sys.executable, "-m", "iota.inputs.finding.search_job", "700", "1000"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    search.stdin.write(msgspec.json.encode(FOR_EVER) + b"\n")
    search.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        search.wait(1)
    search.stdin.close()
    assert search.wait(10) == 1
    search.stdout.close()
