"""The reader object from which DIALS gets the pixels of an HDF5 master."""

from __future__ import annotations

from typing import Any

import numpy as np
from dxtbx import flumpy

from iota.causes import Cause, why
from iota.engine.backend.remarks import remark
from iota.engine.images.hdf5.nexus_header import Header
from iota.engine.images.hdf5.panels import Panels
from iota.engine.images.hdf5.stored_image import Array, read_image
from iota.engine.images.pixel_values import NO_NUMBER, counts_of
from iota.engine.images.reading import ImportFailedError
from iota.inputs.hdf5.image_map import ImageMap
from iota.inputs.hdf5.masters import open_hdf5


class HDF5Reader:
    """Pixels of a master by the number of the image.

    It refers to no image set: a reference back to what DIALS keeps would be a cycle through C++, which Python does not
    collect.
    """

    def __init__(self, path: str, found: ImageMap, panels: Panels, header: Header, bit_depth: int | None) -> None:
        """Prepare; nothing is opened yet.

        Args:
            path: of the master, which is what files of DIALS name.
            found: where its images are; may be replaced when more of them have come.
            panels: where panels are in an image.
            header: what is known of pixels beside their values.
            bit_depth: of the detector's readout, or None.
        """
        self.map = found
        self._path = path
        self._panels = panels
        self._header = header
        self._bit_depth = bit_depth
        self._has_marks: bool | None = None  # pixels without a count that only their values tell

    def read(self, index: int) -> tuple[Any, ...]:
        """Pixels of an image as dxtbx has them: a flex array of int, float or double for each panel.

        Raises:
            NotWrittenError: they were never written.
            Exception: the file is damaged.
        """
        return tuple(flumpy.from_numpy(panel) for panel in self._panels.cut(self._values(index)))

    def mask(self) -> tuple[Any, ...] | None:
        """Valid pixels of all images, ``flex.bool`` of each panel; None if the header contains no mask."""
        if self._header.mask is None:
            return None
        return tuple(flumpy.from_numpy(panel) for panel in self._panels.cut(~self._header.mask))

    def _values(self, index: int) -> Array:
        """Pixels `[slow, fast]` or `[module, slow, fast]` as int32, float32 or float64; below 0 is no count."""
        values = counts_of(read_image(self.map, index), self._bit_depth)
        if self._header.masks is not None:
            file, name = self._header.masks
            with open_hdf5(file) as masks:
                values = np.where(masks[name][index] == 0, values, values.dtype.type(NO_NUMBER))
        if values.max() < 0:
            raise ImportFailedError(why(Cause.NO_COUNTS))
        if not self._header.has_lower_limit:
            self._tell_of_marks(values)
        return values

    def _tell_of_marks(self, values: Array) -> None:
        if self._has_marks is None:
            marks = values < 0
            if self._header.mask is not None:
                marks &= ~self._header.mask
            self._has_marks = bool(marks.any())
        if self._has_marks:
            remark(
                "The file gives no underload_value: pixels below 0 or at the highest value of their data type"
                " are masked."
            )

    def paths(self) -> list[str]:
        """The master."""
        return [self._path]

    def master_path(self) -> str:
        """The master."""
        return self._path

    def identifiers(self) -> list[str]:
        """A name for each image."""
        return [f"{self._path}-{index}" for index in range(len(self))]

    def is_single_file_reader(self) -> bool:
        """All images are in one file."""
        return True

    def copy(self, _filenames: Any, _num_images: Any = None) -> HDF5Reader:
        """Itself."""
        return self

    def __deepcopy__(self, _memo: Any) -> HDF5Reader:
        return self

    def __len__(self) -> int:
        return self.map.n_images
