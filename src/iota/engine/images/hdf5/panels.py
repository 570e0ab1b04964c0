"""Which pixels of a stored image belong to which panel of the detector.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from iota.causes import Cause, why
from iota.engine.images.hdf5.stored_image import Array
from iota.engine.images.reading import ImportFailedError
from iota.hdf5 import h5py
from iota.inputs.hdf5.masters import groups_of_class

Slices = tuple[slice, slice]


class Panels(NamedTuple):
    """Where each panel is in an image, the modules of which lie below each other. Get it from :func:`panels_of`."""

    slices: tuple[Slices, ...]

    def cut(self, image: Array) -> list[Array]:
        """Pixels `[slow, fast]` of each panel, contiguous in memory."""
        plane = image.reshape(-1, image.shape[-1])
        return [np.ascontiguousarray(plane[one]) for one in self.slices]


def panels_of(header_copy: Path, detector: Any, n_rows: int, n_columns: int) -> Panels | None:
    """Determine the positions of the panels of a detector in images of so many rows and columns.

    None where the file says nothing that fits, so that only dxtbx may know.

    Raises:
        ImportFailedError: the images are of another shape than the detector.
    """
    sizes = [panel.get_image_size()[::-1] for panel in detector]
    if sizes == [(n_rows, n_columns)]:
        return Panels(((slice(0, n_rows), slice(0, n_columns)),))
    slices = _of_modules(header_copy)
    if [(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in slices] != sizes:
        return None
    _check_shape(slices, n_rows, n_columns)
    return Panels(slices)


def _check_shape(slices: Sequence[Slices], n_rows: int, n_columns: int) -> None:
    """Check that images are as large as the modules require; dxtbx crops silently, whichever is larger.

    Of several modules some may have been left out of the header: then there is room for them.
    """
    ends = [max(one[axis].stop for one in slices) for axis in (0, 1)]
    is_one = len(slices) == 1 and slices[0][0].start == slices[0][1].start == 0
    for axis, length in enumerate((n_rows, n_columns)):
        smallest = min(one[axis].stop - one[axis].start for one in slices)
        if length != ends[axis] and (is_one or length < ends[axis] + smallest):
            image, detector = f"{n_columns} x {n_rows} pixels", f"{ends[1]} x {ends[0]} pixels"
            if is_one:
                raise ImportFailedError(why(Cause.SIZE_DIFFERS, image=image, detector=f"1 panel of {detector}"))
            raise ImportFailedError(why(Cause.MODULES_DIFFER, image=image, detector=detector))


def _of_modules(path: Path) -> tuple[Slices, ...]:
    """Slices that the modules of the one detector name, in the order in which dxtbx makes panels of them."""
    with h5py.File(path, "r") as file:
        detectors = list(groups_of_class(file, "NXentry", "NXinstrument", "NXdetector"))
        if len(detectors) != 1:
            return ()
        modules = groups_of_class(detectors[0], "NXdetector_module")
        return tuple(_slices(module) for module in modules if "data_origin" in module and "data_size" in module)


def _slices(module: h5py.Group) -> Slices:
    (row, column), (n_rows, n_columns) = (
        (int(n) for n in np.ravel(module[name][()])[:2]) for name in ("data_origin", "data_size")
    )
    return slice(row, row + n_rows), slice(column, column + n_columns)
