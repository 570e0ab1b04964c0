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
from iota.inputs.hdf5.image_map import ImageMap, Stretch
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
    places = found.at(index)
    with ExitStack() as stack:
        files = {path: stack.enter_context(open_hdf5(path)) for path in {place.file for place in places}}
        if len(places) == 1 and places[0].into is None:
            return _row(files[places[0].file], places[0], index).reshape(found.shape)
        image = np.zeros(found.shape, dtype=found.dtype)
        for place in places:
            target = image[tuple(slice(*edge) for edge in place.into or ())]
            target[...] = _row(files[place.file], place, index).reshape(target.shape)
        return image


def _row(file: h5py.File, place: Stretch, index: int) -> Array:
    dataset, row = file[place.dataset], place.row_of(index)
    part = tuple(slice(*edge) for edge in place.part or ())
    if row is None:
        return np.asarray(dataset[part])
    if row >= dataset.shape[0]:
        raise NotWrittenError(why(Cause.DATA_FILE_TOO_SHORT, file=Path(place.file).name))
    if dataset.chunks is not None:
        first = [edge.start for edge in part] or [0] * (dataset.ndim - 1)
        corner = tuple(n // chunk * chunk for n, chunk in zip((row, *first), dataset.chunks, strict=True))
        if dataset.id.get_chunk_info_by_coord(corner).byte_offset is None:
            raise NotWrittenError(why(Cause.NEVER_WRITTEN, dataset=Path(place.file).name))
    return np.asarray(dataset[(row, *part)])
