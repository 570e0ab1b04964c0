"""The map of an HDF5 file: ranges of images that are stored in the same dataset."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from iota.causes import Cause, Why, why
from iota.inputs.hdf5.threshold import Channel
from iota.inputs.hdf5.virtual import Box, Progression, Rows


class TooDeepError(ValueError):
    """A virtual dataset maps parts of parts of images, and is read by HDF5 itself."""


class Segment(msgspec.Struct, frozen=True):
    """Images that lie in the rows of one dataset, both at equal distances, or that cannot be read for one reason."""

    first: int  # number of the first of them, from 0
    count: int
    step: int = 1
    file: str = ""  # resolved; none where no file holds these images
    dataset: str = ""
    row: int | None = 0  # of the first image; None: the dataset is one image, without an axis for it
    row_step: int = 1
    into: Box | None = None  # which pixels of the image these are; None: all
    part: Box | None = None  # which pixels of a row; None: all
    why: Why | None = None  # they cannot be read

    def row_of(self, index: int) -> int | None:
        """Row of the image ``index``."""
        return None if self.row is None else self.row + (index - self.first) // self.step * self.row_step

    def has(self, index: int) -> bool:
        """Whether the image ``index`` is among these."""
        return 0 <= index - self.first < self.count * self.step and (index - self.first) % self.step == 0

    def images(self) -> slice:
        """Numbers of the images."""
        return slice(self.first, self.first + (self.count - 1) * self.step + 1, self.step)

    def rows(self) -> Rows:
        """Rows of the dataset, one for each image."""
        return (self.row or 0) + np.arange(self.count) * self.row_step


class ImageMap(msgspec.Struct, frozen=True, dict=True):
    """All images of one HDF5 file. Get it from :func:`read_map`."""

    n_images: int
    segments: tuple[Segment, ...] = ()
    shape: tuple[int, ...] = ()  # of an image, `[slow, fast]` or `[module, slow, fast]`; none where no file is there
    dtype: str = ""
    group: str = ""  # of the file, with the datasets or links below
    keys: tuple[str, ...] = ()  # in it: one, or several of which each holds some of the images
    channel: Channel | None = None  # of several thresholds the one that is taken
    is_bare: bool = False  # pixels without any description of the experiment: a master's data file
    targets: frozenset[str] = frozenset()  # other files it points to, resolved
    missing: tuple[str, ...] = ()  # those of them that are not there, as the master names them
    is_certain: bool = True  # the numbers stay the same when missing files come
    still_written: frozenset[str] = frozenset()  # files whose datasets may show half an image

    def at(self, index: int) -> list[Segment]:
        """Location of the pixels of an image: one segment, or one for each part of it."""
        plain, stepped = self._bands
        end = bisect.bisect_right(plain, index, key=lambda band: band[0].first)
        near = itertools.chain(plain[max(0, end - 1) : end], stepped)
        return [segment for band in near for segment in band if segment.has(index)]

    def why(self, index: int) -> Why | None:
        """Why an image cannot be read; None if it can."""
        if not 0 <= index < self.n_images:
            return why(Cause.NO_SUCH_IMAGE, n_images=self.n_images)
        return next((segment.why for segment in self.at(index) if segment.why), None)

    def readable(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether each image `[n]` can be read."""
        found = np.ones(self.n_images, dtype=np.bool_)
        for segment in self.segments:
            if segment.why:
                found[segment.images()] = False
        return found

    @cached_property
    def _bands(self) -> tuple[list[list[Segment]], list[list[Segment]]]:
        """Segments of the same images together: those without gaps in order, and the others."""
        plain: dict[tuple[int, int], list[Segment]] = {}
        stepped: list[list[Segment]] = []
        for segment in _cut_alike([s for s in self.segments if s.step == 1 or s.count == 1]):
            plain.setdefault((segment.first, segment.count), []).append(segment)
        for segment in self.segments:
            if segment.step != 1 and segment.count > 1:
                stepped.append([segment])
        return [plain[key] for key in sorted(plain)], stepped


def shown(inner: Segment, run: Progression, into: Box | None, part: Box | None) -> Segment:
    """Images of a dataset as mapped by a virtual dataset; raises TooDeepError if it maps parts of parts."""
    changes: dict[str, Any] = {"into": into, "part": part}
    if inner.into is not None or inner.part is not None:
        if part is not None or (into is not None and inner.into is not None):
            raise TooDeepError
        changes = {"into": inner.into if into is None else into, "part": inner.part}
    row = None if inner.row is None else run.row
    return msgspec.structs.replace(
        inner, first=run.first, count=run.length, step=run.step, row=row, row_step=run.row_step, **changes
    )


def of_channel(segments: Iterable[Segment], channel: int, shape: tuple[int, ...]) -> Iterator[Segment]:
    """Of images `[channel, slow, fast]` those of one channel, `[slow, fast]`."""
    plane = tuple((0, n) for n in shape[1:])
    for segment in segments:
        into, part = segment.into, segment.part
        if not segment.file:
            yield segment
        elif into is None and part is None:
            yield msgspec.structs.replace(segment, part=((channel, channel + 1), *plane))
        elif into is None and part is not None and len(part) == len(shape):
            first = part[0][0] + channel
            yield msgspec.structs.replace(segment, part=((first, first + 1), *part[1:]))
        elif into is not None and into[0][0] <= channel < into[0][1]:
            if into[0][1] - into[0][0] != 1:
                raise ValueError("thresholds lie in files of their own, several in one")
            yield msgspec.structs.replace(segment, into=None if into[1:] == plane else into[1:])


def _cut_alike(segments: list[Segment]) -> Iterator[Segment]:
    """Cut segments where others begin or end, so that any two have the same images or none in common."""
    cuts = sorted({s.first for s in segments} | {s.first + s.count for s in segments})
    for segment in segments:
        begin = bisect.bisect_left(cuts, segment.first)
        end = bisect.bisect_left(cuts, segment.first + segment.count)
        for first, after in itertools.pairwise(cuts[begin : end + 1]):
            yield msgspec.structs.replace(segment, first=first, count=after - first, row=segment.row_of(first), step=1)
