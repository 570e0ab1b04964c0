"""Routes of the API for masks: drawn, found, saved, loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.responses import Response

from iota.errors import ConflictError, IotaError, UsageError
from iota.image_answers import MaskedPixels, Rectangle, SavedMask
from iota.web.api.descriptions import answers, either_answer, list_answers, reference
from iota.web.api.image_models import DrawnMask, LoadedShapes
from iota.web.api.image_requests import ERRORS, Flag, Images, blank_is, image_json
from iota.web.image.frames import Shown
from iota.web.image.mask_phil import MaskDrawing, phil_of

_NAME = re.compile(r"[\w][\w.+-]{0,80}")
_PHIL = (".phil", ".param", ".txt")
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": reference(MaskDrawing)}}}
}


_SHADOW = "Rectangles: panel, then start and end along fast and slow (px); the ends are not included."

_Name = Annotated[str, Query(description="Name of the new file, required: letters, digits, dots and dashes.")]
_Replace = Annotated[Flag, Query(description="Replace an existing file: any value except false, 0, no or off.")]
_Threshold = Annotated[
    Annotated[float, Field(allow_inf_nan=False)] | None,
    blank_is(None),
    Query(description="Mean counts below which a pixel is in the shadow; required."),
]
_File = Annotated[
    str,
    Query(
        min_length=1,
        max_length=4096,
        description="Path of a DIALS mask, or of a PHIL file for dials.generate_mask (.phil, .param, .txt).",
    ),
]


def add_masks(api: APIRouter, images: Images) -> None:
    """Add the routes."""
    named, drawn = Depends(images.named), Depends(_drawing)

    @api.get("/shadow", responses=list_answers(tuple[int, Rectangle], _SHADOW, ERRORS))
    async def shadow(image: Shown = named, threshold: _Threshold = None) -> Response:
        """The shadow of the beamstop as rectangles."""
        if threshold is None:
            raise UsageError("Enter a shadow threshold in counts.")
        found, _ = await images.work(images.ask, image, "shadow", threshold=threshold)
        return image_json(found)

    @api.post("/mask", responses=answers(DrawnMask, errors=ERRORS), openapi_extra=_BODY)
    async def mask(image: Shown = named, drawing: MaskDrawing = drawn) -> Response:
        """Pixels hidden by a drawn mask, and its PHIL."""
        phil = phil_of(drawing)
        found, _ = await images.work(images.ask, image, "mask", phil=phil, base=drawing.base)
        return image_json({**found, "phil": phil})

    @api.post("/mask/save", responses=answers(SavedMask, errors=ERRORS), openapi_extra=_BODY)
    async def save_mask(
        image: Shown = named, drawing: MaskDrawing = drawn, name: _Name = "", replace: _Replace = False
    ) -> Response:
        """Write a mask and its PHIL to the folder ``masks`` of the project of this server."""
        path = _path_of(name, images.projects.home / "masks")
        return image_json(await images.work(_save, images, image, drawing, path, replace))

    @api.get("/mask/load", responses=either_answer(MaskedPixels, LoadedShapes, ERRORS))
    async def load_mask(file: _File, image: Shown = named) -> Response:
        """A mask from a file: the pixels hidden by a DIALS mask, or the shapes in PHIL of dials.generate_mask."""
        if file.endswith(_PHIL):
            return image_json(LoadedShapes(await images.work(images.ask_of_files, "mask_shapes", path=file)))
        found, _ = await images.work(images.ask, image, "mask_file", path=file)
        return image_json(found)


async def _drawing(request: Request) -> MaskDrawing:
    """The mask in the body of a request, whatever its media type: pages send it as text."""
    try:
        return msgspec.json.decode(await request.body(), type=MaskDrawing)
    except msgspec.DecodeError as error:
        if isinstance(error.__cause__, IotaError):
            raise error.__cause__ from error
        raise RequestValidationError([{"loc": ("body",), "msg": f"This is not a mask: {error}"}]) from error


def _path_of(name: str, folder: Path) -> Path:
    if not _NAME.fullmatch(name):
        raise UsageError("Name the mask using only letters, digits, dots and dashes.")
    return folder / f"{name.removesuffix('.pickle')}.pickle"


def _save(images: Images, image: Shown, drawing: MaskDrawing, path: Path, replace: bool) -> object:
    if path.exists() and not replace:
        raise ConflictError(f"{path} already exists. Choose another name.")
    return images.ask(image, "save_mask", phil=phil_of(drawing), base=drawing.base, path=str(path))[0]
