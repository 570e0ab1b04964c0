"""API routes for marks on an image: reflections, spots, strong pixels, bad pixels."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from iota.image_answers import LatticeMarks, Spots
from iota.web.api.descriptions import answers, bytes_answers, list_answers
from iota.web.api.image_requests import ERRORS, Flag, Images, Version, image_bytes, image_json
from iota.web.image.frames import Shown
from iota.web.image.preview_phil import preview_settings

_Again = Annotated[
    Flag, Query(description="Find spots again even if the run has stored them: any value except false, 0, no or off.")
]
_LATTICES = "Each lattice, in the order of its record."
_PIXELS = "Panel, fast and slow (px) of the centre of each pixel, or of a small group of adjacent pixels."
_STRONG = "For each panel the number of strong pixels, then their indices in row-major order, 4 bytes each."


def add_marks(api: APIRouter, images: Images) -> None:
    """Add the routes."""
    named, settings = Depends(images.named), Depends(preview_settings)

    @api.get("/marks", responses=list_answers(LatticeMarks, _LATTICES, ERRORS))
    async def marks(image: Shown = named) -> Response:
        """Reflections of each lattice, from the files of the run; an empty list if there are none."""
        return image_json(await images.work(_marks, images, image))

    @api.get("/spots", responses=answers(Spots, errors=ERRORS))
    async def spots(image: Shown = named, more: list[str] = settings, again: _Again = False) -> Response:
        """Spots of the run, or those found with other settings, with the lattice that explains each, or -1."""
        return image_json(await images.work(_spots, images, image, more, again))

    @api.get("/strong", responses=bytes_answers(_STRONG, ERRORS))
    async def strong(image: Shown = named, more: list[str] = settings, v: Version = "") -> Response:
        """Strong pixels: for each panel their number, then their indices in row-major order, as 32-bit integers."""
        _, body = await images.work(images.ask, image, "strong", more="\n".join(more))
        return image_bytes(body, v)

    @api.get("/bad-pixels", responses=list_answers(tuple[int, float, float], _PIXELS, ERRORS))
    async def bad_pixels(image: Shown = named) -> Response:
        """Pixels that DIALS treats as untrusted, except gaps between modules."""
        found, _ = await images.work(images.ask, image, "bad_pixels")
        return image_json(found)


def _marks(images: Images, image: Shown) -> object:
    experiments, reflections = image.file("experiments"), image.file("reflections")
    if not (experiments and reflections):
        return []
    return images.ask_of_files("lattices", experiments=experiments, reflections=reflections)


def _spots(images: Images, image: Shown, more: list[str], again: bool) -> object:
    kept = image.file("strong")
    if kept and not more and not again:
        return images.ask_of_files("kept_spots", strong=kept)
    return images.ask(image, "spots", indexed=image.file("indexed"), more="\n".join(more))[0]
