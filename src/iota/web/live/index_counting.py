"""Charts of measured reflections: starts the processes that count and draw them on request."""

from __future__ import annotations

import asyncio
import time

from iota.engine.questions import COUNT_REFLECTIONS, CountedReflections, CountReflections
from iota.processes.awaiting import ask_process
from iota.processes.question import AnsweringProcess, NoAnswerError
from iota.report.index_pictures import INDEX_PICTURES, IndexPictures, WantedPictures
from iota.runs.miller_counts import FILE_NAME
from iota.web.live.runs import LiveRun

_IDLE_S = 60.0  # a process that nobody asked for so long is ended
_DONE_S = 10.0  # a counter that had nothing to count for so long is ended: DIALS takes memory
_KEPT = 8  # pictures of other space groups


class _Drawing:
    """The process that draws, one for all runs."""

    def __init__(self) -> None:
        self._process = AnsweringProcess(INDEX_PICTURES)
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, wanted: WantedPictures) -> IndexPictures:
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._lock is None:
            self._loop, self._lock = loop, asyncio.Lock()
        async with self._lock:
            try:
                return (await ask_process(self._process, wanted))[0]
            except NoAnswerError as error:
                return IndexPictures(sentence=str(error))


_drawing = _Drawing()


class IndexCounting:
    """Counts and pictures of one run; get it from :func:`index_counting`."""

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._is_at_work = False
        self._watch: asyncio.Task[None] | None = None
        self._last_wanted = 0.0
        self._problem = ""
        self._counted_of = -1  # version of the run up to which a counter has counted all
        self._pictures: dict[str, tuple[int, IndexPictures]] = {}

    async def pictures(self, space_group: str) -> IndexPictures:
        """The chart in a space group, of what is counted so far; counting goes on meanwhile."""
        self._last_wanted = time.monotonic()
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._count())
        version = self._version()
        if self._problem and not version:
            return IndexPictures(sentence=self._problem)
        if not version:
            n = self._live.summary().n_integrated
            return IndexPictures(sentence="Counting reflections..." if n else "No integrated frames yet.")
        known = self._pictures.get(space_group)
        if known is None or known[0] != version:
            wanted = WantedPictures(folder=str(self._live.folder.path), space_group=space_group)
            known = self._pictures[space_group] = (version, await _drawing.ask(wanted))
            while len(self._pictures) > _KEPT:
                del self._pictures[next(iter(self._pictures))]
        return known[1]

    def _version(self) -> int:
        try:
            return (self._live.folder.path / FILE_NAME).stat().st_mtime_ns
        except OSError:
            return 0

    @property
    def is_counting(self) -> bool:
        """Whether there may be more soon."""
        return self._is_at_work or self._is_behind

    @property
    def _is_behind(self) -> bool:
        return self._counted_of != self._live.table.n_rows and self._live.summary().n_integrated > 0

    async def _count(self) -> None:
        """Keep a counter going while the chart is wanted and there is more to count."""
        counter, worked = AnsweringProcess(COUNT_REFLECTIONS), 0.0
        try:
            while time.monotonic() - self._last_wanted < _IDLE_S:
                if self._is_behind:
                    self._is_at_work = True
                    await self._count_on(counter)
                    worked = time.monotonic()
                    continue
                self._is_at_work = False
                if time.monotonic() - worked > _DONE_S:
                    await asyncio.to_thread(counter.end)
                await asyncio.sleep(0.5)
        finally:
            self._is_at_work = False
            await asyncio.to_thread(counter.end)

    async def _count_on(self, counter: AnsweringProcess[CountReflections, CountedReflections]) -> None:
        n_rows = self._live.table.n_rows
        try:
            counted, _ = await ask_process(counter, CountReflections(str(self._live.folder.path)))
        except NoAnswerError as error:
            self._problem, self._counted_of = str(error), self._live.table.n_rows
        else:
            if counted.is_all:
                self._counted_of = n_rows


def index_counting(live: LiveRun) -> IndexCounting:
    """The index charts of a run that is followed."""
    return live.part(IndexCounting)
