"""Finds the file, dataset and position of each image of an HDF5 file, or why it has none (data file missing).

Only names, links and shapes are read, which takes a few milliseconds, and a third of a millisecond for each file that
a master refers to. An image keeps its number while files are missing, too short or still to come.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from iota.causes import Cause, Why, why
from iota.hdf5 import h5py
from iota.inputs.hdf5.masters import UNREADABLE as UNREADABLE
from iota.inputs.hdf5.masters import (
    data_groups,
    describes_experiment,
    image_keys,
    linked_file,
    open_hdf5,
    promised_images,
    why_data_file,
)
from iota.inputs.hdf5.segments import ImageMap as ImageMap
from iota.inputs.hdf5.segments import Segment as Segment
from iota.inputs.hdf5.segments import TooDeepError, of_channel, shown
from iota.inputs.hdf5.threshold import channel_of
from iota.inputs.hdf5.virtual import Box, Rows, mappings, progressions

MAX_IMAGES = 10_000_000  # of one file; more are not believed
_DEEPEST = 8  # links that lead to links


def read_map(path: str, *, dataset: str | None = None, written_only: bool = False) -> ImageMap:
    """Find the images of an HDF5 file; none is a map of 0 images.

    Args:
        path: the file.
        dataset: name of the dataset that holds the images; None to look where NeXus files have them.
        written_only: count in files that may still grow only what was written, which walks all chunks (0.15 us each).

    Raises:
        OSError, RuntimeError, KeyError, ValueError, TypeError: the file cannot be read, or is damaged.
    """
    with open_hdf5(path) as file:
        tags = sum(1 for name in file if name.startswith("tag-"))  # SACLA: one group a shot
        if tags:
            return ImageMap(n_images=tags)
        places = _named_stack(file, dataset) if dataset is not None else _default_stacks(file)
        for group, keys in places:
            search = _Search(os.path.realpath(path), written_only)
            found = search.series(group, keys)
            if found.n_images or search.missing:
                return msgspec.structs.replace(found, is_bare=not describes_experiment(file))
        return ImageMap(n_images=0, is_bare=not describes_experiment(file))


def stack_of_images(path: str) -> str | None:
    """Name of the one dataset of an HDF5 file that holds its images, `[n, slow, fast]`; None if there is none."""
    try:
        found = read_map(path)
    except UNREADABLE:  # not HDF5, or not there any more
        return None
    if len(found.keys) != 1 or len(found.shape) != 2 or found.channel is not None:
        return None
    return f"{found.group.rstrip('/')}/{found.keys[0]}"


def _default_stacks(file: h5py.File) -> Iterator[tuple[h5py.Group, list[str]]]:
    for group in data_groups(file):
        keys = image_keys(group)
        if keys:
            yield group, keys


def _named_stack(file: h5py.File, dataset: str) -> Iterator[tuple[h5py.Group, list[str]]]:
    parent, _, name = dataset.rstrip("/").rpartition("/")
    group = file.get(parent or "/")
    if isinstance(group, h5py.Group) and name in group:
        yield group, [name]


def too_many_text(n_images: int) -> str:
    """The message for a file that claims an implausible number of images."""
    return f"it claims to hold {n_images:,} images; the limit is {MAX_IMAGES:,}."


class TooManyImagesError(ValueError):
    """A file claims to contain an implausible number of images; the text says how many."""


class _Held(msgspec.Struct):
    """The target of a link."""

    count: int  # -1: it leads nowhere
    segments: list[Segment]
    file: str = ""  # to which it leads, there or not
    dataset: str = ""
    shape: tuple[int, ...] = ()
    dtype: str = ""
    said: tuple[int, int] | None = None  # numbers of its first and last image, as DECTRIS counts them
    why: Why | None = None


class _Search:
    """Follows links and virtual datasets from one file."""

    def __init__(self, own: str, written_only: bool) -> None:
        self.own = own
        self.written_only = written_only
        self.targets: set[str] = set()
        self.missing: dict[str, None] = {}
        self.still_written: set[str] = set()
        self.is_certain = True

    def series(self, group: h5py.Group, keys: Sequence[str]) -> ImageMap:
        """Concatenate the images of several datasets."""
        held = [self._link(group, key, 0) for key in keys]
        model = next((one for one in held if one.shape), _Held(0, []))
        channel = channel_of(group, model.shape)
        counts = self._counts(group.file, held)
        segments: list[Segment] = []
        n_images = 0
        for one, count in zip(held, counts, strict=True):
            taken = one.segments if channel is None else of_channel(one.segments, channel.index, model.shape)
            segments += (msgspec.structs.replace(s, first=s.first + n_images) for s in taken)
            if count > one.count:
                lost = one.why or self._too_short(one)
                there = max(0, one.count)
                segments.append(
                    Segment(n_images + there, count - there, file=one.file, dataset=one.dataset, row=there, why=lost)
                )
            n_images += count
        if n_images > MAX_IMAGES:
            raise TooManyImagesError(too_many_text(n_images))
        return ImageMap(
            n_images=n_images,
            segments=tuple(segments),
            shape=model.shape[1:] if channel else model.shape,
            dtype=model.dtype,
            group=group.name,
            keys=tuple(keys),
            channel=channel,
            targets=frozenset(self.targets),
            missing=tuple(self.missing),
            is_certain=self.is_certain,
            still_written=frozenset(self.still_written),
        )

    def _too_short(self, held: _Held) -> Why:
        return why(Cause.DATA_FILE_TOO_SHORT, file=os.path.basename(held.file))

    def _counts(self, file: h5py.File, held: list[_Held]) -> list[int]:
        """Number of images that each of several datasets should contain, including those in missing files."""
        counts = [one.count for one in held]
        promised = promised_images(file)
        if promised > MAX_IMAGES:  # as when a detector is told to go on for ever
            promised = 0
        if len(held) == 1:
            return [max(1, promised) if counts[0] < 0 else counts[0]]  # one at least, to say why it cannot be read
        full = max((n for n in counts if n > 0), default=max(1, math.ceil(promised / len(held))))
        fits = full * (len(held) - 1) < promised <= full * len(held)
        for first, end in _gaps(counts):
            before = held[first - 1].said if first else (1, 0)
            after = held[end].said if end < len(held) else None
            if before and after:
                _share(counts, range(first, end), after[0] - before[1] - 1)
            else:
                counts[first:end] = [full] * (end - first)
                self.is_certain = self.is_certain and (fits or end == len(held))
        if fits and sum(counts) != promised:
            for k, one in enumerate(held[:-1]):
                if 0 <= one.count < full and one.said is None:
                    counts[k] = full
            counts[-1] = max(held[-1].count, promised - sum(counts[:-1]))
        return counts

    def _link(self, group: h5py.Group, key: str, depth: int) -> _Held:
        link = group.get(key, getlink=True)
        if not isinstance(link, h5py.ExternalLink):
            found = group.get(key)
            if found is None and isinstance(link, h5py.SoftLink):
                nowhere = why(Cause.DEAD_HDF5_LINK, target=link.path, link=f"{group.name}/{key}")
                return _lost(self.own, link.path, nowhere)
            return self._dataset(found, depth) if isinstance(found, h5py.Dataset) else _Held(0, [])
        return self._elsewhere(link.filename, link.path, group.file.filename, depth)

    def _elsewhere(self, name: str, dataset: str, master: str, depth: int) -> _Held:
        """What a dataset in another file holds; it is opened apart, as one that is written to opens through no link."""
        path = os.path.realpath(linked_file(master, name))
        if path != self.own:
            self.targets.add(path)
        if not os.path.exists(path):
            self.missing[name] = None
        found, file_name = None, os.path.basename(name)
        try:
            with open_hdf5(path) as file:
                parent, _, key = dataset.rpartition("/")
                group = file.get(parent or "/")
                if depth < _DEEPEST and isinstance(group, h5py.Group) and key in group:
                    found = self._link(group, key, depth + 1)
        except UNREADABLE:
            problem = why_data_file(path, file_name) or why(Cause.DATA_FILE_UNREADABLE, file=file_name)
            return _lost(path, dataset, problem)
        if found is None:
            return _lost(path, dataset, why(Cause.DATA_FILE_LACKS_DATASET, file=file_name, dataset=dataset))
        if not found.file:
            return _lost(path, dataset, why(Cause.DATA_FILE_WITHOUT_IMAGES, file=file_name, dataset=dataset))
        return found

    def _dataset(self, dataset: h5py.Dataset, depth: int) -> _Held:
        if dataset.ndim < 2:
            return _Held(0, [])
        n_images = int(dataset.shape[0]) if dataset.ndim > 2 else 1
        shape = tuple(map(int, dataset.shape[1:] if dataset.ndim > 2 else dataset.shape))
        said = [dataset.attrs.get(name) for name in ("image_nr_low", "image_nr_high")]
        path = os.path.realpath(dataset.file.filename)
        held = _Held(n_images, [], path, dataset.name, shape, dataset.dtype.str)
        if all(isinstance(value, (int, np.integer)) for value in said) and said[1] - said[0] + 1 == n_images:
            held.said = int(said[0]), int(said[1])
        if n_images and dataset.is_virtual and n_images <= MAX_IMAGES:
            held.segments = self._virtual(dataset, depth)
        elif n_images:
            row = 0 if dataset.ndim > 2 else None
            held.segments = [Segment(0, n_images, file=path, dataset=dataset.name, row=row)]
            if self.written_only:
                self._only_written(held, dataset, path)
        return held

    def _only_written(self, held: _Held, dataset: h5py.Dataset, path: str) -> None:
        if not dataset.file.swmr_mode:
            self.still_written.add(path)
        n = n_written(dataset)
        if n < held.count:
            short = why(Cause.NOT_WRITTEN, file=os.path.basename(path))
            whole = held.segments[0]
            held.segments = [msgspec.structs.replace(whole, count=n)] if n else []
            held.segments.append(msgspec.structs.replace(whole, first=n, count=held.count - n, row=n, why=short))

    def _virtual(self, dataset: h5py.Dataset, depth: int) -> list[Segment]:
        """The sources of a virtual dataset."""
        sources: dict[tuple[str, str], _Held] = {}
        shape = tuple(map(int, dataset.shape[1:])) if dataset.ndim > 2 else tuple(map(int, dataset.shape))
        found: list[Segment] = []
        covered = np.zeros(dataset.shape[0], dtype=np.bool_)
        for mapping in mappings(dataset) if dataset.ndim > 2 else ():
            if mapping is None:
                return self._as_it_is(dataset)
            where = (mapping.file, mapping.dataset)
            if where not in sources:
                sources[where] = self._source(dataset.file, *where, depth)
            covered[mapping.images] = True
            into = None if mapping.into == tuple((0, n) for n in shape) else mapping.into
            rows = np.zeros(len(mapping.images), np.int64) if mapping.rows is None else mapping.rows
            try:
                found += _placed(sources[where], mapping.images, rows, into, mapping.part)
            except TooDeepError:
                return self._as_it_is(dataset)
        if dataset.ndim == 2:
            return self._as_it_is(dataset)
        nowhere = np.flatnonzero(~covered)
        for run in progressions(nowhere, nowhere):
            found.append(Segment(run.first, run.length, run.step, why=why(Cause.IN_NO_DATA_FILE)))
        return found

    def _as_it_is(self, dataset: h5py.Dataset) -> list[Segment]:
        """Let HDF5 read a virtual dataset; it does not report missing sources."""
        file, name = os.path.realpath(dataset.file.filename), dataset.name
        if dataset.ndim == 2:
            return [Segment(0, 1, file=file, dataset=name, row=None)]
        return [Segment(0, int(dataset.shape[0]), file=file, dataset=name)]

    def _source(self, file: h5py.File, name: str, dataset: str, depth: int) -> _Held:
        if name != ".":
            return self._elsewhere(name, dataset, file.filename, depth)
        parent, _, key = dataset.rpartition("/")
        group = file.get(parent or "/")
        if depth < _DEEPEST and isinstance(group, h5py.Group) and key in group:
            return self._link(group, key, depth + 1)
        return _lost(self.own, dataset, why(Cause.NO_DATASET, dataset=dataset))


def n_written(dataset: h5py.Dataset) -> int:
    """How many images of a dataset `[images, ...]` were written; detectors write in order."""
    n_said = int(dataset.shape[0]) if dataset.ndim > 2 else 1
    if dataset.chunks is None or dataset.ndim < 3:
        return n_said if dataset.id.get_storage_size() or not dataset.size else 0
    across = math.prod(math.ceil(n / c) for n, c in zip(dataset.shape[1:], dataset.chunks[1:], strict=True))
    n_there: int = dataset.id.get_num_chunks() // across * dataset.chunks[0]
    return min(n_said, n_there)


def _lost(file: str, dataset: str, why: Why) -> _Held:
    return _Held(-1, [], file, dataset, why=why)


def _placed(held: _Held, images: Rows, rows: Rows, into: Box | None, part: Box | None) -> Iterator[Segment]:
    """Segments of what a virtual dataset takes from one source."""
    part = None if part == tuple((0, n) for n in held.shape) else part
    beyond = rows >= max(0, held.count)
    lost = held.why or why(Cause.DATA_FILE_TOO_SHORT, file=os.path.basename(held.file))
    for run in progressions(images[beyond], rows[beyond]):
        yield Segment(
            run.first,
            run.length,
            run.step,
            held.file,
            held.dataset,
            run.row,
            run.row_step,
            into,
            part,
            lost,
        )
    for inner in held.segments:
        mine = (rows >= inner.first) & (rows < inner.first + inner.count * inner.step)
        mine &= (rows - inner.first) % inner.step == 0
        inner_rows = (inner.row or 0) + (rows[mine] - inner.first) // inner.step * inner.row_step
        for run in progressions(images[mine], inner_rows):
            yield shown(inner, run, into, part)


def _gaps(counts: list[int]) -> list[tuple[int, int]]:
    """First and end of each run of unknown counts."""
    gaps: list[tuple[int, int]] = []
    for k, n in enumerate(counts):
        if n < 0 and gaps and gaps[-1][1] == k:
            gaps[-1] = (gaps[-1][0], k + 1)
        elif n < 0:
            gaps.append((k, k + 1))
    return gaps


def _share(counts: list[int], places: range, total: int) -> None:
    """Distribute images over files, as many in each as in the first."""
    size = math.ceil(max(0, total) / len(places))
    for k in places:
        counts[k] = min(size, max(0, total))
        total -= counts[k]
