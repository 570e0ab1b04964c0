"""Parts of a page that are redrawn when their run has changed, while they are visible."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from nicegui import background_tasks, ui

from iota.web.widgets.layout import sentences
from iota.web.widgets.selection import Selection


class Following:
    """Calls a function of a page when the run has changed: one call at a time, not too often, on shown tabs only."""

    def __init__(
        self, selection: Selection, tab: str, refresh: Callable[[], Awaitable[None]], every_s: float = 1.0
    ) -> None:
        self._selection = selection
        self._tab = tab
        self._refresh = refresh
        self._every_s = every_s
        self._client = ui.context.client
        self._is_wanted = True
        self._is_deleted = False
        self._task: asyncio.Task[None] | None = None
        live = selection.live
        live.subscribe(self.wake)
        selection.on_enter(self._enter)

        def end() -> None:
            self._is_deleted = True
            live.unsubscribe(self.wake)

        self._client.on_delete(end)
        self.wake()

    def _enter(self) -> None:
        if self._is_wanted:
            self.wake()

    def wake(self) -> None:
        """Have the function called soon."""
        self._is_wanted = True
        if self._selection.is_shown(self._tab) and (self._task is None or self._task.done()):
            self._task = background_tasks.create(self._work(), name=f"refresh {self._tab}")

    async def _work(self) -> None:
        while self._is_wanted and not self._is_deleted and self._selection.is_shown(self._tab):
            self._is_wanted = False
            with self._client, sentences():
                await self._refresh()
            await asyncio.sleep(self._every_s)
