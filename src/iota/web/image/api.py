"""What the image page and programs ask of images: ``/api/image/...``.

Every image is named in the query, by ``run`` and ``row`` or by ``path`` and ``index`` (from 0).
"""

from __future__ import annotations

import asyncio
import re
import struct
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive

from iota.analysis.table.table import RunTable
from iota.errors import IotaError, UsageError
from iota.records import OUTCOME_WORDS
from iota.web.image import queries
from iota.web.image.frames import Place, Shown, found_set, rows_set, shown
from iota.web.image.mask_phil import MaskDrawing, phil_of
from iota.web.image.pixel_server import PixelServer
from iota.web.image.preview_phil import assignments
from iota.web.image.queries import Parameter
from iota.web.image.viewer import open_viewer
from iota.web.live.runs import live_runs
from iota.web.projects.projects import Projects
from iota.web.searches.searching import ClientGoneError, while_connected

_KEPT_BYTES = 64_000_000  # of tiles, deflated: what several people look at is made once
_MASK_NAME = re.compile(r"[\w][\w.+-]{0,80}")
_KEEP = "private, max-age=86400"  # for addresses with the version of the file, which change with it
_ASK_AGAIN = "private, no-cache"


_Answer = Callable[["_Asked"], Awaitable[Response]]


class ImageApi:
    """Routes of one server."""

    def __init__(self, projects: Projects, pixels: PixelServer) -> None:
        self._projects = projects
        self._pixels = pixels
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="image")
        self._kept = _Kept()
        self.router = APIRouter(prefix="/api/image", tags=["image"])
        for path, method, answer, parameters in (
            ("open", "GET", self._open, ()),
            ("tiles", "GET", self._tiles, queries.TILES),
            ("thumbnail", "GET", self._thumbnail, queries.THUMBNAIL),
            ("region", "GET", self._region, queries.REGION),
            ("marks", "GET", self._marks, ()),
            ("spots", "GET", self._spots, queries.SPOTS),
            ("strong", "GET", self._strong, queries.STRONG),
            ("bad-pixels", "GET", self._bad_pixels, ()),
            ("shadow", "GET", self._shadow, queries.SHADOW),
            ("mask", "POST", self._mask, ()),
            ("mask/save", "POST", self._save_mask, queries.SAVE_MASK),
            ("mask/load", "GET", self._load_mask, queries.LOAD_MASK),
            ("viewer", "POST", self._viewer, ()),
        ):
            self._add(path, method, answer, self._in_thread(answer), parameters)
        self._add("set", "POST", self._set, self._set, queries.SET)

    def _add(
        self, path: str, method: str, about: Callable[..., Any], answer: _Answer, parameters: Sequence[Parameter]
    ) -> None:
        declared = (*queries.PLACE, *parameters)
        self.router.add_api_route(
            f"/{path}",
            _route(answer, frozenset(parameter.name for parameter in declared)),
            methods=[method],
            name=f"image_{path}",
            summary=about.__doc__,
            openapi_extra={"parameters": [parameter.openapi for parameter in declared]},
        )

    def _in_thread(self, answer: Callable[[_Asked], Response]) -> _Answer:
        async def answer_in_thread(asked: _Asked) -> Response:
            if asked.query.get("run"):
                live = live_runs.get(self._projects.folder(asked.query["run"]))
                await live.reach((asked.place.row or 0) + 1)
                asked.table = live.table
            return await asyncio.get_running_loop().run_in_executor(self._threads, answer, asked)

        return answer_in_thread

    def _shown(self, asked: _Asked) -> Shown:
        return shown(self._projects, asked.place, asked.table)

    def _ask(self, image: Shown, do: str, **given: Any) -> tuple[Any, bytes]:
        about = (image.frame.path, image.frame.index, image.folder)
        return self._pixels.ask(do, about=about, source=image.source, **given)

    # -- the image

    def _open(self, asked: _Asked) -> Response:
        """Geometry of an image, and what its run says of it."""
        image = self._shown(asked)
        result, _ = self._ask(image, "open")
        mask = _run_mask(image)
        record = image.record
        said = None
        if record is not None:
            said = {
                "name": record.name,
                "outcome": record.outcome,
                "words": OUTCOME_WORDS[record.outcome],
                "reason": record.reason,
                "n_spots": record.n_spots,
                "files": sorted(what for what in record.files if image.file(what)),
            }
        names = {"path": image.frame.path, "index": image.frame.index, "version": image.version}
        return _json({**result, **names, "title": _title(image), "record": said, "run_mask": mask})

    async def _set(self, asked: _Asked) -> Response:
        """Images to go through with one; paths are searched as long as the client waits for the answer."""
        if asked.place.run:
            rows = asked.query.get("rows", "")
            return _json(await asyncio.to_thread(rows_set, self._projects, asked.place.run, rows))
        sources = [line for line in asked.query.get("sources", "").split("\n") if line]
        search = found_set(asked.place, sources, asked.query.get("some", ""))
        return _json(await while_connected(asked.receive, search))

    def _tiles(self, asked: _Asked) -> Response:
        """Counts as tiles: for each its length in 4 bytes, then that many, deflated; 16 bits a pixel, 65535 masked."""
        image = self._shown(asked)
        wanted = [_tile(text) for text in asked.query.get("tiles", "").split(",") if text][:400]
        about = (image.frame.path, image.frame.index, image.version)
        found = {tile: self._kept.get((*about, *tile)) for tile in wanted}
        missing = [tile for tile, data in found.items() if data is None]
        if missing:
            _, body = self._ask(image, "tiles", tiles=missing)
            for tile, data in zip(missing, _parts(body), strict=True):
                found[tile] = data
                self._kept.put((*about, *tile), data)
        parts = [found[tile] or b"" for tile in wanted]
        return _bytes(b"".join(struct.pack("<I", len(part)) + part for part in parts), asked)

    def _thumbnail(self, asked: _Asked) -> Response:
        """A small picture: width and height in 2 bytes each, then 8 bits a pixel, deflated."""
        image = self._shown(asked)
        size, body = self._ask(image, "thumbnail", size=asked.number("size", 96))
        answer = _bytes(struct.pack("<HH", size["width"], size["height"]) + body, asked)
        answer.headers["X-Title"] = quote(_title(image))
        return answer

    def _region(self, asked: _Asked) -> Response:
        """Counts of 17 x 17 pixels and the resolution in their middle."""
        where = {name: asked.number(name, 0) for name in ("panel", "fast", "slow")}
        return _json(self._ask(self._shown(asked), "region", **where)[0])

    # -- what is drawn over it

    def _marks(self, asked: _Asked) -> Response:
        """Reflections of each lattice with indices and I/sigma, from the files of the run."""
        image = self._shown(asked)
        experiments, reflections = image.file("experiments"), image.file("reflections")
        if not (experiments and reflections):
            return _json([])
        return _json(self._pixels.ask("lattices", experiments=experiments, reflections=reflections)[0])

    def _spots(self, asked: _Asked) -> Response:
        """Spots of the run, or those that other settings find; with the lattice that explains each, or -1."""
        image = self._shown(asked)
        more = assignments(asked.query)
        strong = image.file("strong")
        if strong and not more and "again" not in asked.query:
            return _json(self._pixels.ask("kept_spots", strong=strong)[0])
        return _json(self._ask(image, "spots", indexed=image.file("indexed"), more="\n".join(more))[0])

    def _strong(self, asked: _Asked) -> Response:
        """Pixels that stand out with some settings: for each panel how many, then their numbers by rows, 32 bits."""
        return _bytes(self._ask(self._shown(asked), "strong", more="\n".join(assignments(asked.query)))[1], asked)

    def _bad_pixels(self, asked: _Asked) -> Response:
        """Pixels that DIALS does not trust, apart from gaps: panel, fast, slow."""
        return _json(self._ask(self._shown(asked), "bad_pixels")[0])

    # -- masks

    def _shadow(self, asked: _Asked) -> Response:
        """The shadow of the beamstop, below a mean count, as rectangles."""
        try:
            threshold = float(asked.query.get("threshold", ""))
        except ValueError as error:
            raise UsageError("Below how many counts is it shadow? Give a number.") from error
        return _json(self._ask(self._shown(asked), "shadow", threshold=threshold)[0])

    def _mask(self, asked: _Asked) -> Response:
        """What a drawn mask hides, pixel for pixel, and its PHIL."""
        drawing = asked.drawing()
        phil = phil_of(drawing)
        result, _ = self._ask(self._shown(asked), "mask", phil=phil, base=drawing.base)
        return _json({**result, "phil": phil})

    def _save_mask(self, asked: _Asked) -> Response:
        """Write a mask into the folder ``masks`` of the project, and its PHIL beside it."""
        drawing, name = asked.drawing(), asked.query.get("name", "")
        if not _MASK_NAME.fullmatch(name):
            raise UsageError("Name the mask with letters, digits, dots and dashes.")
        path = self._projects.home / "masks" / f"{name.removesuffix('.pickle')}.pickle"
        if path.exists() and "replace" not in asked.query:
            raise UsageError(f"{path} is there already. Choose another name.")
        return _json(
            self._ask(self._shown(asked), "save_mask", phil=phil_of(drawing), base=drawing.base, path=str(path))[0]
        )

    def _load_mask(self, asked: _Asked) -> Response:
        """A mask from a file: shapes from PHIL, or what a DIALS mask hides, read without running what is in it."""
        file = asked.query.get("file", "")
        if file.endswith((".phil", ".param", ".txt")):
            drawing, _ = self._pixels.ask("mask_shapes", path=file)
            return _json({"drawing": drawing})
        return _json(self._ask(self._shown(asked), "mask_file", path=file)[0])

    # -- programs

    def _viewer(self, asked: _Asked) -> Response:
        """Open dials.image_viewer where the server has a display."""
        return _json({"message": open_viewer(self._shown(asked))})


