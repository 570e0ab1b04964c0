"""HDF5 and NeXus masters: how many images one holds, and in which files they lie.

Nothing is read but names, links and shapes: a few milliseconds a master.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from iota.hdf5 import h5py

_DATA_KEY = re.compile(r"^data_[0-9]+$")


class Master(msgspec.Struct, frozen=True):
    """What was found in one HDF5 file. Get it from :func:`read_master`."""

    n_images: int
    is_bare: bool  # pixels without any description of the experiment: a master's data file
    targets: frozenset[str]  # other files it points to, resolved
    missing: tuple[str, ...]  # those of them that are not there, as the master names them
    pieces: frozenset[tuple[Any, ...]]  # (file, dataset, bounds) of its pixels: equal in masters of the same data


class _Pieces:
    """Collects what the datasets of one file say."""

    def __init__(self, path: str) -> None:
        self.own = os.path.realpath(path)
        self.n_images = 0
        self.targets: set[str] = set()
        self.missing: list[str] = []
        self.pieces: set[tuple[Any, ...]] = set()

    def point_to(self, filename: str, folder: str) -> str:
        target = os.path.realpath(os.path.join(folder, filename))
        if target != self.own:
            self.targets.add(target)
        return target


def open_hdf5(path: str) -> h5py.File:
    """Open a file for reading, also while a detector writes to it. Raises OSError."""
    # No lock: it would stop either the detector or us.
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if "already open for write" not in str(error):
            raise
    return h5py.File(path, "r", locking=False, swmr=True)


def read_master(path: str) -> Master:
    """Read how many images an HDF5 file holds; 0 when it holds none. Raises OSError when it is no readable HDF5."""
    with open_hdf5(path) as file:
        found = _Pieces(path)
        tags = sum(1 for name in file if name.startswith("tag-"))  # SACLA: one group a shot
        for group in data_groups(file):
            if tags or found.n_images or found.missing:
                break
            _add_group(found, group)
        promised = _promised_images(file) if found.missing and not found.n_images else 0
        return Master(
            n_images=tags or found.n_images or promised,
            is_bare=not tags and not _describes_experiment(file),
            targets=frozenset(found.targets),
            missing=tuple(found.missing),
            pieces=frozenset(found.pieces),
        )


def _groups(parent: h5py.Group) -> Iterator[h5py.Group]:
    for name in parent:
        child = parent.get(name)  # None where a link leads nowhere
        if isinstance(child, h5py.Group):
            yield child


def _class_of(group: h5py.Group) -> str:
    value = group.attrs.get("NX_class", b"")
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def data_groups(file: h5py.File) -> Iterator[h5py.Group]:
    """Yield the groups that may hold images, likeliest first: NXdata, detectors, then entry and file themselves."""
    entries = [file, *_groups(file)]
    data = [g for e in entries for g in _groups(e) if _class_of(g) == "NXdata" or g.name.endswith("/data")]
    yield from sorted(data, key=lambda group: not group.name.endswith("/data"))
    instruments = [g for e in entries for g in _groups(e) if _class_of(g) == "NXinstrument"]
    yield from (g for i in instruments for g in _groups(i) if _class_of(g) == "NXdetector")
    yield from reversed(entries)


def _add_group(found: _Pieces, group: h5py.Group) -> None:
    for name in image_keys(group):
        _add_dataset(found, group, name)


def image_keys(group: h5py.Group) -> list[str]:
    """Return the names of the datasets of images: the group's signal or ``data``, else ``data_000001`` and so on."""
    signal = group.attrs.get("signal", "data")
    signal = signal.decode("utf-8", "replace") if isinstance(signal, bytes) else str(signal)
    whole = [name for name in (signal, "data") if name in group]  # true also of a link to a missing file
    return whole[:1] or sorted(key for key in group if _DATA_KEY.match(key))


def _add_dataset(found: _Pieces, group: h5py.Group, name: str) -> None:
    link = group.get(name, getlink=True)
    dataset = group.get(name)
    if not isinstance(link, h5py.ExternalLink):
        _count(found, dataset)
        return
    target = found.point_to(link.filename, os.path.dirname(group.file.filename))
    if not os.path.exists(target):
        found.missing.append(link.filename)
    elif dataset is not None:
        _count(found, dataset)
    else:
        # A file that is written to right now opens through a link only if the one with the link is, too.
        with contextlib.suppress(OSError), open_hdf5(target) as file:
            _count(found, file.get(link.path))


def _count(found: _Pieces, dataset: h5py.Dataset | None) -> None:
    """Count the images of a dataset and say where they lie."""
    if not isinstance(dataset, h5py.Dataset) or dataset.ndim < 2:
        return
    found.n_images += dataset.shape[0] if dataset.ndim > 2 else 1
    home = os.path.dirname(dataset.file.filename)
    if not dataset.is_virtual:
        last = tuple(n - 1 for n in dataset.shape)
        found.pieces.add((found.point_to(dataset.file.filename, ""), dataset.name, (0,) * dataset.ndim, last))
        return
    for source in dataset.virtual_sources():
        inside = source.file_name == "."
        target = found.point_to(dataset.file.filename if inside else source.file_name, "" if inside else home)
        if not os.path.exists(target) and source.file_name not in found.missing:
            found.missing.append(source.file_name)
        found.pieces.add((target, source.dset_name, *_source_bounds(source.src_space, source.vspace)))


def _source_bounds(source: h5py.h5s.SpaceID, virtual: h5py.h5s.SpaceID) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return first and last index of a virtual dataset's source; one that is taken whole has no bounds of its own."""
    if source.get_select_type() != h5py.h5s.SEL_ALL:
        first, last = source.get_select_bounds()
    else:
        start, stop = virtual.get_select_bounds()
        first, last = (0,) * len(start), tuple(b - a for a, b in zip(start, stop, strict=True))
    return tuple(first), tuple(last)


def _describes_experiment(file: h5py.File) -> bool:
    return any(
        _class_of(group) in {"NXinstrument", "NXbeam", "NXsample"} or group.name.rsplit("/", 1)[-1] != "data"
        for entry in _groups(file)
        for group in _groups(entry)
    )


def _promised_images(file: h5py.File) -> int:
    """Return how many images the detector was told to take, for a master whose data files are all missing."""
    numbers = []
    for name in ("nimages", "ntrigger"):
        value = file.get(f"entry/instrument/detector/detectorSpecific/{name}")
        numbers.append(int(value[()]) if isinstance(value, h5py.Dataset) and value.size == 1 else 1)
    return math.prod(numbers)


def stack_of_images(path: str) -> str | None:
    """Name of the one dataset of an HDF5 file that holds its images, `[n, slow, fast]`; None where there is none."""
    try:
        with open_hdf5(path) as file:
            for group in data_groups(file):
                names = image_keys(group)
                if names:
                    data = group.get(names[0])
                    whole = len(names) == 1 and isinstance(data, h5py.Dataset) and data.ndim == 3
                    return str(data.name) if whole else None
    except OSError:  # not HDF5, or not there any more
        return None
    return None
