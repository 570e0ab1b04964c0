"""The images (events) of an HDF5 or CXI file, and their datasets, according to a CrystFEL geometry.

An event is the values of the placeholders: groups that stand for ``%`` in the path of the data, and an index for each
dimension that is ``%``. CrystFEL writes ``group/group//index/index``. Here they are numbered in CrystFEL's order: paths
by name, then indices with the last one fastest.
"""

from __future__ import annotations

import math
import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

import msgspec

from iota.errors import InputError
from iota.hdf5 import h5py
from iota.inputs.crystfel.geometry import EVENT, CrystfelGeometry, GeometryPanel
from iota.inputs.hdf5.foreign import AGIPD_RAW, is_raw_agipd
from iota.inputs.hdf5.image_map import MAX_IMAGES, ImageMap, Segment, read_map, too_many_text
from iota.inputs.hdf5.masters import open_hdf5

_EVENT = re.compile(r"^(?P<path>.+?)\s+(?P<groups>[^\s]*?)//(?P<indices>[0-9]+(?:/[0-9]+)*)?/?$")


class Event(NamedTuple):
    """One image: the values of the placeholders."""

    groups: tuple[str, ...]
    indices: tuple[int, ...]

    def __str__(self) -> str:
        """Return CrystFEL's name of the event."""
        return f"{'/'.join(self.groups)}//{'/'.join(map(str, self.indices))}"

    def place(self, path: str) -> str:
        """The path of this event's data, of which the first placeholders are filled in, if it has any."""
        first, *others = path.split(EVENT)
        return first + "".join(group + other for group, other in zip(self.groups, others, strict=False))


class Events:
    """All events of a file. Get it from :func:`events_of`."""

    def __init__(self, blocks: list[tuple[tuple[str, ...], tuple[int, ...]]]) -> None:
        self._blocks = blocks  # groups, and how many indices there are along each dimension
        self._ends = list(accumulate(math.prod(shape) for _, shape in blocks))

    def __len__(self) -> int:
        """Return the number of images."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: int) -> Event:
        """Return the event of a number, from 0."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        block = bisect_right(self._ends, number)
        groups, shape = self._blocks[block]
        rest = number - (self._ends[block - 1] if block else 0)
        indices = []
        for size in reversed(shape):
            rest, index = divmod(rest, size)
            indices.append(index)
        return Event(groups, tuple(reversed(indices)))

    def number(self, event: Event) -> int | None:
        """Return the number of an event, from 0; None if the file has no such event."""
        before = 0
        for (groups, shape), end in zip(self._blocks, self._ends, strict=True):
            if groups == event.groups:
                if len(shape) != len(event.indices) or any(i >= n for i, n in zip(event.indices, shape, strict=True)):
                    return None
                number = 0
                for index, size in zip(event.indices, shape, strict=True):
                    number = number * size + index
                return before + number
            before = end
        return None


def split_event(line: str) -> tuple[str, Event | None]:
    """Split a line of a list for CrystFEL, ``file.cxi entry//3``, into the path and the event, if there is one."""
    match = _EVENT.match(line) if "//" in line else None
    if match is None:
        return line, None
    groups = tuple(match["groups"].split("/")) if match["groups"] else ()
    indices = tuple(int(i) for i in match["indices"].split("/")) if match["indices"] else ()
    return match["path"], Event(groups, indices) if groups or indices else None


def events_of(file: h5py.File, geometry: CrystfelGeometry) -> Events:
    """The events of an open file.

    Raises:
        InputError: the data are not where the geometry says, not of its dimensions, or more images than is plausible;
            the text does not name the file.
    """
    if geometry.wavelength is None:
        raise InputError(
            f"{geometry.path} has no photon_energy; add a line such as photon_energy = 9500 eV, or give the location"
            " of the energy in the files: photon_energy = /LCLS/photon_energy_eV eV."
        )
    panel = geometry.panels[0]  # the events of all panels are the same
    blocks = []
    for groups, dataset in event_datasets(file, panel):
        if is_raw_agipd(dataset):
            raise InputError(AGIPD_RAW.sentence)
        if dataset.ndim != len(panel.dims):
            raise InputError(
                f"{dataset.name} has {dataset.ndim} dimensions {dataset.shape}, but {geometry.path} describes"
                f" {len(panel.dims)}: {_dimensions(panel)}.{_advice(dataset, panel)}"
            )
        sizes = [size for size, dim in zip(dataset.shape, panel.dims, strict=True) if dim == EVENT]
        blocks.append((groups, tuple(sizes)))
    if not blocks:
        raise InputError(f"it has no dataset {panel.data}, where {geometry.path} locates the images.")
    n_images = sum(math.prod(shape) for _, shape in blocks)
    if n_images > MAX_IMAGES:
        raise InputError(too_many_text(n_images))
    return Events(blocks)


