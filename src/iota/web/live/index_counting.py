"""Index charts of runs that are looked at: the processes that count and draw, started when they are wanted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from asyncio.subprocess import DEVNULL, PIPE, Process

import msgspec

from iota.installation import python
from iota.report.index_pictures import IndexPictures, Question
from iota.runs.miller_counts import FILE_NAME
from iota.web.live.runs import LiveRun

_IDLE_S = 60.0  # a process that nobody asked for so long is ended
_ANSWER_BYTES = 32 * 1024 * 1024
_KEPT = 8  # pictures of other space groups


class _Drawing:
    """The process that draws, one for all runs."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, question: Question) -> IndexPictures:
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._lock is None:
            self._loop, self._lock, self._process = loop, asyncio.Lock(), None
        async with self._lock:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                if self._process is None or self._process.returncode is not None:
                    self._process = await asyncio.create_subprocess_exec(
                        *python(), "-m", "iota.report.index_pictures", stdin=PIPE, stdout=PIPE, limit=_ANSWER_BYTES
                    )
                assert self._process.stdin is not None and self._process.stdout is not None
                self._process.stdin.write(msgspec.json.encode(question) + b"\n")
                await self._process.stdin.drain()
                line = await self._process.stdout.readline()
                if line.endswith(b"\n"):
                    return msgspec.json.decode(line, type=IndexPictures)
            self._process = None
            return IndexPictures(
                sentence="The process that draws this chart ended; see the terminal of the server for the reason."
            )


_drawing = _Drawing()


class IndexCounting:
    """Counts and pictures of one run; get it from :func:`index_counting`."""

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._counter: Process | None = None
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
            question = Question(folder=str(self._live.folder.path), space_group=space_group)
            known = self._pictures[space_group] = (version, await _drawing.ask(question))
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
        return self._counter is not None or self._is_behind

    @property
    def _is_behind(self) -> bool:
        return self._counted_of != self._live.table.n_rows and self._live.summary().n_integrated > 0

    async def _count(self) -> None:
        """Keep a counter going while the chart is wanted and there is more to count."""
        while time.monotonic() - self._last_wanted < _IDLE_S:
            if self._is_behind:
                await self._run_counter()
            await asyncio.sleep(0.5)

    async def _run_counter(self) -> None:
        n_rows = self._live.table.n_rows
        self._counter = process = await asyncio.create_subprocess_exec(
            *python(), "-m", "iota.engine.merging.miller_counts", str(self._live.folder.path),
            stdin=PIPE, stdout=DEVNULL, stderr=PIPE,
        )  # fmt: skip
        told = asyncio.create_task(process.stderr.read() if process.stderr else _nothing())
        ended = asyncio.create_task(process.wait())
        while not ended.done():
            if time.monotonic() - self._last_wanted > _IDLE_S and process.stdin is not None:
                process.stdin.close()  # which ends it
            await asyncio.wait([ended], timeout=1.0)
        lines = (await told).decode(errors="replace").strip().splitlines()
        if process.returncode:
            self._problem = lines[-1] if lines else "Reflections could not be counted."
        self._counted_of = n_rows if process.returncode == 0 else self._live.table.n_rows
        self._counter = None


async def _nothing() -> bytes:
    return b""


def index_counting(live: LiveRun) -> IndexCounting:
    """The index charts of a run that is followed."""
    return live.part(IndexCounting)
