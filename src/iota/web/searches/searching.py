"""Searches through files of the server's machine that a page or a program starts: processes of their own, with limits.

A wildcard over a whole file system must cost neither the memory of the server nor its answers to others.  A search is
killed when nobody waits for it any more: cancel the task that waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import msgspec
from starlette.types import Receive

from iota.errors import UsageError
from iota.installation import python
from iota.questions import Line

_ANSWER_BYTES = 32 * 1024 * 1024
_BURIED_WITHIN_S = 2.0  # a process that hangs in a file system which does not answer cannot be ended by anybody

T = TypeVar("T")


class SearchError(UsageError):
    """A search had no result; the text says which limit it reached and what to do."""


class Searches:
    """Searches of one kind: a few at once, the others wait for their turn."""

    def __init__(
        self,
        module: str,
        advice: str,
        *,
        found: str,
        limited: str,
        at_once: int,
        seconds: float,
        names: int,
        megabytes: int,
    ) -> None:
        """Start nothing yet.

        Args:
            module: that answers, see :mod:`iota.questions`.
            advice: what to do about a search that reached a limit.
            found: what is counted on the way.
            limited: of what there can be too many.
            at_once: processes at the same time.
            seconds: for one search, waiting apart.
            names: files and folders that one search may look at.
            megabytes: memory of one search.
        """
        self.seconds, self.names, self.megabytes = seconds, names, megabytes
        self._module, self._advice, self._found, self._limited = module, advice, found, limited
        self._at_once = at_once
        self._most_waiting = 10 * at_once
        self._n_at_work = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def ask(self, question: object, kind: type[T], progress: Callable[[int], None] | None = None) -> T:
        """Have a question answered.

        Args:
            question: as the module takes it.
            kind: of the answer.
            progress: is told now and then how much is found.

        Raises:
            SearchError: a limit was reached, or too many others wait already.
        """
        async with self._turn():
            return await self._run(question, kind, progress or (lambda n: None))

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until fewer than so many are at work."""
        if self._n_at_work >= self._at_once:
            if len(self._waiting) >= self._most_waiting:
                raise SearchError(f"{len(self._waiting)} other searches wait already. Try again in a minute.")
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place  # whoever ends hands its turn on, so the number at work stays
            except asyncio.CancelledError:
                if not place.cancelled():  # its turn had just come
                    self._hand_on()
                elif place in self._waiting:
                    self._waiting.remove(place)
                raise
        else:
            self._n_at_work += 1
        try:
            yield
        finally:
            self._hand_on()

    def _hand_on(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._n_at_work -= 1

    async def _run(self, question: object, kind: type[T], progress: Callable[[int], None]) -> T:
        n_found = 0

        def tell(n: int) -> None:
            nonlocal n_found
            n_found = n
            progress(n)

        try:
            process = await asyncio.create_subprocess_exec(
                *python(), "-m", self._module, str(self.megabytes), str(self.names),
                stdin=PIPE, stdout=PIPE, limit=_ANSWER_BYTES, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip
        except OSError as error:
            raise SearchError(f"A search cannot be started: {error.strerror}. Try again in a minute.") from error
        try:
            line = await asyncio.wait_for(_answer_of(process, question, tell), self.seconds)
        except asyncio.TimeoutError:
            raise SearchError(self._ended(f"after {self.seconds:g} s", n_found)) from None
        except (ValueError, OSError) as error:  # more than fits into a line, or nothing at all
            raise SearchError(self._ended("without an answer", n_found)) from error
        finally:
            await _bury(process)
        if line.over:
            why = f"at {self.names:,} {self._limited}" if line.over == "names" else f"at {self.megabytes} MB of memory"
            raise SearchError(self._ended(why, n_found))
        if line.sentence:
            raise SearchError(line.sentence)
        return msgspec.json.decode(line.answer, type=kind)

    def _ended(self, why: str, n_found: int) -> str:
        found = f"; {n_found:,} {self._found} were found by then" if n_found else ""
        return f"The search was ended {why}{found}. {self._advice}"


async def _answer_of(process: Process, question: object, tell: Callable[[int], None]) -> Line:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(msgspec.json.encode(question) + b"\n")
    await process.stdin.drain()
    while True:
        text = await process.stdout.readline()
        if not text.endswith(b"\n"):
            raise OSError("the process ended without an answer")
        line = msgspec.json.decode(text, type=Line)
        if line.progress is None:
            return line
        tell(line.progress)


async def _bury(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), _BURIED_WITHIN_S)


class Cancelled(Exception):  # noqa: N818 - a person's wish, not an error
    """Somebody does not want to wait for a search any more."""


class LatestSearch:
    """One search at a time for one place of a page: a new one ends the one before."""

    def __init__(self, searches: Searches) -> None:
        self._searches = searches
        self._task: asyncio.Task[object] | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._task is not None

    def cancel(self) -> None:
        """End the search that is going on."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def ask(self, question: object, kind: type[T], progress: Callable[[int], None] | None = None) -> T:
        """Have a question answered, as :meth:`Searches.ask`.

        Raises:
            Cancelled: it was cancelled, or another search has begun.
            SearchError: as there.
        """
        self.cancel()
        task = asyncio.create_task(self._searches.ask(question, kind, progress))
        self._task = task
        try:
            return await task
        except asyncio.CancelledError:
            if self._task is task:  # whoever waits here is to end
                raise
            raise Cancelled from None
        finally:
            if self._task is task:
                self._task = None


class ClientGoneError(Exception):
    """The client has left and does not wait for the answer any more."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Await work for a client, and cancel it when the client leaves.

    Args:
        receive: of the request, whose body was read.
        work: what is done for it.

    Raises:
        ClientGoneError: the client left.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


image_searches = Searches(
    "iota.inputs.finding.search_job",
    "Name fewer folders or a narrower wildcard. iota.run searches without these limits.",
    found="images",
    limited="names or images",
    at_once=2,
    seconds=300,
    names=2_000_000,
    megabytes=700,
)
folder_searches = Searches(
    "iota.web.searches.folder_listing",
    "Type the path of a folder or file in it.",
    found="names",
    limited="names",
    at_once=4,
    seconds=30,
    names=5_000_000,
    megabytes=200,
)
