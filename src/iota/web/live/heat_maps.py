"""Heat maps of a grid search, computed once for all viewers."""

from __future__ import annotations

import asyncio

from iota.analysis.grid_tally import GridTally
from iota.web.live.runs import LiveRun


class LiveTally(GridTally):
    """Tally of one run; get it from :func:`grid_tally`."""

    def __init__(self, live: LiveRun) -> None:
        super().__init__(live.table)
        self._lock = asyncio.Lock()

    async def update(self) -> None:
        """Read on, in a thread."""
        async with self._lock:
            await asyncio.to_thread(self.count)


def grid_tally(live: LiveRun) -> LiveTally:
    """The tally of a run that is followed."""
    return live.part(LiveTally)
