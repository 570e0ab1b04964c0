"""Opens the browser without showing the secret address in the list of processes."""

from __future__ import annotations

import contextlib
import html
import webbrowser
from pathlib import Path

from iota.processes.program import output_of
from iota.web.places import runtime_folder, write_private


class BrowserPage:
    """A file, readable by its owner only, that leads a browser to an address."""

    def __init__(self, address: str, port: int) -> None:
        """Write it.

        Args:
            address: with its word.
            port: of the server, for the name of the file.

        Raises:
            UsageError: the folder cannot be written.
        """
        self._address = address
        self.path = (_folder_of_snap() or runtime_folder()) / f"iota-{port}.html"
        to = html.escape(address)
        page = (
            f'<!doctype html><meta charset="utf-8"><title>IOTA</title><meta http-equiv="refresh" content="0; url={to}">'
            f'<p>Redirecting to <a href="{to}">IOTA</a>.</p>\n'
        )
        write_private(self.path, page.encode())

    def open(self) -> None:
        """Have the browser show it."""
        webbrowser.open(self.path.as_uri())

    def used(self, word: str) -> None:
        """Remove it when its own word has let a browser in."""
        if self._address.endswith(word):
            self.remove()

    def remove(self) -> None:
        """Remove it."""
        with contextlib.suppress(OSError):
            self.path.unlink()


def _folder_of_snap() -> Path | None:
    """A folder that the default browser can read, where that is a snap: it sees no hidden folders and not ``/run``."""
    try:
        asked = output_of(["xdg-settings", "get", "default-web-browser"], 5)
    except OSError:
        return None
    name = asked.stdout.strip().partition("_")[0]  # a snap's is firefox_firefox.desktop
    folder = Path.home() / "snap" / name / "common"
    return folder if name and "_" in asked.stdout and folder.is_dir() else None
