"""The page of one run."""

import asyncio

import pytest
from made_runs import blank, explained, made_run
from nicegui import ui

from iota.causes import Cause
from iota.web.pages import run as page


@pytest.mark.parametrize(("n_reasons", "words"), [(41, "and 1 more reason;"), (42, "and 2 more reasons;")])
async def test_reasons_beyond_the_most_that_are_shown_are_counted(visit, tmp_path, n_reasons, words):
    results = [blank(k) for k in range(n_reasons)]
    for k, result in enumerate(results):
        explained(result, Cause.OTHER, text="A reason of its own: " + "x" * (k + 1))  # numbers do not tell them apart
    made_run(tmp_path, results)
    user = await visit(tmp_path)
    await user.open("/run/001?tab=why")
    await user.should_see(words, retries=100)


async def test_images_that_crashed_can_be_processed_again_from_the_page(visit, tmp_path, monkeypatch):
    asked = []

    async def resume_run(folder, **words):
        asked.append((folder.number, words))

    results = [blank(k) for k in range(5)]
    results[1].outcome = results[2].outcome = "crashed"
    made_run(tmp_path, results)
    user = await visit(tmp_path)
    monkeypatch.setattr(page, "resume_run", resume_run)
    await user.open("/run/001")
    await user.should_see("Process again", retries=100)
    await user.should_see("2 crashed")
    await user.should_not_see("0 timed out")
    user.find(kind=ui.item).click()
    for _ in range(100):
        if asked:
            break
        await asyncio.sleep(0.05)
    assert asked == [(1, {"retry": ["crashed"]})]


async def test_a_ledger_that_was_damaged_later_counts_on_every_page(visit, tmp_path):
    run = made_run(tmp_path, [blank(k) for k in range(5)])
    run.ledger.write_bytes(run.ledger.read_bytes().replace(b"img_00001", b"\xff\x00g_00001"))
    user = await visit(tmp_path)
    await user.open("/run/001")
    await user.should_see("4 of 5 frames", retries=100)
    await user.open("/runs")
    await user.should_see(kind=ui.table)
    (row,) = next(iter(user.find(kind=ui.table).elements)).rows
    assert (row["n_finished"], row["n_frames"]) == (4, 5)