def _route(answer: _Answer, names: frozenset[str]) -> Callable[[Request], Any]:
    async def route(request: Request) -> Response:
        query = {name: value for name, value in request.query_params.items() if name in names}
        asked = _Asked(query, await request.body() if request.method == "POST" else b"", request.receive)
        try:
            return await answer(asked)
        except IotaError as error:
            return _wrong(str(error))
        except ClientGoneError:
            return Response(status_code=499)  # which nobody reads

    return route


class _Kept:
    """Deflated tiles that were asked for last, up to a number of bytes; several threads use it."""

    def __init__(self) -> None:
        self._tiles: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...]) -> bytes | None:
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
            return self._tiles.get(key)

    def put(self, key: tuple[Any, ...], data: bytes) -> None:
        with self._lock:
            self._n_bytes += len(data) - len(self._tiles.get(key, b""))
            self._tiles[key] = data
            while self._n_bytes > _KEPT_BYTES:
                self._n_bytes -= len(self._tiles.popitem(last=False)[1])


class _Asked:
    """One request."""

    def __init__(self, query: dict[str, str], body: bytes, receive: Receive) -> None:
        self.query = query
        self.body = body
        self.receive = receive  # more of the request: that the client has left
        self.table: RunTable | None = None  # of the run

    @property
    def place(self) -> Place:
        """Which image is meant."""
        run, row, index = (self.query.get(name, "") for name in ("run", "row", "index"))
        return Place(run, _whole(row), self.query.get("path", ""), _whole(index))

    def number(self, name: str, default: int) -> int:
        """A whole number of the query."""
        found = _whole(self.query.get(name, ""))
        return default if found is None else found

    def drawing(self) -> MaskDrawing:
        """What the mask tool sent."""
        try:
            return msgspec.json.decode(self.body, type=MaskDrawing)
        except msgspec.DecodeError as error:  # ours come wrapped in one
            cause = error.__cause__
            raise UsageError(str(cause) if isinstance(cause, IotaError) else f"This is no mask: {error}.") from error


