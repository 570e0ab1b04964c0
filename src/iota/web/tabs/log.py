"""The Log tab: the log of a run as it grows, with a search."""

from __future__ import annotations

import asyncio
import html
import re

from nicegui import ui

from iota.web.live import log_reader
from iota.web.live.runs import LiveRun
from iota.web.widgets.selection import Selection

_MAX_CHARACTERS = 200_000  # of the log in the page; older lines are found with the search
_EVERY_S = 1.0


def build(live: LiveRun, selection: Selection) -> None:
    """Make the tab."""
    _LogTab(live).build()


class _LogTab:
    def __init__(self, live: LiveRun) -> None:
        self._path = live.folder.log
        self._end = 0
        self._text = ""

    def build(self) -> None:
        with ui.row().classes("w-full items-center q-py-sm"):
            self._search = ui.input(placeholder="Search, e.g. the name of an image", on_change=self._find)
            self._search.props("dense outlined clearable debounce=300").style("width: 380px")
            self._follow = ui.switch("Follow the end", value=True)
            ui.space()
            self._told = ui.label().classes("iota-muted")
        self._view = ui.html("", sanitize=False).classes("w-full")
        ui.timer(_EVERY_S, self._read_on)
        ui.timer(0, self._read_on, once=True)

    async def _read_on(self) -> None:
        if self._search.value:
            return
        if not self._end:
            part = await asyncio.to_thread(log_reader.read_end, self._path)
        else:
            part = await asyncio.to_thread(log_reader.read_since, self._path, self._end)
        if part.end == self._end and self._text:
            return
        self._text = (self._text + part.text)[-_MAX_CHARACTERS:]
        self._end = part.end
        self._told.set_text("" if len(self._text) < _MAX_CHARACTERS else "use the search to find older lines")
        self._show(html.escape(self._text) or "The log is empty so far.")

    async def _find(self) -> None:
        wanted = (self._search.value or "").strip()
        if not wanted:
            self._told.set_text("")
            self._show(html.escape(self._text))
            return
        found = await asyncio.to_thread(log_reader.search, self._path, wanted)
        if wanted != (self._search.value or "").strip():  # typed on meanwhile
            return
        self._told.set_text(_number_found(len(found.lines), found.n_more))
        pattern = re.compile(re.escape(html.escape(wanted)), re.IGNORECASE)
        lines = (pattern.sub(lambda match: f"<mark>{match[0]}</mark>", html.escape(line)) for line in found.lines)
        self._show("\n".join(lines), is_search=True)

    def _show(self, escaped: str, *, is_search: bool = False) -> None:
        self._view.set_content(f'<pre class="iota-log iota-mono" style="height: 68vh">{escaped}</pre>')
        if self._follow.value and not is_search:
            ui.run_javascript(
                f"requestAnimationFrame(() => {{ const log = getHtmlElement({self._view.id})?.querySelector('pre');"
                " if (log) log.scrollTop = log.scrollHeight; })"
            )


def _number_found(n: int, n_more: int) -> str:
    """How many matching lines are shown, and of how many."""
    if n_more:
        return f"last {n:,} of {n + n_more:,} matching lines"
    return "not found" if n == 0 else f"{n:,} matching line{'' if n == 1 else 's'}"
