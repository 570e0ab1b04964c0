"""How many file searches run at once, and what happens when a client leaves before the answer.

A wildcard over a whole file system must cost neither the memory of the server nor its answers to others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from iota.processes.question_queue import QuestionQueue

T = TypeVar("T")

image_searches = QuestionQueue(at_once=2)
folder_searches = QuestionQueue(at_once=4)


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
