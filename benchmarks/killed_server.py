"""The server, and the processes that open images for it, killed while they are asked."""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from killing import Bench, kill_process, members, program, wait_until

from iota.runs import RunFolder

_HELPER = b"iota.engine.viewer.pixels"
_LONGEST_S = 3.0
_LIMIT_S = 90.0
_MASK = {"shapes": [{"kind": "circle", "panel": 0, "numbers": [200, 200, 30]}]}


class _Server:
    """An ``iota`` in the project of a run, used as a browser does: by the address that it prints, and its cookie."""

    def __init__(self, bench: Bench, run: RunFolder) -> None:
        said = bench.folder / "server.txt"
        self.project = run.path.parents[1]
        folders = {name: str(bench.folder / "home") for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME")}
        said.touch(mode=0o600)  # the address that lets a browser in is for its owner
        with said.open("wb") as output:
            self.process = subprocess.Popen(
                [program("iota"), "--no-browser"], cwd=self.project, stdout=output, stderr=output,
                env=os.environ | folders, start_new_session=True,
            )  # fmt: skip
        if not wait_until(lambda: self.process.poll() is not None or "http" in said.read_text(), _LIMIT_S):
            raise RuntimeError("the server did not start")
        found = re.search(r"http://\S+", said.read_text())
        if found is None:
            raise RuntimeError(f"the server said: {said.read_text()}")
        self._base = ""  # where the printed address leads
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        )
        if not wait_until(lambda: self._answers(found[0]), _LIMIT_S):
            raise RuntimeError("the server does not answer at the address that it printed")

    def _answers(self, url: str) -> bool:
        with contextlib.suppress(OSError):
            self._base = self._opener.open(url, timeout=_LIMIT_S).url.partition("?")[0].rstrip("/")
        return bool(self._base)

    def ask(self, path: str, body: bytes | None = None, **query: object) -> bytes:
        """Ask the API; raises OSError where it does not answer well."""
        url = f"{self._base}/api/{path}?{urllib.parse.urlencode(query)}"
        try:
            return self._opener.open(url, body, timeout=_LIMIT_S).read()  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            raise OSError(f"{path}: {error.read().decode(errors='replace')}") from error

    def open_image(self, row: int) -> None:
        self.ask("image/open", run="001", row=row)

    def save_mask(self) -> None:
        words = {"name": "kills", "replace": "yes", "run": "001", "row": 0}
        self.ask("image/mask/save", json.dumps(_MASK).encode(), **words)


def kill(bench: Bench, target: str, n_kills: int, run: RunFolder) -> None:
    """Kill servers or their helpers until there were enough kills."""
    if n_kills:
        (_kill_servers if target == "server" else _kill_helpers)(bench, n_kills, run)


def _kill_servers(bench: Bench, n_kills: int, run: RunFolder) -> None:
    before = run.ledger.read_bytes()
    while bench.kills["server"] < n_kills:
        server = _Server(bench, run)
        asking = threading.Thread(target=_ask_on, args=(server,))
        asking.start()
        time.sleep(bench.random.uniform(0, _LONGEST_S))
        helpers = members(server.process, _HELPER)
        kill_process(server.process)
        bench.count("server", "kills")
        asking.join()
        if not wait_until(lambda helpers=helpers: not any(map(_is_helper, helpers)), 20):  # type: ignore[misc]
            bench.problem("server", f"processes {helpers} go on without their server")
        bench.check_files("server", server.project / "masks")
        bench.check_files("server", bench.folder / "home")
        if run.ledger.read_bytes() != before:
            bench.problem("server", "the ledger has changed", "lost")


def _ask_on(server: _Server) -> None:
    """Ask as a page does until nobody answers."""
    row = 0
    with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
        while True:
            server.open_image(row % 8)
            server.save_mask()
            row += 1


def _kill_helpers(bench: Bench, n_kills: int, run: RunFolder) -> None:
    server = _Server(bench, run)
    server.open_image(0)  # starts the first one
    try:
        while bench.kills["helper"] < n_kills:
            asking = threading.Thread(target=_try_to_save, args=(server,))
            asking.start()
            time.sleep(bench.random.uniform(0, 0.3))
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(bench.random.choice(members(server.process, _HELPER)), signal.SIGKILL)
                bench.count("helper", "kills")
            asking.join()
            try:
                for row in (0, 1):
                    server.open_image(row)
                server.save_mask()
            except OSError as error:
                bench.problem("helper", f"after a helper was killed, an image does not open: {error}")
                bench.sentences.append((bench.folder / "server.txt").read_text()[-1000:])
            bench.check_files("helper", server.project / "masks")
    finally:
        kill_process(server.process)


def _try_to_save(server: _Server) -> None:
    with contextlib.suppress(OSError):  # the sentence that its helper has ended
        server.save_mask()


def _is_helper(pid: int) -> bool:
    try:
        return _HELPER in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
