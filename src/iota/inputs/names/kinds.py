"""Recognises the kind of a file by its name or its first bytes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

IMAGE_SUFFIXES = ("cbf", "img", "corr", "mccd", "marccd", "mar", "sfrm", "smv", "pickle")
HDF5_SUFFIXES = ("h5", "nxs", "nexus", "hdf5", "cxi")
LIST_SUFFIXES = ("lst", "list")

# A suffix of digits alone is an image (xtal.0001), but not that of a log that was set aside (iota.log.1).
_IMAGE_NAME = re.compile(
    rf"\.(?:{'|'.join(IMAGE_SUFFIXES + HDF5_SUFFIXES)}|mar[0-9]+|(?<!\.log\.)(?<!\.txt\.)(?<!\.out\.)[0-9]+)"
    r"(?:\.(?:gz|bz2))?$",
    re.IGNORECASE,
)
_HDF5_NAME = re.compile(rf"\.(?:{'|'.join(HDF5_SUFFIXES)})$", re.IGNORECASE)
_LIST_NAME = re.compile(rf"\.(?:{'|'.join(LIST_SUFFIXES)})$", re.IGNORECASE)
_DATA_NAME = re.compile(r"^(?P<stem>.+)_data_[0-9]+\.(?:h5|hdf5)$", re.IGNORECASE)
_NO_IMAGE_PICKLE = re.compile(r"^int_|mask", re.IGNORECASE)
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SNIFFED_BYTES = 65536  # beyond every text header of an image, so that binary pixels are seen

Content = Literal["hdf5", "text", "binary", "empty"]

LOOKED_FOR = (
    "files ending in ."
    + ", .".join(IMAGE_SUFFIXES + HDF5_SUFFIXES)
    + " or in digits, optionally compressed (.gz or .bz2)"
)


def is_image_name(name: str) -> bool:
    """Whether a file of this name is assumed to be an image without opening it."""
    return _IMAGE_NAME.search(name) is not None


def is_found_in_folder(name: str) -> bool:
    """Whether a file found in a folder is an image by its name; hidden files and other pickles are excluded.

    Integration pickles (``int_*.pickle``) and masks lie beside images, and copying programs leave hidden halves
    (``._x.cbf``, ``.x.cbf.Ab3``). Given by name such a file is taken all the same.
    """
    if name.startswith(".") or _IMAGE_NAME.search(name) is None:
        return False
    return not (".pickle" in name.lower() and _NO_IMAGE_PICKLE.search(name))


def is_hdf5_name(name: str) -> bool:
    """Whether the name is that of an HDF5 or NeXus file, which can contain many images."""
    return _HDF5_NAME.search(name) is not None


def is_list_name(name: str) -> bool:
    """Whether the file is a list of paths, judged by its name."""
    return _LIST_NAME.search(name) is not None


def data_file_stem(name: str) -> str | None:
    """Return ``x`` for ``x_data_000001.h5``, as detectors name the files a master points to; None for other names."""
    match = _DATA_NAME.match(name)
    return match["stem"] if match else None


def content_of(path: str) -> Content:
    """The kind of a file, judged by its first bytes. Raises OSError if it cannot be read."""
    with Path(path).open("rb") as file:
        head = file.read(_SNIFFED_BYTES)
    if not head:
        return "empty"
    if head.startswith(_HDF5_SIGNATURE):
        return "hdf5"
    if b"\0" in head:
        return "binary"
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        cut_in_a_letter = len(head) == _SNIFFED_BYTES and error.start > len(head) - 4
        return "text" if cut_in_a_letter else "binary"
    return "text"
