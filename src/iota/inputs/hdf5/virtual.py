"""Resolves virtual datasets of HDF5 to their source datasets.

A row is what one index along the first axis holds. HDF5 knows selections of any form; those of detectors are regular
along each axis, and a box in the plane of the image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from iota.hdf5 import h5py

_LONGEST_SIDE = 100_000  # of an image (px)

Box = tuple[tuple[int, int], ...]  # first and end along each axis
Rows = npt.NDArray[np.int64]


class Mapping(NamedTuple):
    """The part of a virtual dataset that comes from one dataset. Get them from :func:`mappings`."""

    file: str  # "." is the file of the virtual dataset itself
    dataset: str
    images: Rows  # of the virtual dataset
    rows: Rows | None  # of the source, as many; None: the source is one image, without an axis for it
    into: Box  # which pixels of the image
    part: Box | None  # which pixels of a row of the source; None: all


class Progression(NamedTuple):
    """Indices at equal distances beside as many others at equal distances."""

    first: int
    step: int
    row: int
    row_step: int
    length: int


def mappings(dataset: h5py.Dataset) -> Iterator[Mapping | None]:
    """Yield the sources of a virtual dataset `[images, ...]`; None for selections that cannot be represented."""
    for source in dataset.virtual_sources():
        yield None if "%b" in source.file_name + source.dset_name else _mapping(source, dataset.shape)


def progressions(images: Rows, rows: Rows) -> Iterator[Progression]:
    """Cut pairs of indices `[n]` into pieces in which both go on by the same steps."""
    steps = np.stack([np.diff(images), np.diff(rows)])
    changes = np.append(np.flatnonzero((steps[:, 1:] != steps[:, :-1]).any(axis=0)) + 1, len(images) - 1)
    start = 0
    while start < len(images):
        step, row_step, count = 1, 1, 1
        if start + 1 < len(images):
            step, row_step = map(int, steps[:, start])
            count = int(changes[np.searchsorted(changes, start, side="right")]) - start + 1
        yield Progression(int(images[start]), step, int(rows[start]), row_step, count)
        start += count


def _mapping(source: h5py._hl.vds.VDSmap, shape: tuple[int, ...]) -> Mapping | None:
    shown = _axes(source.vspace, shape)
    if shown is None:
        return None
    images, into = shown[0][shown[0] < shape[0]], _box(shown[1:])
    if into is None:
        return None
    n_pixels = _size(into)
    if source.src_space.get_select_type() == h5py.h5s.SEL_ALL:  # its extent is not said
        return Mapping(source.file_name, source.dset_name, images, np.arange(len(images)), into, None)
    extent = source.src_space.get_simple_extent_dims()  # as far as is taken, whatever the dataset's own may be
    n_first = len(images) if len(images) > 1 else min(int(extent[0]), _LONGEST_SIDE)
    taken = _axes(source.src_space, (max(n_first, len(images)), *extent[1:]))
    if taken is None:
        return None
    part, rows = _box(taken[1:]), taken[0]
    if part is not None and _size(part) == n_pixels:
        n = min(len(images), len(rows))  # one of them may have no limit
        return Mapping(source.file_name, source.dset_name, images[:n], rows[:n], into, part)
    whole = _box(taken)
    if whole is not None and len(images) == 1 and _size(whole) == n_pixels:
        return Mapping(source.file_name, source.dset_name, images, None, into, whole)
    return None


def _axes(space: h5py.h5s.SpaceID, shape: tuple[int, ...]) -> list[Rows] | None:
    """Indices that a selection has along each axis; None if it is no product of such.

    Where it has no limit along an axis it ends after so many as ``shape`` says.
    """
    if space.get_select_type() == h5py.h5s.SEL_ALL:
        return [np.arange(n) for n in space.get_simple_extent_dims()]
    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        return None
    axes = zip(*space.get_regular_hyperslab(), shape, strict=True)
    return [_indices(int(start), int(stride), int(count), int(block), n) for start, stride, count, block, n in axes]


def _indices(start: int, stride: int, count: int, block: int, size: int) -> Rows:
    no_limit = h5py.h5s.UNLIMITED
    if block == no_limit:
        count, stride, block = 1, 1, size
    block = min(block, size)
    most = math.ceil(size / block) if block else 0
    count = most if count == no_limit else min(count, most)
    return (start + np.arange(count)[:, None] * stride + np.arange(block)).reshape(-1)


def _box(axes: list[Rows]) -> Box | None:
    """First and end along each axis; None if there are gaps."""
    box = tuple((int(axis[0]), int(axis[-1]) + 1) for axis in axes if len(axis))
    whole = len(box) == len(axes) and all(
        end - first == len(axis) for (first, end), axis in zip(box, axes, strict=True)
    )
    return box if whole else None


def _size(box: Box) -> int:
    return math.prod(end - first for first, end in box)
