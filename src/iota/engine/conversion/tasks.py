"""Tasks and reports of conversion, exchanged between processes; does not import DIALS."""

from __future__ import annotations

from typing import Literal

import msgspec

from iota.records import FrameRef

SquareMode = Literal["no_modification", "pad", "crop"]


class Conversion(msgspec.Struct, frozen=True):
    """Settings shared by all images of a conversion."""

    target: str  # parameters of the backend; those of geometry and masks count
    links: str  # folder for links to images whose names DIALS cannot take
    square_mode: SquareMode = "no_modification"
    flip_beamXY: bool = False


class ConvertTask(msgspec.Struct, frozen=True):
    """One image to save."""

    frame: FrameRef
    path: str
