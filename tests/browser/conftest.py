"""A real server and a real browser: what a person sees and does."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PICTURES = Path(__file__).parents[2] / "build" / "pages"  # screenshots, for people to look at


@dataclass
class Server:
    """An ``iota`` that a person started in a project folder."""

    project: Path
    url: str  # with the token
    process: subprocess.Popen[bytes]

    @property
    def base(self) -> str:
        """Address without path and token."""
        return self.url.split("/?")[0]

    @property
    def token(self) -> str:
        """The secret."""
        return self.url.split("token=")[1]

    def end(self) -> None:
        """End it as Ctrl-C does."""
        self.process.terminate()
        self.process.wait(20)


def begin(project, said, *arguments):
    """Start ``iota`` in a project folder; what it says goes to a file."""
    project.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).with_name("iota")
    with said.open("wb") as output:
        words = [str(program), "--no-browser", *map(str, arguments)]
        process = subprocess.Popen(words, cwd=project, stdout=output, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 60
    while not (found := re.search(r"http://\S+token=\S+", said.read_text())):
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)
    return Server(project, found[0], process)


@pytest.fixture(scope="session")
def begin_server():
    """Function that starts ``iota`` for several tests, ``begin_server(project, file_for_its_words, *arguments)``."""
    return begin


@pytest.fixture
def start_server(tmp_path, monkeypatch):
    """Function that starts ``iota`` in a project folder, ``start_server(project, *arguments)``."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    started = []

    def start(project, *arguments):
        started.append(begin(project, tmp_path / f"server-{len(started)}.txt", *arguments))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.end()


@pytest.fixture(scope="session")
def chromium():
    """Chromium without a screen."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not here: scripts/setup-browser installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Function that opens an address in a window of its own, ``open_page(url, width=1280, dark=False)``.

    A page that asks another machine for anything, or whose scripts fail, fails the test.
    """
    contexts, wrong = [], []

    def open_(url, *, width=1280, height=800, dark=False):
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on("request", lambda request: None if is_local(request.url) else wrong.append(f"asked {request.url}"))
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not wrong


def is_local(url):
    """Whether an address is on this machine."""
    return url.startswith(("http://127.0.0.1", "http://localhost", "ws://127.0.0.1", "data:", "blob:"))


@pytest.fixture(scope="session")
def picture():
    """Function that keeps a screenshot for people to look at, ``picture(page, name)``."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(page, name):
        path = PICTURES / f"{name}.png"
        page.screenshot(path=path)
        return path

    return take
