"""From images to an answer by clicks alone, and what outlives the server."""

import re
import signal
import time

import pytest
from playwright.sync_api import expect

from iota.runs import RunFolder, read_ledger, read_state


def choose_images(page, folder):
    """Choose a folder in the file browser, as a person who knows where the images are."""
    page.get_by_role("button", name="Browse...").click()
    page.get_by_label("Folder", exact=True).fill(str(folder))
    page.get_by_label("Folder", exact=True).press("Enter")
    page.get_by_role("button", name="Choose this folder").click()


def wait_until(condition, seconds=180.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


@pytest.mark.slow
def test_real_stills_nothing_known_by_clicks_alone(start_server, open_page, picture, thaumatin, tmp_path):
    server = start_server(tmp_path / "project")
    page = open_page(server.url)
    choose_images(page, thaumatin)
    page.get_by_text("12 images in total").wait_for()
    page.get_by_role("button", name="RUN IOTA").click()
    page.wait_for_url("**/run/001")
    expect(page.get_by_text("of 12 frames")).to_be_visible()
    picture(page, "run-begins")
    expect(page.get_by_text("10 hits, 10 integrated")).to_be_visible(timeout=240_000)
    expect(page.get_by_text("finished", exact=True)).to_be_visible(timeout=30_000)
    for tab in ("Charts", "Frames", "Why it failed", "Log", "Analysis", "Settings"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(1500)
        picture(page, f"thaumatin-{tab.lower().replace(' ', '-')}")
    page.get_by_role("tab", name="Analysis").click()
    expect(page.get_by_text(re.compile(r"^tP \(.*\), 10 of 10 lattices"))).to_be_visible()
    page.get_by_role("tab", name="Log").click()
    page.get_by_placeholder("Search, e.g. the name of an image").fill("0016")
    expect(page.locator(".iota-log mark").first).to_have_text("0016")
    expect(page.get_by_text(re.compile(r"^\d+ matching lines?$"))).to_be_visible()


@pytest.mark.slow
def test_a_run_outlives_its_server_and_is_stopped_and_resumed_by_another(start_server, open_page, lysozyme, tmp_path):
    server = start_server(tmp_path / "project", lysozyme, "mp.n_processors=1", "target_space_group=P43212")
    page = open_page(server.url)
    page.get_by_text("12 images in total").wait_for()
    page.get_by_role("button", name="RUN IOTA").click()
    page.wait_for_url("**/run/001")
    folder = RunFolder.open(server.project / "integration" / "001")
    wait_until(lambda: read_ledger(folder.ledger)[0])
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    n_before = len(read_ledger(folder.ledger)[0])
    wait_until(lambda: len(read_ledger(folder.ledger)[0]) > n_before)  # it goes on without
    again = start_server(tmp_path / "project")
    assert again.origin == server.origin
    page.context.new_page().goto(again.printed)
    expect(page.get_by_text("finished", exact=True)).to_be_visible(timeout=120_000)  # the page came back, too
    assert read_state(folder.state).status == "finished"
    assert len(read_ledger(folder.ledger)[0]) == 12


@pytest.mark.slow
def test_stop_resume_and_monitor_mode_by_their_buttons(start_server, open_page, picture, lysozyme, tmp_path):
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    images = sorted(lysozyme.glob("*.cbf"))
    for image in images[:8]:
        (incoming / image.name).symlink_to(image)
    server = start_server(tmp_path / "project", incoming, "mp.n_processors=1", "target_space_group=P43212")
    page = open_page(server.url)
    page.get_by_text("8 images in total").wait_for()
    page.get_by_role("button", name="RUN IOTA").click()
    page.wait_for_url("**/run/001")
    folder = RunFolder.open(server.project / "integration" / "001")
    wait_until(lambda: read_ledger(folder.ledger)[0])
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("stopped", exact=True)).to_be_visible(timeout=30_000)
    assert 0 < len(read_ledger(folder.ledger)[0]) < 8
    picture(page, "run-stopped")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("8 of 8 frames")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("finished", exact=True)).to_be_visible(timeout=30_000)

    page.get_by_role("switch", name="Monitor mode").click()
    expect(page.get_by_text("watching for images")).to_be_visible(timeout=60_000)
    (incoming / images[8].name).symlink_to(images[8])
    expect(page.get_by_text("9 of 9 frames")).to_be_visible(timeout=60_000)
    watching = read_state(folder.state)
    other = open_page(server.url)
    other.goto(page.url)  # looking at a run changes nothing
    for one in (page, other):
        expect(one.get_by_role("switch", name="Monitor mode")).to_be_checked()
    time.sleep(4)
    for one in (page, other):
        expect(one.get_by_role("switch", name="Monitor mode")).to_be_checked()
        expect(one.get_by_text("watching for images")).to_be_visible()
    assert read_state(folder.state).process_id == watching.process_id
    assert not folder.control.exists()
    page.get_by_role("switch", name="Monitor mode").click()
    for one in (page, other):
        expect(one.get_by_text("finished", exact=True)).to_be_visible(timeout=60_000)
        expect(one.get_by_role("switch", name="Monitor mode")).not_to_be_checked()
    time.sleep(4)
    assert read_state(folder.state).status == "finished"
    assert len(read_ledger(folder.ledger)[0]) == 9


def test_a_run_that_is_not_there_is_a_sentence(start_server, open_page, tmp_path):
    server = start_server(tmp_path / "project")
    page = open_page(server.url)
    for run_id in ("007", "../../etc", "001@00000000"):
        page.goto(f"{server.base}/run/{run_id}")
        if "/" not in run_id:
            expect(page.get_by_text("There is no run")).to_be_visible()
