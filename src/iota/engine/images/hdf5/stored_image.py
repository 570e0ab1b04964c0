"""Reads the pixels of one image from the data files and datasets given by the image map.

A file is open only while an image is read (0.3 ms): what is written into an open file may not be seen, and HDF5 refuses
to open a file that the same process has open with other settings, as dxtbx does now and then.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.causes import Cause, why
from iota.engine.images.reading import ImportFailedError
from iota.hdf5 import h5py
from iota.inputs.hdf5.image_map import ImageMap, Segment
from iota.inputs.hdf5.masters import open_hdf5

Array = npt.NDArray[Any]


class NotWrittenError(ImportFailedError):
    """The file has room for these pixels, but they were never written."""


def read_image(found: ImageMap, index: int) -> Array:
    """Pixels of an image that is readable according to the map, `[slow, fast]` or `[module, slow, fast]`, as stored.

    Raises:
        NotWrittenError: nothing was written there.
        OSError, RuntimeError, KeyError, ValueError, TypeError: the file is damaged.
    """
    segments = found.at(index)
    with ExitStack() as stack:
        files = {path: stack.enter_context(open_hdf5(path)) for path in {segment.file for segment in segments}}
        if len(segments) == 1 and segments[0].into is None:
            return _read_segment(files[segments[0].file], segments[0], index).reshape(found.shape)
        image = np.zeros(found.shape, dtype=found.dtype)
        for segment in segments:
            target = image[tuple(slice(*edge) for edge in segment.into or ())]
            target[...] = _read_segment(files[segment.file], segment, index).reshape(target.shape)
        return image


def _read_segment(file: h5py.File, segment: Segment, index: int) -> Array:
    dataset, row = file[segment.dataset], segment.row_of(index)
    part = tuple(slice(*edge) for edge in segment.part or ())
    if row is None:
        return np.asarray(dataset[part])
    if row >= dataset.shape[0]:
        raise NotWrittenError(why(Cause.DATA_FILE_TOO_SHORT, file=Path(segment.file).name))
    if dataset.chunks is not None:
        first = [edge.start for edge in part] or [0] * (dataset.ndim - 1)
        corner = tuple(n // chunk * chunk for n, chunk in zip((row, *first), dataset.chunks, strict=True))
        if dataset.id.get_chunk_info_by_coord(corner).byte_offset is None:
            raise NotWrittenError(why(Cause.NEVER_WRITTEN, dataset=Path(segment.file).name))
    return np.asarray(dataset[(row, *part)])
