"""Routes of the API for images: geometry, pixels, and sets of images to go through."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from iota.errors import UsageError
from iota.image_answers import Region
from iota.records import OUTCOME_WORDS
from iota.web.api.descriptions import answers, bytes_answers
from iota.web.api.image_models import OpenedImage, Said
from iota.web.api.image_requests import ERRORS, LARGEST, Images, Version, Whole, blank_is, image_bytes, image_json
from iota.web.image.frames import ImageSet, Shown, found_set, rows_set
from iota.web.image.tile_cache import Tile, TileCache
from iota.web.image.viewer import open_viewer
from iota.web.live.runs import live_runs
from iota.web.searches.searching import while_connected

_MAX_TILES = 400
_TILE = re.compile(r"(\d{1,4})\.(\d{1,2})\.(\d{1,4})\.(\d{1,4})", re.ASCII)
_Tiles = Annotated[str, Query(description=f"Up to {_MAX_TILES} tiles as panel.level.x.y, separated by commas.")]
_Size = Annotated[int, blank_is(96), Query(ge=1, le=LARGEST, description="Longer side in pixels, 16 to 512.")]
_Panel = Annotated[Whole, blank_is(0), Query(description="Number of the panel, from 0.")]
_Fast = Annotated[Whole, blank_is(0), Query(description="Central pixel along the fast axis, from 0.")]
_Slow = Annotated[Whole, blank_is(0), Query(description="Central pixel along the slow axis, from 0.")]
_Rows = Annotated[str, Query(description="Rows of the run to browse, e.g. 3,8-12; all by default.")]
_Sources = Annotated[str, Query(description="Files, folders, wildcards and lists to browse, one per line.")]
_Some = Annotated[
    str, Query(description="Which of their images, e.g. first 10 or 5-20, counted from 1; all by default.")
]


def add_images(api: APIRouter, images: Images) -> None:
    """Add the routes."""
    named = Depends(images.named)

    @api.get("/open", responses=answers(OpenedImage, errors=ERRORS))
    async def open_image(image: Shown = named) -> Response:
        """Geometry of an image, and its record in the run."""
        return image_json(await images.work(_opened, images, image))

    @api.post("/set", responses=answers(ImageSet, errors=(400, 404, 422, 503)))
    async def image_set(
        request: Request,
        run: Annotated[str, Query(description="Id of a run whose frames are to be browsed.", max_length=40)] = "",
        rows: _Rows = "",
        path: Annotated[str, Query(description="Path of a file whose images are to be browsed.", max_length=4096)] = "",
        index: Annotated[
            Whole | None,
            blank_is(None),
            Query(description="Only this image of the file, from 0."),
        ] = None,
        sources: _Sources = "",
        some: _Some = "",
    ) -> Response:
        """Images to browse; the search for files is cancelled if the client disconnects."""
        if run:
            return image_json(await rows_set(live_runs.get(images.projects.folder(run)), run, rows))
        named_sources = [line for line in sources.split("\n") if line]
        return image_json(await while_connected(request.receive, found_set(path, index, named_sources, some)))

    @api.post("/viewer", responses=answers(Said, errors=ERRORS))
    async def viewer(image: Shown = named) -> Response:
        """Open dials.image_viewer on the display of the server."""
        return image_json(Said(await images.work(open_viewer, image)))

    _add_pixels(api, images)


def _add_pixels(api: APIRouter, images: Images) -> None:
    named, cache = Depends(images.named), TileCache()

    @api.get("/tiles", responses=bytes_answers("Length of each tile in 4 bytes, then the tile, deflated.", ERRORS))
    async def tiles(image: Shown = named, tiles: _Tiles = "", v: Version = "") -> Response:
        """Counts as tiles of 256 x 256 pixels or less, 16 bits per pixel, 65535 where masked, deflated.

        Each tile is preceded by its length, in 4 bytes.  At level n a pixel is the maximum of 2^n x 2^n pixels.  A tile
        outside of the panel has length 0.
        """
        return image_bytes(await images.work(_tiles, images, image, _wanted(tiles), cache), v)

    @api.get("/thumbnail", responses=bytes_answers("Width and height in 2 bytes each, then the pixels.", ERRORS))
    async def thumbnail(image: Shown = named, size: _Size = 96, v: Version = "") -> Response:
        """A small picture: width and height in 2 bytes each, then 8 bits per pixel, deflated; 0 is masked."""
        found, body = await images.work(images.ask, image, "thumbnail", size=size)
        answer = image_bytes(struct.pack("<HH", found["width"], found["height"]) + body, v)
        answer.headers["X-Title"] = quote(_title(image))
        return answer

    @api.get("/region", responses=answers(Region, errors=ERRORS))
    async def region(image: Shown = named, panel: _Panel = 0, fast: _Fast = 0, slow: _Slow = 0) -> Response:
        """Counts of 17 x 17 pixels, and the resolution of the central one."""
        found, _ = await images.work(images.ask, image, "region", panel=panel, fast=fast, slow=slow)
        return image_json(found)


def _opened(images: Images, image: Shown) -> dict[str, Any]:
    """As :class:`iota.web.api.image_models.OpenedImage`."""
    result, _ = images.ask(image, "open")
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
    return {**result, **names, "title": _title(image), "record": said, "run_mask": _run_mask(image)}


def _tiles(images: Images, image: Shown, wanted: list[Tile], cache: TileCache) -> bytes:
    about = (image.frame.path, image.frame.index, image.version)
    found = {tile: cache.get((*about, *tile)) for tile in wanted}
    missing = [tile for tile, data in found.items() if data is None]
    if missing:
        _, body = images.ask(image, "tiles", tiles=missing)
        for tile, data in zip(missing, _parts(body), strict=True):
            found[tile] = data
            cache.put((*about, *tile), data)
    parts = [found[tile] or b"" for tile in wanted]
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def _wanted(text: str) -> list[Tile]:
    names = [name for name in text.split(",") if name]
    if len(names) > _MAX_TILES:
        raise UsageError(f"{len(names):,} tiles are too many; request at most {_MAX_TILES} at a time.")
    wanted = []
    for name in names:
        match = _TILE.fullmatch(name)
        if match is None:
            raise UsageError(f"{name[:20]} is not a tile; write panel.level.x.y.")
        panel, level, x, y = map(int, match.groups())
        wanted.append((panel, level, x, y))
    return wanted


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
