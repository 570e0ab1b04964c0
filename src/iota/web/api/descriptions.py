"""What OpenAPI is told of the answers of routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from iota.image_answers import LatticeMarks, MaskedPixels, Region, SavedMask, Spots
from iota.web.api.errors import ErrorAnswer
from iota.web.api.fields import described
from iota.web.api.image_models import DrawnMask, LoadedShapes, OpenedImage, Said
from iota.web.api.models import ColumnList, FramePage, FrameRow, Ordered, RunDetail, RunList, Versions
from iota.web.image.frames import ImageSet
from iota.web.image.mask_phil import MaskDrawing
from iota.web.live.log_reader import LogLines, LogText

ANSWERS = (
    RunList,
    RunDetail,
    FramePage,
    FrameRow,
    LogText,
    LogLines,
    ColumnList,
    Versions,
    Ordered,
    ErrorAnswer,
    OpenedImage,
    Said,
    ImageSet,
    Region,
    LatticeMarks,
    Spots,
    MaskDrawing,
    DrawnMask,
    SavedMask,
    MaskedPixels,
    LoadedShapes,
)
_ERRORS = {
    400: "A value is invalid, or a file cannot be used.",
    404: "The requested item does not exist.",
    409: "The request conflicts with existing files, or files of the run cannot be read.",
    422: "A parameter is missing, or has a value of the wrong type.",
    500: "DIALS crashed or could not process the request, or the server failed.",
    503: "Not available yet, or the server is busy; repeat the request.",
    504: "Reading the image took too long.",
}


def components() -> dict[str, Any]:
    """JSON Schemas of all that is answered, by name."""
    _, found = msgspec.json.schema_components(ANSWERS, ref_template="#/components/schemas/{name}")
    return described(found, ANSWERS)


def reference(kind: type) -> dict[str, Any]:
    """What OpenAPI is told instead of a schema that is described in :func:`components`."""
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def answers(kind: type, status: int = 200, errors: Sequence[int] = (404, 422)) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI is told of the answers of a route, in JSON."""
    return _json(status, _words(kind), reference(kind), errors)


def list_answers(kind: Any, words: str, errors: Sequence[int]) -> dict[int | str, dict[str, Any]]:
    """Those of a route that answers a list: of a described type, or of tuples of numbers."""
    is_described = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    items = reference(kind) if is_described else msgspec.json.schema(kind)
    return _json(200, words, {"type": "array", "items": items}, errors)


def either_answer(one: type, other: type, errors: Sequence[int]) -> dict[int | str, dict[str, Any]]:
    """Those of a route that answers one of two types."""
    return _json(200, f"{_words(one)} Or: {_words(other)}", {"anyOf": [reference(one), reference(other)]}, errors)


def bytes_answers(words: str, errors: Sequence[int]) -> dict[int | str, dict[str, Any]]:
    """Those of a route that answers bytes, little-endian."""
    content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": words, "content": content}, **error_answers(errors)}


def error_answers(errors: Sequence[int]) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI is told of errors; FastAPI would describe its own shape for 422."""
    return {
        error: _answer(_ERRORS[error], reference(ErrorAnswer)) for error in sorted({*errors, 422} if errors else ())
    }


def _json(status: int, words: str, schema: dict[str, Any], errors: Sequence[int]) -> dict[int | str, dict[str, Any]]:
    return {status: _answer(words, schema), **error_answers(errors)}


def _answer(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _words(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())
