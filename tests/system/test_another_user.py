"""Another user of the same machine, a process of another uid, does not get into a server."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

NOBODY = 65534
ATTACK = Path(__file__).with_name("another_user.py").read_text()
PYTHON = shutil.which("python3", path="/usr/bin:/bin") or sys.executable  # which others can execute, too
IOTA = Path(sys.executable).with_name("iota")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")


@pytest.fixture
def home():
    """Home folder of the owner, which others may look into."""
    with tempfile.TemporaryDirectory(prefix="owner_") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "project").mkdir()
        (folder / "run").mkdir()
        browser = folder / "browser"
        browser.write_text(
            f'#!/bin/sh\necho "$1" > {folder}/opened.new\nmv {folder}/opened.new {folder}/opened\nsleep 60\n'
        )
        browser.chmod(0o755)
        yield folder


@pytest.fixture
def start(home):
    """Function that starts ``iota`` as its owner does, whose words go to a file that all can read."""
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "DISPLAY": ":77",
        "BROWSER": str(home / "browser"),
    }
    started = []

    def start_():
        (home / "opened").unlink(missing_ok=True)
        with (home / "said.txt").open("w") as said:
            process = subprocess.Popen(
                [IOTA], cwd=home / "project", env=environment, stdout=said, umask=0o022, start_new_session=True
            )
        started.append(process)
        wait_for(home / "opened")

        def ask(option):
            return subprocess.check_output([IOTA, option], cwd=home / "project", env=environment, text=True).strip()

        return process, ask

    yield start_
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)  # with its browser
        process.wait()


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.05)


def enter(address):
    """Use an address: private path and cookie."""
    parts = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/\?token=.*)", address)
    connection = http.client.HTTPConnection("127.0.0.1", int(parts[1]), timeout=20)
    connection.request("GET", parts[2])
    answer = connection.getresponse()
    connection.close()
    return answer.headers["Location"].rstrip("/"), re.match(r"iota-\d+=([^;]*)", answer.headers["Set-Cookie"])[1]


def attack(home, port, known=(), paths=(), **user):
    """What somebody finds and gets."""
    given = {"port": port, "folders": [str(home)], "known": known, "paths": paths}
    done = subprocess.run(
        [PYTHON, "-I", "-c", ATTACK],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        cwd="/",
        timeout=300,
        **user,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_another_user_does_not_get_in_by_what_is_seen_kept_or_overheard(home, start):
    process, ask = start()
    address = ask("--address")
    path, cookie = enter(address)
    known = [ask("--token"), cookie, address.partition("token=")[2], "a-token-of-an-earlier-version"]
    port = int(re.search(r":(\d+)", address)[1])
    process.send_signal(signal.SIGKILL)  # nothing is cleared away
    process.wait()
    (memory,) = (home / "state" / "iota").glob("server-*.json")
    memory.write_text(json.dumps({"token": known[-1], "port": port}))  # as it was until now

    process, ask = start()
    used = ask("--address")
    new_path, _ = enter(used)
    stranger = attack(
        home, port, [*known, used.partition("token=")[2]], [path, new_path], user=NOBODY, group=NOBODY, extra_groups=[]
    )
    assert stranger["in"] == []
    assert stranger["n"] > 30
    # it did look: at the browser's line in the list of processes, and at the words of the server
    opened = (home / "opened").read_text().strip()
    assert any(opened in text for text in stranger["readable"].values())
    assert f"http://127.0.0.1:{port}\n" in stranger["readable"][str(home / "said.txt")]
    assert not any("state" in place or "/run/" in place for place in stranger["readable"])
    assert Path(opened.removeprefix("file://")).is_file()

    owner = attack(home, port)  # the same by the owner
    assert {status for _, _, status in owner["in"]} == {200, 303}
