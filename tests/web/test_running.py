"""Files by which the owner of a server, and nobody else, gets in."""

from __future__ import annotations

import html
import os
import re
import stat
import subprocess
import sys

import pytest

from iota.cli.gui import main
from iota.errors import UsageError
from iota.web.access.browser_page import BrowserPage
from iota.web.access.keys import Keys
from iota.web.access.running import RunningServer, running_server
from iota.web.places import LastPort, state_folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Home folder of a person with a desktop."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(project, keys, **other):
    return RunningServer(
        project=str(project), url="http://127.0.0.1:8765", **{"port": 8765, "token": keys.token, **other}
    )


def test_the_command_gives_new_addresses_and_the_token_while_the_server_runs(home, capsys):
    keys = Keys()
    with made(home, keys).announced():
        (file,) = (home / "state" / "iota" / "servers").iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        words = []
        for _ in range(2):
            assert main(["--address"]) == 0
            words.append(re.fullmatch(r"http://127\.0\.0\.1:8765/\?token=(.*)\n", capsys.readouterr().out)[1])
        assert [keys.spend(word) for word in (*words, words[0])] == [True, True, False]
        assert main(["--token"]) == 0
        assert capsys.readouterr().out == keys.token + "\n"
        server = running_server(home)
        assert server.headers == {"Authorization": f"Bearer {keys.token}"}
        assert keys.token not in repr(server)
    for option in ("--address", "--token"):
        assert main([option]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert f"No server is running for {home}" in said.err


def test_the_server_of_a_project_is_found_among_others_and_a_dead_one_is_not(home):
    one, two, dead = Keys(), Keys(), Keys()
    (home / "one").mkdir()
    (home / "link").symlink_to(home / "one")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with (
        made(home / "one", one, port=1).announced(),
        made(home / "two", two, port=2).announced(),
        made(home / "three", dead, port=3, process_id=ended.pid).announced(),
    ):
        (home / "state" / "iota" / "servers" / "server-torn-4.json").write_text('{"project": ')
        assert running_server("link").token == one.token
        assert running_server(home / "two").token == two.token
        with pytest.raises(UsageError, match=r"one is running for \S+one, \S+two\. Change to that folder"):
            running_server(home / "three")


def test_folders_of_the_state_are_their_owner_s_alone(home):
    folder = home / "state" / "iota"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    LastPort(8770).keep(home)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert LastPort.of(home) == LastPort(8770)
    if os.geteuid() == 0:
        os.chown(folder, 65534, -1)
        with pytest.raises(UsageError, match="belongs to another user"):
            state_folder()


@pytest.mark.parametrize("browser", ["firefox_firefox.desktop", "firefox-esr.desktop", None])
def test_the_page_for_the_browser_lies_where_it_can_read_it(home, monkeypatch, browser):
    (home / "snap" / "firefox" / "common").mkdir(parents=True)
    (home / "bin").mkdir()
    if browser:
        (home / "bin" / "xdg-settings").write_text(f"#!/bin/sh\necho {browser}\n")
        (home / "bin" / "xdg-settings").chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'bin'}:/usr/bin:/bin" if browser else str(home / "bin"))
    address = "http://127.0.0.1:8765/?a=1&token=word"
    page = BrowserPage(address, 8765)
    is_snap = browser == "firefox_firefox.desktop"
    assert page.path.parent == (home / "snap" / "firefox" / "common" if is_snap else home / "run" / "iota")
    assert stat.S_IMODE(page.path.stat().st_mode) == 0o600
    assert html.unescape(page.path.read_text()).count(address) == 2
    page.used("another")
    assert page.path.exists()
    page.used("word")
    assert not page.path.exists()
    page.remove()  # at the end of the server
