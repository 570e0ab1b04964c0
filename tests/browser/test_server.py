"""What a browser gets from a server, and what it does not."""

import signal
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect


def test_the_printed_address_opens_the_pages_and_no_other_does(start_server, open_page, picture, tmp_path):
    server = start_server(tmp_path / "project")
    page = open_page(server.url)
    assert "token" not in page.url
    page.goto(f"{server.base}/runs")
    expect(page.get_by_text("New run")).to_be_visible()
    for mode in ("light", "dark"):
        picture(page, f"runs-empty-{mode}")
        page.get_by_role("button", name="Dark or light").click()
    stranger = open_page(f"{server.base}/runs")
    expect(stranger.get_by_text("This is an IOTA server")).to_be_visible()
    for path in ("/api/runs", "/_nicegui/3.18.0/static/nicegui.js"):
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(server.base + path, timeout=10)
        refused.value.close()


def test_pages_find_a_server_again_that_was_killed(start_server, open_page, tmp_path):
    server = start_server(tmp_path / "project")
    page = open_page(server.url)
    page.goto(f"{server.base}/runs")
    page.evaluate("window.seenBefore = true")
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    again = start_server(tmp_path / "project")
    assert again.url == server.url  # same port, same token
    page.wait_for_function("!window.seenBefore", timeout=60_000)  # it comes back by itself
    page.get_by_role("button", name="Dark or light").click()
    expect(page.locator("body.body--dark")).to_be_visible()


def test_two_projects_have_servers_side_by_side(start_server, tmp_path):
    one, two = start_server(tmp_path / "one"), start_server(tmp_path / "two")
    assert one.base != two.base
    assert one.token != two.token
    request = urllib.request.Request(f"{two.base}/runs", headers={"Authorization": f"Bearer {one.token}"})
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(request, timeout=10)
    refused.value.close()
