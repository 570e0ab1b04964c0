"""What routes for images share: how an image is named, how it is found, and how answers about it are cached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, ParamSpec, TypeVar

import msgspec
from fastapi import Query
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from iota.web.api.answers import finished_record
from iota.web.image.frames import Shown, at_path
from iota.web.image.pixel_server import PixelServer
from iota.web.live.runs import live_runs
from iota.web.projects.projects import Projects

LARGEST = 2**31 - 1  # that DIALS takes as an integer
ERRORS = (400, 404, 409, 422, 500, 503, 504)  # that any question about an image may be answered with
_KEEP = "private, max-age=86400"  # for addresses with the version of the file, which change with it
_ASK_AGAIN = "private, no-cache"

P = ParamSpec("P")
T = TypeVar("T")


def blank_is(default: object) -> BeforeValidator:
    """Take a parameter without a value, as in ``row=&path=...``, as if it were left out."""
    return BeforeValidator(lambda given: default if given == "" else given)


def _is_yes(given: object) -> bool:
    return str(given).strip().lower() not in ("false", "0", "no", "off")


Whole = Annotated[int, Field(ge=0, le=LARGEST)]
Flag = Annotated[bool, BeforeValidator(_is_yes)]  # of any value that is not a no, or of none
Version = Annotated[
    str, Query(description="Version of the file as returned by open; responses with it can be cached for a day.")
]
_Run = Annotated[str, Query(description="Id of the run that contains the image; needs row.", max_length=40)]
_Row = Annotated[Whole | None, blank_is(None), Query(description="Row of the frame in the ledger of the run, from 0.")]
_ImagePath = Annotated[str, Query(description="Absolute path of the image, instead of run and row.", max_length=4096)]
_Index = Annotated[Whole | None, blank_is(None), Query(description="Index of the image in a multi-image file, from 0.")]


class Images:
    """Images that are asked for, and the processes that open them."""

    def __init__(self, projects: Projects, pixels: PixelServer) -> None:
        self.projects = projects
        self._pixels = pixels
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="image")  # pages have others

    async def named(self, run: _Run = "", row: _Row = None, path: _ImagePath = "", index: _Index = None) -> Shown:
        """The image that a query names; a dependency of routes.

        Raises:
            NotFoundError: there is no such run or row.
            NotYetError: there will be such a row.
            UsageError: no image is named.
        """
        if not run:
            return at_path(path, index)
        live = live_runs.get(self.projects.folder(run))
        record = await finished_record(live, run, row or 0)
        return Shown(frame=record.frame, record=record, folder=str(live.folder.path))

    async def work(self, do: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """Have a function called in a thread: it waits for helper processes, or for a file system."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: do(*given, **named))

    def ask(self, image: Shown, do: str, **given: Any) -> tuple[Any, bytes]:
        """Ask about an image; call it in a thread.  As :meth:`iota.web.image.pixel_server.PixelServer.ask`."""
        about = (image.frame.path, image.frame.index, image.folder)
        return self._pixels.ask(do, about=about, source=image.source, **given)

    def ask_of_files(self, do: str, **files: str) -> Any:
        """Ask about files that a run kept of a frame; call it in a thread."""
        return self._pixels.ask(do, **files)[0]


def image_json(value: object) -> Response:
    """An answer in JSON, which is asked for again since files may change."""
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"Cache-Control": _ASK_AGAIN})


def image_bytes(value: bytes, version: str) -> Response:
    """An answer in bytes; one that names the version of the file may be kept."""
    caching = _KEEP if version else _ASK_AGAIN
    return Response(value, media_type="application/octet-stream", headers={"Cache-Control": caching})
