"""Reads images saved as pickles without executing anything in them, unlike dxtbx."""

from __future__ import annotations

import pickle
from pathlib import Path

from dxtbx.format.Format import Format

from iota.causes import Cause, why
from iota.engine.backend.literal_pickles import NotAdmittedError, load, read_literally
from iota.engine.images.reading import ImportFailedError

_PICKLES = (b"\x80", b"(d", b"}q")
_COMPRESSED = (b"\x1f\x8b", b"BZ")

read_literally(
    "dxtbx.format.FormatPY",
    "dxtbx.format.FormatPYmultitile",
    "dxtbx.format.FormatPYunspecified",
    "dxtbx.format.FormatPYunspecifiedStill",
    "iotbx.detectors.npy",  # reads the file of FormatPYunspecified once more
    "libtbx.easy_pickle",  # and that of FormatPYmultitile; also what a locator of FormatXTC names
)


def check_pickle(path: Path, start: bytes) -> None:
    """Check that an image, if it is a pickle, compressed or not, contains only numbers.

    Args:
        path: of the image.
        start: its first two bytes.

    Raises:
        ImportFailedError: it holds something else.
        OSError: it cannot be read.
    """
    if not start.startswith(_PICKLES + _COMPRESSED):
        return
    with Format.open_file(str(path), "rb") as file:
        if not file.read(2).startswith(_PICKLES):
            return
        file.seek(0)
        try:
            load(file)
        except NotAdmittedError as error:
            raise ImportFailedError(why(Cause.PICKLE_NOT_OPENED, content=str(error))) from error
        except pickle.UnpicklingError as error:
            raise ImportFailedError(why(Cause.PICKLE_DAMAGED)) from error