def _whole(text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"-?\d{1,9}", text):
        raise UsageError(f"{text[:20]} is not an integer.")
    return int(text)


def _tile(text: str) -> tuple[int, int, int, int]:
    match = re.fullmatch(r"(\d{1,4})\.(\d{1,2})\.(\d{1,4})\.(\d{1,4})", text)
    if match is None:
        raise UsageError(f"{text[:20]} is no tile; write panel.level.x.y.")
    panel, level, x, y = map(int, match.groups())
    return panel, level, x, y


def _parts(body: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(body):
        (n,) = struct.unpack_from("<I", body, at)
        parts.append(body[at + 4 : at + 4 + n])
        at += 4 + n
    return parts


def _title(image: Shown) -> str:
    name = Path(image.frame.path).name
    return name if image.frame.index is None else f"{name} #{image.frame.index + 1}"


def _run_mask(image: Shown) -> str:
    """The mask that the run of an image used, where it had one."""
    mask = Path(image.folder) / "mask.pickle"
    return str(mask) if image.folder and mask.is_file() else ""


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"Cache-Control": _ASK_AGAIN})


def _bytes(value: bytes, asked: _Asked) -> Response:
    caching = _KEEP if "v" in asked.query else _ASK_AGAIN
    return Response(value, media_type="application/octet-stream", headers={"Cache-Control": caching})


def _wrong(sentence: str) -> Response:
    error = {"error": {"kind": "image", "message": sentence, "next": ""}}
    return Response(msgspec.json.encode(error), 400, media_type="application/json")
