"""Searches in processes of their own: limits, turns, and that none outlives who waits for it."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from iota.inputs.finding.search_job import CHOOSE_IMAGES, COUNT_IMAGES, ChooseImages, CountImages
from iota.processes.question import BusyError, NoAnswerError
from iota.processes.question_queue import Cancelled, Latest, QuestionQueue
from iota.web.searches.searching import ClientGoneError, while_connected

FOR_EVER = CountImages(["/proc/**/nothing*.cbf"], max_names=None)  # folders that lead into each other


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
    found = await QuestionQueue(1).ask(COUNT_IMAGES, CountImages(named))
    assert [(one.kind, one.n_frames, one.n_files) for one in found.sources] == [
        ("folder", 30, 30),
        ("list", 1, 1),
        ("wildcard", 0, 0),
    ]
    assert found.n_frames == 31
    assert str(found.sources[0].first[2]) == str(images / "img_2.cbf")
    assert "no file or folder matches" in found.sources[2].problems[0]
    chosen = await QuestionQueue(1).ask(CHOOSE_IMAGES, ChooseImages([str(images)], "2-3", 100))
    assert [frame.path for frame in chosen.frames] == [str(images / f"img_{k}.cbf") for k in (1, 2)]
    with pytest.raises(NoAnswerError, match="use the form"):
        await QuestionQueue(1).ask(CHOOSE_IMAGES, ChooseImages([str(images)], "some", 100))


@pytest.mark.parametrize(
    ("limit", "names", "words"),
    [
        ({}, 20, "The search was ended at 20 names or images. Give fewer"),
        ({"seconds": 1}, None, "The search was ended after 1 s. Give fewer"),
        ({"megabytes": 20}, 2000, "The search was ended at 20 MB of memory. Give fewer"),
    ],
)
async def test_each_limit_is_a_sentence(images, limit, names, words):
    listed = images / "long.lst"
    listed.write_text("x" * 30_000_000)  # one line, as of a file that is no list
    with pytest.raises(NoAnswerError, match=words):
        asked = CountImages([str(images), str(listed)], max_names=names) if names else FOR_EVER
        await QuestionQueue(1).ask(replace(COUNT_IMAGES, **limit), asked)
    assert not at_work()


async def test_others_wait_for_their_turn_and_a_crowd_is_sent_away(images):
    some = QuestionQueue(1)
    first = asyncio.create_task(some.ask(COUNT_IMAGES, FOR_EVER))
    await until(at_work)
    others = [asyncio.create_task(some.ask(COUNT_IMAGES, CountImages([str(images)]))) for _ in range(10)]
    await asyncio.sleep(0.3)
    assert len(at_work()) == 1
    with pytest.raises(BusyError, match="10 others are already waiting"):
        await some.ask(COUNT_IMAGES, CountImages([str(images)]))
    for task in (*others[1:5], first):
        task.cancel()
    answers = await asyncio.gather(*others, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in answers] == [False, *4 * [True], *5 * [False]]
    assert (await some.ask(COUNT_IMAGES, CountImages([str(images)]))).n_frames == 30
    assert not at_work()


@pytest.mark.parametrize("leaves_first", [True, False])
async def test_a_turn_is_handed_on_although_the_next_in_line_leaves_at_that_moment(leaves_first):
    some, is_over = QuestionQueue(1), asyncio.Event()

    async def take_slot():
        async with some._slot():
            await is_over.wait()
            if leaves_first:
                tasks[1].cancel()
        tasks[1].cancel()

    tasks = [asyncio.create_task(take_slot()) for _ in range(3)]
    await asyncio.sleep(0.05)
    is_over.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in answers] == [type(None), asyncio.CancelledError, type(None)]
    assert (some._n_at_work, len(some._waiting)) == (0, 0)


async def test_a_new_search_ends_the_one_before(images):
    latest = Latest(QuestionQueue(1))
    first = asyncio.create_task(latest.ask(COUNT_IMAGES, FOR_EVER))
    await until(at_work)
    assert (await latest.ask(COUNT_IMAGES, CountImages([str(images)]))).n_frames == 30
    with pytest.raises(Cancelled):
        await first
    assert not at_work()


async def test_a_search_ends_when_its_client_leaves():
    left = asyncio.Event()

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    waiting = asyncio.create_task(while_connected(receive, QuestionQueue(1).ask(COUNT_IMAGES, FOR_EVER)))
    await until(at_work)
    left.set()
    with pytest.raises(ClientGoneError):
        await waiting
    assert not at_work()
