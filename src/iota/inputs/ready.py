"""How many images of an HDF5 file that is still being written can be read already.

Images are ready in order: those before the first that is missing. A data file that did not arrive, a chunk that was not
written, a source of a virtual dataset that is shorter than the master says: each ends the count.
"""

from __future__ import annotations

import math
import os
from typing import NamedTuple

import msgspec

from iota.hdf5 import h5py
from iota.inputs.masters import data_groups, image_keys, open_hdf5

_UNREADABLE = (OSError, RuntimeError, KeyError, ValueError)  # all of these come out of half-written files


class Ready(msgspec.Struct):
    """What can be read now. Get it from :func:`ready_images`."""

    n_images: int = 0
    files: set[str] = msgspec.field(default_factory=set)  # all that the images lie in, there or not
    swmr: bool = True  # all that are still written to are so by rules that never show a half image
    whole: bool = True  # as many images as the file says it holds


def ready_images(path: str) -> Ready:
    """Count the images that can be read now. Raises OSError, RuntimeError, KeyError or ValueError: not readable yet."""
    ready = Ready(files={path})
    with open_hdf5(path) as file:
        tags = sum(1 for name in file if name.startswith("tag-"))  # SACLA: one group a shot, written at the end
        if tags:
            ready.n_images = tags
        for group in () if tags else data_groups(file):
            keys = image_keys(group)
            for key in keys:
                n_ready, n_said = _of_link(group, key, ready)
                if ready.whole:
                    ready.n_images += n_ready
                ready.whole = ready.whole and 0 <= n_said <= n_ready
            if ready.n_images or not ready.whole:
                break
    return ready


def _of_link(group: h5py.Group, key: str, ready: Ready) -> tuple[int, int]:
    """Return how many images of a dataset can be read, and how many it says it has: -1 if it cannot be reached."""
    link = group.get(key, getlink=True)
    if not isinstance(link, h5py.ExternalLink):
        dataset = group.get(key)
        return _of_dataset(dataset, ready) if isinstance(dataset, h5py.Dataset) and dataset.ndim > 1 else (0, 0)
    target = os.path.realpath(os.path.join(os.path.dirname(group.file.filename), link.filename))
    ready.files.add(target)
    try:
        # Opened apart: through the link a file that is written to opens only if its master is, too.
        with open_hdf5(target) as file:
            dataset = file.get(link.path)
            if not isinstance(dataset, h5py.Dataset) or dataset.ndim < 2:
                return 0, -1
            return _of_dataset(dataset, ready)
    except _UNREADABLE:
        return 0, -1


def _of_dataset(dataset: h5py.Dataset, ready: Ready) -> tuple[int, int]:
    n_said = dataset.shape[0] if dataset.ndim > 2 else 1
    if dataset.is_virtual:
        return _of_virtual(dataset, ready), n_said
    ready.swmr = ready.swmr and bool(dataset.file.swmr_mode)
    if dataset.chunks is None or dataset.ndim < 3:
        return (n_said if dataset.id.get_storage_size() or not dataset.size else 0), n_said
    across = math.prod(math.ceil(n / c) for n, c in zip(dataset.shape[1:], dataset.chunks[1:], strict=True))
    # Detectors write in order. The count walks all chunks, 0.15 us each.
    n_written = dataset.id.get_num_chunks() // across * dataset.chunks[0]
    return min(n_said, n_written), n_said


def _of_virtual(dataset: h5py.Dataset, ready: Ready) -> int:
    """Return how many images of a virtual dataset have all their pixels, from its first."""
    home = os.path.dirname(dataset.file.filename)
    counts: dict[tuple[str, str], int] = {}
    n_ready = dataset.shape[0] if dataset.ndim > 2 else 1
    for source in dataset.virtual_sources():
        path = dataset.file.filename if source.file_name == "." else os.path.join(home, source.file_name)
        where = (os.path.realpath(path), source.dset_name)
        if where not in counts:
            counts[where] = _of_source(*where, ready)
        shown = _rows_of(source.vspace)
        n_there = counts[where]
        part = source.src_space
        if part.get_select_type() != h5py.h5s.SEL_ALL and part.get_simple_extent_ndims() > 2:
            n_there = _rows_of(part).n_below(n_there)
        if shown.total is None or n_there < shown.total:
            n_ready = min(n_ready, shown.index_of(n_there))
    return int(n_ready)


def _of_source(path: str, name: str, ready: Ready) -> int:
    ready.files.add(path)
    try:
        with open_hdf5(path) as file:
            dataset = file.get(name)
            return _of_dataset(dataset, ready)[0] if isinstance(dataset, h5py.Dataset) else 0
    except _UNREADABLE:
        return 0


class _Rows(NamedTuple):
    """Which indices a selection has along the axis of images: blocks at equal distances."""

    start: int
    stride: int
    block: int
    total: int | None  # number of indices; None: no limit

    def n_below(self, limit: int) -> int:
        """Return how many of the indices are below a limit."""
        blocks, rest = divmod(max(0, limit - self.start), self.stride)
        n = blocks * self.block + min(rest, self.block)
        return n if self.total is None else min(n, self.total)

    def index_of(self, n: int) -> int:
        """Return the index that has ``n`` before it."""
        return self.start + n // self.block * self.stride + n % self.block


def _rows_of(space: h5py.h5s.SpaceID) -> _Rows:
    if space.get_select_type() == h5py.h5s.SEL_ALL:  # never of a source: its extent is not known here
        n = max(1, int(space.get_simple_extent_dims()[0])) if space.get_simple_extent_ndims() > 2 else 1
        return _Rows(0, n, n, n)
    if not space.is_regular_hyperslab():
        first, last = space.get_select_bounds()
        n = int(last[0]) - int(first[0]) + 1
        return _Rows(int(first[0]), n, n, n)
    start, stride, count, block = (int(each[0]) for each in space.get_regular_hyperslab())
    no_limit = h5py.h5s.UNLIMITED
    if block == no_limit:
        return _Rows(start, 1, 1, None)
    if count == 1:
        stride = block
    return _Rows(start, stride, block, None if count == no_limit else count * block)
