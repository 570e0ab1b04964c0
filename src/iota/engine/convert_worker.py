"""What a process runs that saves images as pickles; like :mod:`iota.engine.worker`, imported without DIALS."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from iota.records import FrameRef

SquareMode = Literal["no_modification", "pad", "crop"]


class Conversion(msgspec.Struct, frozen=True):
    """What is the same for all images of a conversion."""

    target: str  # parameters of the backend; those of geometry and masks count
    links: str  # folder for links to images whose names DIALS cannot take
    square_mode: SquareMode = "no_modification"
    flip_beamXY: bool = False


class ConvertTask(msgspec.Struct, frozen=True):
    """One image to save."""

    frame: FrameRef
    path: str


_conversion: Conversion | None = None


def start(conversion: Conversion) -> None:
    """Make this process a worker of a conversion."""
    global _conversion
    _conversion = conversion


def run(task: ConvertTask) -> str:
    """Save one image; returns why it could not be."""
    if _conversion is None:
        raise RuntimeError("start() has not been called in this process")
    from iota.engine.convert import convert

    return convert(_conversion, task.frame, Path(task.path))
