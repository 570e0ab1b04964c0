"""Structure of HDF5 and NeXus masters: entries, data groups, links."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from iota.causes import Cause, Why, why
from iota.hdf5 import h5py

# No lock: it would stop either the detector or us. HDF5 opens a file only in the way in which this process has it open.
_WAYS: tuple[dict[str, bool], ...] = ({"locking": False}, {"locking": False, "swmr": True}, {}, {"swmr": True})
_NOT_THIS_WAY = ("already open for write", "locking flag values", "SWMR read access flag")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
UNREADABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError)  # all of these come out of damaged files
_DATA_KEY = re.compile(r"^data_[0-9]+$")


def open_hdf5(path: str) -> h5py.File:
    """Open a file for reading, also while a detector writes to it. Raises OSError."""
    for options in _WAYS:
        try:
            return h5py.File(path, "r", **options)
        except OSError as error:
            if options is _WAYS[-1] or not any(words in str(error) for words in _NOT_THIS_WAY):
                raise
    raise AssertionError


def linked_file(master: str, name: str) -> str:
    """Path of a file that another one names in a link or behind a virtual dataset, there or not, as HDF5 finds it.

    That is beside the file, and beside the one to which a symbolic link leads; an absolute path that is not there any
    more, as after a copy, by its last part.
    """
    folders = [os.path.dirname(master), os.path.dirname(os.path.realpath(master))]
    names = [name, os.path.basename(name)] if os.path.isabs(name) else [name]
    places = [os.path.join(folder, one) for one in names for folder in folders]
    return next((place for place in places if os.path.exists(place)), places[0])


NotOpened = Literal[
    "",
    "is missing",
    "is not a file",
    "is empty",
    "is not HDF5, or damaged at its beginning",
    "may not be read; check its permissions",
    "is damaged or cut short: HDF5 cannot open it",
]
_OWN_FILE: dict[NotOpened, Cause] = {
    "is missing": Cause.NO_FILE,
    "is not a file": Cause.NOT_A_FILE,
    "is empty": Cause.FILE_EMPTY,
    "is not HDF5, or damaged at its beginning": Cause.NOT_HDF5_OR_DAMAGED,
    "may not be read; check its permissions": Cause.NO_PERMISSION,
    "is damaged or cut short: HDF5 cannot open it": Cause.HDF5_DAMAGED,
}
_DATA_FILE: dict[NotOpened, Cause] = {
    "is missing": Cause.NO_DATA_FILE,
    "is not a file": Cause.DATA_FILE_NOT_A_FILE,
    "is empty": Cause.DATA_FILE_EMPTY,
    "is not HDF5, or damaged at its beginning": Cause.DATA_FILE_NOT_HDF5,
    "may not be read; check its permissions": Cause.DATA_FILE_NO_PERMISSION,
    "is damaged or cut short: HDF5 cannot open it": Cause.DATA_FILE_DAMAGED,
}


def why_not_opened(path: str) -> NotOpened:
    """Why a file cannot be opened as HDF5, to follow its name; empty if it can be opened."""
    try:
        if not Path(path).exists():
            return "is missing"
        if not Path(path).is_file():
            return "is not a file"
        if not Path(path).stat().st_size:
            return "is empty"
        if not h5py.is_hdf5(path) and not is_hdf5(path):
            return "is not HDF5, or damaged at its beginning"
        with open_hdf5(path):
            return ""
    except PermissionError:
        return "may not be read; check its permissions"
    except UNREADABLE:
        return "is damaged or cut short: HDF5 cannot open it"


def why_own_file(path: str) -> Why | None:
    """Why a file cannot be opened as HDF5; None if it can."""
    problem = why_not_opened(path)
    return why(_OWN_FILE[problem]) if problem else None


def why_data_file(path: str, name: str) -> Why | None:
    """Why a data file, which has this name in its master, cannot be opened; None if it can be."""
    problem = why_not_opened(path)
    return why(_DATA_FILE[problem], file=name) if problem else None


def is_hdf5(path: str) -> bool:
    """Whether a file begins with the HDF5 signature; a user block before it is not skipped."""
    with Path(path).open("rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


def groups_of_class(parent: h5py.Group, nx_class: str, *within: str) -> Iterator[h5py.Group]:
    """Yield the groups of a NeXus class in a group; with further classes, those of the last within the others."""
    for group in _groups(parent):
        if class_of(group) == nx_class:
            yield from groups_of_class(group, *within) if within else (group,)


def _groups(parent: h5py.Group) -> Iterator[h5py.Group]:
    for name in parent:
        child = parent.get(name)  # None where a link leads nowhere
        if isinstance(child, h5py.Group):
            yield child


def class_of(group: h5py.Group) -> str:
    """Return the NeXus class of a group; empty if it has none."""
    return text_of(group.attrs.get("NX_class"))


def text_of(value: Any) -> str:
    """An attribute as text, also where a writer put it into an array; empty for none."""
    if isinstance(value, np.ndarray):
        value = value.flat[0] if value.size else ""
    if isinstance(value, h5py.Empty):
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def data_groups(file: h5py.File) -> Iterator[h5py.Group]:
    """Yield the groups that may hold images, likeliest first: NXdata, detectors, then entry and file themselves."""
    entries = [file, *_groups(file)]
    data = [g for e in entries for g in _groups(e) if class_of(g) == "NXdata" or g.name.endswith("/data")]
    yield from sorted(data, key=lambda group: not group.name.endswith("/data"))
    instruments = [g for e in entries for g in _groups(e) if class_of(g) == "NXinstrument"]
    yield from (g for i in instruments for g in _groups(i) if class_of(g) == "NXdetector")
    yield from reversed(entries)


def image_keys(group: h5py.Group) -> list[str]:
    """Return the names of the datasets of images: the group's signal or ``data``, else ``data_000001`` and so on."""
    signal = text_of(group.attrs.get("signal")) or "data"
    whole = [name for name in (signal, "data") if name in group]  # true also of a link to a missing file
    return whole[:1] or sorted((key for key in group if _DATA_KEY.match(key)), key=lambda key: (int(key[5:]), key))


def describes_experiment(file: h5py.File) -> bool:
    """Whether a file describes the experiment, in addition to containing pixels."""
    return any(
        class_of(group) in {"NXinstrument", "NXbeam", "NXsample"} or group.name.rsplit("/", 1)[-1] != "data"
        for entry in _groups(file)
        for group in _groups(entry)
    )


def promised_images(file: h5py.File) -> int:
    """Return how many images were requested from the detector; 0 if this is not known."""
    numbers = []
    for name in ("nimages", "ntrigger"):
        value = file.get(f"entry/instrument/detector/detectorSpecific/{name}")
        if isinstance(value, h5py.Dataset) and value.size == 1:
            numbers.append(int(np.ravel(value[()])[0]))
    return math.prod(numbers) if numbers else 0
