"""Follows runs that are being viewed: one poller per run.

Files are looked at four times a second and no notices of the file system are used, which do not come over networks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from iota.analysis.summary import Summary, summary_of
from iota.analysis.table.table import RunTable
from iota.errors import RunFolderError
from iota.runs import RunFolder, RunState, read_state
from iota.runs.state import is_at_work

logger = logging.getLogger(__name__)

Part = TypeVar("Part")

EVERY_S = 0.25
PATIENCE_S = 5.0  # for rows that are asked for before they are read
_IDLE_S = 60.0  # a run that nobody looked at for so long is let go, with its memory
_SUMMARY_EVERY_S = 1.0
_SUMMARY_SHARE = 0.1  # of the time at most goes into summaries
_CELLS_AT_WORK = 500  # that are compared for the consensus while a run goes on; the last summary is made of more

_readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="iota-live")


class LiveRun:
    """A run as it stands; get it from :data:`live_runs`.

    Attributes:
        folder: of the run.
        table: its frames as columns.
        state: as the run last wrote it; None while it has none.
        problem: sentence on what cannot be read, e.g. because the run was deleted; empty when all is well.
        version: counts changes of rows or state.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.table = RunTable(folder)
        self.state: RunState | None = None
        self.is_at_work = False
        self.problem = ""
        self.version = 0
        self._summary: Summary | None = None
        self._summary_of = -1  # version of which the summary is
        self._summary_due = 0.0
        self._subscribers: list[Callable[[], None]] = []
        self._last_wanted = time.monotonic()
        self._poller: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looked = asyncio.Condition()
        self._hurry = asyncio.Event()
        self._n_begun = self._n_done = 0  # looks
        self._told = 0.0  # when subscribers were last told
        self._state_seen: tuple[int, int] | None = None
        self._parts: dict[Callable[[LiveRun], object], object] = {}
        self._read_state()  # a small file, so that a page has something to show at once

    # -- who looks

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Have a function called in the event loop when rows or state have changed, four times a second at most."""
        self._subscribers.append(callback)
        self.want()

    def unsubscribe(self, callback: Callable[[], None]) -> None:
        """Call it no more; nothing happens when it is not subscribed."""
        with contextlib.suppress(ValueError):
            self._subscribers.remove(callback)
        self._last_wanted = time.monotonic()

    def want(self) -> None:
        """Say that somebody looks; the run is followed from now on, for a minute at least.  Call in an event loop."""
        self._last_wanted = time.monotonic()
        loop = asyncio.get_running_loop()
        if self._poller is None or self._poller.done() or self._loop is not loop:
            self._loop, self._looked, self._hurry = loop, asyncio.Condition(), asyncio.Event()
            self._poller = loop.create_task(self._poll(), name=f"follow {self.folder.path}")

    async def current(self, patience_s: float = 1.0) -> None:
        """Look now, and wait until all that is there has been read.

        Args:
            patience_s: wait no longer than so; ``table.progress`` tells how far reading is.
        """
        self.want()
        begins_after = self._n_begun
        self._hurry.set()

        async def all_read() -> None:
            async with self._looked:
                await self._looked.wait_for(
                    lambda: self._n_done > begins_after and (self.table.is_complete or bool(self.problem))
                )

        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(all_read(), patience_s)

    async def reach(self, n_rows: int) -> bool:
        """Wait some seconds until so many rows are read, as far as that is to be expected; return whether they are."""
        self.want()

        async def read() -> None:
            async with self._looked:
                await self._looked.wait_for(lambda: self.table.n_rows >= n_rows or not self.may_reach(n_rows))

        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(read(), PATIENCE_S)
        return self.table.n_rows >= n_rows

    def may_reach(self, n_rows: int) -> bool:
        """Whether a run that has fewer rows now will have so many: more are to be read, or to be finished."""
        return not self.problem and (not self.table.is_complete or (self.is_at_work and n_rows <= self.n_frames))

    @property
    def is_watched(self) -> bool:
        """Whether anybody looked within the last minute."""
        return bool(self._subscribers) or time.monotonic() - self._last_wanted < _IDLE_S

    # -- what is there

    def part(self, kind: Callable[[LiveRun], Part]) -> Part:
        """What a class makes of this run, such as its charts: made once, and gone with the run."""
        if kind not in self._parts:
            self._parts[kind] = kind(self)
        return self._parts[kind]  # type: ignore[return-value]

    @property
    def n_frames(self) -> int:
        """Frames of the run, finished or not, as far as is known."""
        return max(self.table.n_rows, 0 if self.state is None else self.state.n_frames)

    def summary(self) -> Summary:
        """Summary of some moment in the last seconds; made by the poller, so asking costs nothing."""
        if self._summary is None:
            return Summary(n_frames=self.n_frames, counts={} if self.state is None else self.state.counts)
        return self._summary

    # -- the poller

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        is_news = False
        while self.is_watched:
            start = time.monotonic()
            self._hurry.clear()
            self._n_begun += 1
            if await loop.run_in_executor(_readers, self._look):
                self.version += 1
                is_news = True
            async with self._looked:
                self._n_done = self._n_begun
                self._looked.notify_all()
            if is_news and time.monotonic() - self._told >= EVERY_S:
                self._told, is_news = time.monotonic(), False
                for callback in list(self._subscribers):
                    loop.call_soon(callback)  # what goes wrong in one is not the others' affair
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), max(0.0, EVERY_S - (time.monotonic() - start)))
        live_runs.let_go(self)

    def _look(self) -> bool:
        """Read what is new; runs in a thread.  Returns whether anything is."""
        before = (self.table.generation, self.table.n_rows, self.problem, self.is_at_work, self._summary_of)
        changed = self._read_state()
        try:
            was_complete = self.table.is_complete
            self.table.update(EVERY_S)
            is_there = self.folder.path.is_dir()
            self.problem = "" if is_there else f"{self.folder.path} no longer exists; it was deleted or moved."
            changed = changed or not was_complete
            if self.table.is_complete:
                self.table.save()
        except RunFolderError as error:
            self.problem = str(error)
        self._make_summary()
        now = (self.table.generation, self.table.n_rows, self.problem, self.is_at_work, self._summary_of)
        return changed or now != before

    def _read_state(self) -> bool:
        """Read the state when it has changed."""
        changed = False
        try:
            found = self.folder.state.stat()
            seen = (found.st_ino, found.st_mtime_ns)
            if seen != self._state_seen:
                self.state, self._state_seen = read_state(self.folder.state), seen
                changed = True
        except (OSError, RunFolderError):  # none yet, or its disk is away: what was known stays
            pass
        self.is_at_work = self.state is not None and is_at_work(self.state)
        return changed

    def _make_summary(self) -> None:
        """Make a summary when the last one is old and something has changed."""
        is_final = self.table.is_complete and not self.is_at_work
        of = hash((self.table.generation, self.table.n_rows, self.n_frames, is_final))
        now = time.monotonic()
        if of == self._summary_of or (now < self._summary_due and not is_final):
            return
        self._summary = summary_of(self.table, self.n_frames, **({} if is_final else {"max_cells": _CELLS_AT_WORK}))
        self._summary_of = of
        after = time.monotonic()
        self._summary_due = after + max(_SUMMARY_EVERY_S, (after - now) / _SUMMARY_SHARE)


class LiveRuns:
    """The runs that are followed by this server, one poller each."""

    def __init__(self) -> None:
        self._runs: dict[Path, LiveRun] = {}

    def get(self, folder: RunFolder) -> LiveRun:
        """Follow a run, or join those who follow it.  Call in the event loop."""
        path = folder.path.absolute()
        live = self._runs.get(path)
        if live is None:
            live = self._runs[path] = LiveRun(RunFolder(path))
        live.want()
        return live

    def let_go(self, live: LiveRun) -> None:
        """Forget a run that nobody looks at."""
        if self._runs.get(live.folder.path) is live:
            del self._runs[live.folder.path]


live_runs = LiveRuns()
