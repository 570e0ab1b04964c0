"""A real server and a real browser: what a person sees and does."""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from iota.web.access.keys import new_word

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PICTURES = Path(__file__).parents[2] / "build" / "pages"  # screenshots, for people to look at


@dataclass
class Server:
    """An ``iota`` that a person started in a project folder."""

    project: Path
    printed: str  # address with a word, as it was printed; not used yet
    base: str  # of pages, for browsers that were let in
    token: str  # of programs
    process: subprocess.Popen[bytes]

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.printed.split("/?")[0]

    @property
    def url(self) -> str:
        """Address that lets one more browser in."""
        return self.address("/")

    def address(self, path: str) -> str:
        """The same for a page."""
        return f"{self.origin}{path}{'&' if '?' in path else '?'}token={new_word(self.token)}"

    @property
    def headers(self) -> dict[str, str]:
        """What programs send."""
        return {"Authorization": f"Bearer {self.token}"}

    def end(self) -> None:
        """End it as Ctrl-C does."""
        self.process.terminate()
        self.process.wait(20)


def begin(project, said, *arguments, shows=False):
    """Start ``iota`` in a project folder; what it says goes to a file."""
    project.mkdir(parents=True, exist_ok=True)
    program = Path(sys.executable).with_name("iota")
    said.touch(mode=0o600)  # else the address is not complete
    with said.open("wb") as output:
        words = [str(program), *([] if shows else ["--no-browser"]), *map(str, arguments)]
        process = subprocess.Popen(words, cwd=project, stdout=output, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 60
    while not (found := re.search(r"http://\S+token=\S+", said.read_text())):
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)
    token = subprocess.run([str(program), "--token"], cwd=project, capture_output=True, text=True, check=True)
    server = Server(project, found[0], "", token.stdout.strip(), process)
    server.base = private_address(server.url)
    return server


def private_address(address):
    """Where an address with a word leads to."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    assert answer.status == 303, answer.read()
    connection.close()
    return f"http://{parts.netloc}{answer.headers['Location'].rstrip('/')}"


@pytest.fixture(scope="session")
def begin_server():
    """Function that starts ``iota`` for several tests, ``begin_server(project, file_for_its_words, *arguments)``."""
    return begin


@pytest.fixture
def start_server(tmp_path, monkeypatch):
    """Function that starts ``iota`` in a project folder, ``start_server(project, *arguments)``."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    started = []

    def start(project, *arguments, shows=False):
        started.append(begin(project, tmp_path / f"server-{len(started)}.txt", *arguments, shows=shows))
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
    return url.startswith(("http://127.0.0.1", "http://localhost", "ws://127.0.0.1", "data:", "blob:", "file:"))


@pytest.fixture(scope="session")
def picture():
    """Function that keeps a screenshot for people to look at, ``picture(page, name)``."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(page, name):
        path = PICTURES / f"{name}.png"
        page.screenshot(path=path)
        return path

    return take