def read_event_map(path: str, geometry: CrystfelGeometry, *, written_only: bool = False) -> ImageMap:
    """Find the images of a file as a geometry describes it.

    Args:
        path: the file.
        geometry: where the images are.
        written_only: as for :func:`iota.inputs.hdf5.image_map.read_map`.

    Raises:
        InputError: as :func:`events_of`.
        OSError, RuntimeError, KeyError, ValueError, TypeError: the file cannot be read, or is damaged.
    """
    panel = geometry.panels[0]
    with open_hdf5(path) as file:
        n_images = len(events_of(file, geometry))
        blocks = [(dataset.name, events_in(dataset, panel)) for _, dataset in event_datasets(file, panel)]
    maps = [_map_of(path, name, n, panel, written_only) for name, n in blocks]
    segments: list[Segment] = []
    first = 0
    for found, (_, n) in zip(maps, blocks, strict=True):
        segments += (msgspec.structs.replace(segment, first=segment.first + first) for segment in found.segments)
        first += n
    return ImageMap(
        n_images=n_images,
        segments=tuple(segments),
        targets=frozenset().union(*(found.targets for found in maps)),
        missing=tuple(dict.fromkeys(name for found in maps for name in found.missing)),
        is_certain=all(found.is_certain for found in maps),
        still_written=frozenset().union(*(found.still_written for found in maps)),
    )


def _map_of(path: str, dataset: str, n_events: int, panel: GeometryPanel, written_only: bool) -> ImageMap:
    """Images of one dataset, if they lie along its first axis or it is one image; else they are taken to be there."""
    if panel.dims.count(EVENT) == (panel.dims[0] == EVENT) and (panel.dims[0] == EVENT or panel.dims == ("ss", "fs")):
        found = read_map(path, dataset=dataset, written_only=written_only)
        if found.n_images == n_events:
            return found
    where = os.path.realpath(path)
    return ImageMap(n_images=n_events, segments=(Segment(0, n_events, file=where, dataset=dataset),))


def event_datasets(file: h5py.File, panel: GeometryPanel) -> Iterator[tuple[tuple[str, ...], h5py.Dataset]]:
    """Yield the datasets of a panel, one for each path, with the groups that stand for placeholders."""
    yield from _matches(file, panel.data.strip("/").split("/"), ())


def events_in(dataset: h5py.Dataset, panel: GeometryPanel) -> int:
    """Number of events in a dataset of a panel."""
    return math.prod(size for size, dim in zip(dataset.shape, panel.dims, strict=True) if dim == EVENT)


def _matches(
    group: h5py.Group, parts: list[str], groups: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], h5py.Dataset]]:
    part, rest = parts[0], parts[1:]
    if EVENT in part:
        pattern = re.compile("([^/]+)".join(map(re.escape, part.split(EVENT))))
        found = [(name, match.groups()) for name in sorted(group) if (match := pattern.fullmatch(name))]
    else:
        found = [(part, ())]
    for name, values in found:
        child = group.get(name)  # None where a link leads nowhere, or there is no such thing
        if rest and isinstance(child, h5py.Group):
            yield from _matches(child, rest, (*groups, *values))
        elif not rest and isinstance(child, h5py.Dataset):
            yield (*groups, *values), child


def _dimensions(panel: GeometryPanel) -> str:
    return ", ".join(f"dim{k} = {dim}" for k, dim in enumerate(panel.dims))


def _advice(dataset: h5py.Dataset, panel: GeometryPanel) -> str:
    if dataset.ndim == 3 and len(panel.dims) == 2:
        return (
            " If the first dimension is the image number, add the lines dim0 = %, dim1 = ss and dim2 = fs before the"
            " panels."
        )
    return ""
