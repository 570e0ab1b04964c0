"""What can be asked of images: names, types and meanings of the queries of ``/api/image/...``.

A request sees only what is declared for its route here, so nothing has an effect that the reference does not name.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from iota.web.image.preview_phil import NAMES


class Parameter(NamedTuple):
    """One parameter of a query; all can be left out as far as the address is concerned."""

    name: str
    type: Literal["string", "integer", "number"]
    meaning: str

    @property
    def openapi(self) -> dict[str, Any]:
        """The parameter in the words of OpenAPI."""
        return {"name": self.name, "in": "query", "description": self.meaning, "schema": {"type": self.type}}


PLACE = (
    Parameter("run", "string", "Id of the run that the image is of, with its row."),
    Parameter("row", "integer", "Row of the frame in the ledger of the run, from 0."),
    Parameter("path", "string", "Absolute path of the image, without run and row."),
    Parameter("index", "integer", "Number of the image in a multi-image file, from 0."),
)
SET = (
    Parameter("rows", "string", "Rows of the run to go through, e.g. 3,8-12; all by default."),
    Parameter("sources", "string", "Files, folders, wildcards and lists to go through, one per line."),
    Parameter("some", "string", "Which of their images, e.g. first 10 or 5-20, counted from 1; all by default."),
)
_VERSION = Parameter(
    "v", "string", "Version of the file as returned by open; responses with it can be cached for a day."
)
TILES = (Parameter("tiles", "string", "Up to 400 tiles as panel.level.x.y, separated by commas."), _VERSION)
THUMBNAIL = (Parameter("size", "integer", "Longer side in pixels, 96 by default."), _VERSION)
REGION = (
    Parameter("panel", "integer", "Number of the panel, from 0."),
    Parameter("fast", "integer", "Central pixel along the fast axis, from 0."),
    Parameter("slow", "integer", "Central pixel along the slow axis, from 0."),
)
SETTINGS = tuple(
    Parameter(name, "integer" if kind is int else "number", f"Value of {phil} to try.")
    for name, (phil, kind) in NAMES.items()
)
SPOTS = (*SETTINGS, Parameter("again", "string", "Any value: find spots again although the run has kept them."))
STRONG = (*SETTINGS, _VERSION)
SHADOW = (Parameter("threshold", "number", "Mean counts below which a pixel is in the shadow."),)
SAVE_MASK = (
    Parameter("name", "string", "Name of the new file: letters, digits, dots and dashes."),
    Parameter("replace", "string", "Any value: replace a file of this name."),
)
LOAD_MASK = (
    Parameter("file", "string", "Path of a DIALS mask, or of PHIL of dials.generate_mask (.phil, .param, .txt)."),
)
