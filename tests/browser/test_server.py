"""What a browser gets from a server, and what it does not."""

import http.server
import os
import signal
import stat
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import expect


def test_the_printed_address_opens_the_pages_and_no_other_does(start_server, open_page, picture, tmp_path):
    server = start_server(tmp_path / "project")
    page = open_page(server.printed)
    assert "token" not in page.url
    page.goto(f"{server.base}/runs")
    expect(page.get_by_text("New run")).to_be_visible()
    for mode in ("light", "dark"):
        picture(page, f"runs-empty-{mode}")
        page.get_by_role("button", name="Dark or light").click()
    for address, sentence in (
        (f"{server.base}/runs", "This is an IOTA server"),
        (server.printed, "The word in this address has already been used"),
    ):
        expect(open_page(address).get_by_text(sentence)).to_be_visible()
    for path in ("/api/runs", "/_nicegui/3.18.0/static/nicegui.js"):
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(server.base + path, timeout=10)
        refused.value.close()


def test_a_browser_that_was_let_in_finds_addresses_that_are_typed_or_linked(start_server, open_page, tmp_path):
    server = start_server(tmp_path / "project")
    page = open_page(server.printed)
    page.get_by_role("button", name="RUN IOTA").wait_for()
    for typed, found in (("/runs",) * 2, ("/~of-an-earlier-start/runs", "/runs"), ("/api/docs",) * 2):
        page.goto(server.origin + typed)
        page.wait_for_url(server.base + found)
    page.goto(server.printed)  # once more, in the same browser
    page.wait_for_url(f"{server.base}/")
    page.goto(server.origin + "/?set=description%3Dtyped")
    expect(page.get_by_label("Description")).to_have_value("typed")
    other = tmp_path / "mail.html"  # of another site: its words set nothing up
    other.write_text(f'<a href="{server.origin}/?set=description%3Delsewhere">here</a>')
    page = page.context.new_page()
    page.goto(other.as_uri())
    page.get_by_text("here").click()
    page.wait_for_url(f"{server.base}/")
    expect(page.get_by_label("Description")).to_have_value("")


def test_pages_of_a_server_that_was_killed_come_back_when_its_successor_lets_the_browser_in(
    start_server, open_page, tmp_path
):
    server = start_server(tmp_path / "project")
    page = open_page(server.url)
    page.goto(f"{server.base}/runs?from=here")
    page.get_by_text("New run").wait_for()
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    again = start_server(tmp_path / "project")
    assert again.origin == server.origin  # same port
    assert again.base != server.base
    assert again.token != server.token
    expect(page.get_by_text("Open the address that it printed")).to_be_visible(timeout=60_000)
    reloaded = page.context.new_page()
    reloaded.goto(f"{server.base}/runs?from=there")
    reloaded.get_by_text("This is an IOTA server").wait_for()
    page.context.new_page().goto(again.printed)
    page.wait_for_url(f"{again.base}/runs?from=here")
    reloaded.wait_for_url(f"{again.base}/runs?from=there")
    page.get_by_role("button", name="Dark or light").click()
    expect(page.locator("body.body--dark")).to_be_visible()


def test_two_projects_have_servers_side_by_side(start_server, tmp_path):
    one, two = start_server(tmp_path / "one"), start_server(tmp_path / "two")
    assert one.origin != two.origin
    assert one.token != two.token
    request = urllib.request.Request(f"{two.origin}/runs", headers=one.headers)
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(request, timeout=10)
    refused.value.close()


def test_a_server_of_somebody_else_on_another_port_gets_no_cookie(start_server, open_page, tmp_path):
    server = start_server(tmp_path / "project")
    page = open_page(server.url)
    page.get_by_role("button", name="RUN IOTA").wait_for()
    heard = []

    class Thief(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append((self.path, self.headers.get("Cookie", "")))
            body = f"""<p>hello</p><img src="{server.origin}/api/runs"><script>
                document.cookie = "own=1";
                const all = {{mode: "no-cors", credentials: "include"}};
                fetch("/once-more").then(() => fetch("{server.origin}/api/runs", all)).catch(() => 0)
                .then(() => document.body.append("done"));</script>"""
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Thief) as thief:
        threading.Thread(target=thief.serve_forever, daemon=True).start()
        other = page.context.new_page()
        other.goto(f"http://127.0.0.1:{thief.server_port}/")
        other.get_by_text("done").wait_for()
        thief.shutdown()
    assert ("/once-more", "own=1") in heard  # cookies do go there, but not the server's
    assert "iota" not in "".join(cookies for _, cookies in heard)
    (cookie,) = [one for one in page.context.cookies() if one["name"].startswith("iota-8")]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert cookie["path"] == urlsplit(server.base).path


def test_the_browser_is_opened_by_a_file_of_the_owner_s(start_server, open_page, tmp_path, monkeypatch):
    told = tmp_path / "told.txt"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\ntr "\\0" "\\n" < /proc/$$/cmdline > {told}.new\nmv {told}.new {told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(program))
    monkeypatch.setenv("DISPLAY", ":77")
    (tmp_path / "runtime").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    server = start_server(tmp_path / "project", shows=True)
    deadline = time.monotonic() + 20
    while not told.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    address = told.read_text().split()[-1]
    assert address.startswith("file:///")
    file = Path(unquote(urlsplit(address).path))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (file.stat().st_uid, stat.S_IMODE(file.parent.stat().st_mode)) == (os.geteuid(), 0o700)
    page = open_page(address)
    page.wait_for_url(f"{server.base}/")
    expect(page.get_by_role("button", name="RUN IOTA")).to_be_visible()
    assert not file.exists()
