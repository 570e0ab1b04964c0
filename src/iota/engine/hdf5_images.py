"""Images of HDF5 masters: pixels from where the map of images says, models from dxtbx.

What dxtbx thinks about links, virtual datasets, scans and numbers of images does not matter then: every image is a
still. Formats that read pixels in a way of their own (SACLA, PAL, Jungfrau of some beamlines) are left to dxtbx.
"""

from __future__ import annotations

import copy
import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from dxtbx import flumpy
from dxtbx.format.FormatHDF5EigerNearlyNexus import FormatHDF5EigerNearlyNexus
from dxtbx.format.FormatNexus import FormatNexus
from dxtbx.format.FormatNXmx import FormatNXmx
from dxtbx.format.image import ImageBool
from dxtbx.format.Registry import get_format_class_for_file
from dxtbx.imageset import ImageSet, ImageSetData
from scitbx.array_family import flex

from iota.engine.hdf5_rows import Array, read_image
from iota.engine.panels import Panels, panels_of
from iota.engine.stand_in import write_stand_in
from iota.inputs.image_map import ImageMap, read_map


class HDF5Images:
    """The images of one master. Get it from :func:`open_images`."""

    def __init__(self, path: str, found: ImageMap, instance: Any, panels: Panels, files_grow: bool) -> None:
        self.path = path
        self.map = found
        self._format = instance  # dxtbx's, of the file that stood in for the master
        self._panels = panels
        self._files_grow = files_grow
        self._data: Any = None
        self._last: Any = None

    def reason(self, index: int) -> str:
        """Why an image cannot be read; empty when it can. Looks again if files may have come since."""
        why = self.map.reason(index)
        if why and self._files_grow:
            self.map = read_map(self.path)
            why = self.map.reason(index)
            if self._data is not None and len(self._data.reader()) != self.map.n_images:
                self._data = None
        return why

    def imageset(self, index: int) -> Any:
        """Image set of one image, a still with models of its own; those of the image before are forgotten."""
        if self._data is None:
            self._data = self._make_data()
        if self._last is not None:
            _forget_models(self._last)
        imageset = ImageSet(self._data, indices=flex.size_t([index]))
        beam, detector = self.models(index)
        imageset.set_beam(beam, 0)
        imageset.set_detector(detector, 0)
        self._last = imageset
        return imageset

    def models(self, index: int) -> tuple[Any, Any]:
        """Beam and detector of an image, to be changed at will."""
        return copy.deepcopy(self._format.get_beam(index)), copy.deepcopy(self._format.get_detector(index))

    def pixels(self, index: int) -> tuple[Any, ...]:
        """Pixels of an image as dxtbx has them: a flex array of int, float or double for each panel.

        Raises:
            NotWrittenError: they were never written.
            Exception: the file is damaged.
        """
        return tuple(flumpy.from_numpy(panel) for panel in self._panels.cut(self.values(read_image(self.map, index))))

    def values(self, stored: Array) -> Array:
        """Pixels `[slow, fast]` or `[module, slow, fast]` as int32, float32 or float64; below 0 is no count."""
        if stored.dtype.kind not in "iub":
            return stored.astype(np.float64 if stored.dtype.itemsize > 4 else np.float32, copy=False)
        values = stored.astype(np.int32, copy=False)
        bits = getattr(self._format, "_bit_depth_image", None) or getattr(self._format, "_bit_depth_readout", None)
        if bits:  # the two highest values mark pixels without a count
            top = 2**31 if bits == 32 else 2 ** int(bits)
            values[values == top - 1] = -1
            values[values == top - 2] = -2
        return values

    def mask(self) -> Any:
        """What is masked on every image: ``flex.bool`` of each panel in a tuple, or None."""
        mask = self._format.get_static_mask()
        return None if mask is None else tuple(mask)

    def _make_data(self) -> Any:
        data = ImageSetData(
            reader=_Reader(self),
            masker=None,
            vendor=self._format.get_vendortype(),
            params={},
            format=type(self._format),
        )
        mask = self.mask()
        if mask is None:
            return data
        masked = ImageSet(data, indices=flex.size_t([0]))
        masked.external_lookup.mask.data = ImageBool(mask)
        return masked.data()  # a copy: the first one has no mask


class _Reader:
    """What DIALS asks for pixels; knows its master by path, as that is what files of DIALS name."""

    def __init__(self, images: HDF5Images) -> None:
        self._images = images
        self._n_images = images.map.n_images

    def read(self, index: int) -> tuple[Any, ...]:
        return self._images.pixels(index)

    def paths(self) -> list[str]:
        return [self._images.path]

    def master_path(self) -> str:
        return self._images.path

    def identifiers(self) -> list[str]:
        return [f"{self._images.path}-{index}" for index in range(self._n_images)]

    def is_single_file_reader(self) -> bool:
        return True

    def copy(self, _filenames: Any, _num_images: Any = None) -> _Reader:
        return self

    def __deepcopy__(self, _memo: Any) -> _Reader:
        return self

    def __len__(self) -> int:
        return self._n_images


def open_images(path: str, files_grow: bool = False) -> HDF5Images | None:
    """Open a master; None where dxtbx has to read the file in its own way.

    Raises:
        OSError, RuntimeError, KeyError, ValueError, TypeError: it is damaged.
    """
    found = read_map(path)
    if not found.n_images or not found.stretches:
        return None
    if not found.shape:  # not one data file is there: no models are needed
        return HDF5Images(path, found, None, Panels(()), files_grow)
    with tempfile.TemporaryDirectory(prefix="iota_") as folder:
        stand_in = Path(folder) / Path(path).name
        write_stand_in(path, found, stand_in)
        format_class = get_format_class_for_file(str(stand_in))
        if format_class is None or not _reads_as_all(format_class):
            return None
        with warnings.catch_warnings():  # of a goniometer that stands still: 0 of 0 degrees
            warnings.simplefilter("ignore", RuntimeWarning)
            instance = format_class(str(stand_in))
        panels = panels_of(stand_in, instance.get_detector(0), math.prod(found.shape[:-1]), found.shape[-1])
    if panels is None:
        return None
    return HDF5Images(path, found, instance, panels, files_grow)


def _reads_as_all(format_class: Any) -> bool:
    """Whether a format's pixels are those of its dataset, without ideas of its own."""
    usual = [FormatNexus.get_raw_data, FormatNXmx.get_raw_data, FormatHDF5EigerNearlyNexus.get_raw_data]
    return format_class.get_raw_data in usual or format_class.__name__.startswith("FormatNXmxEigerFilewriter")


def _forget_models(imageset: Any) -> None:
    imageset.set_beam(None, 0)
    imageset.set_detector(None, 0)
