"""Images of HDF5 masters: pixels read according to the image map, models by dxtbx.

How dxtbx treats links, virtual datasets, scans and numbers of images then does not matter: every image is a still.
Formats that read pixels in their own way (SACLA, Jungfrau of some beamlines) are left to dxtbx.
"""

from __future__ import annotations

import copy
import math
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

from dxtbx.format.image import ImageBool
from dxtbx.format.Registry import get_format_class_for_file
from dxtbx.imageset import ImageSet, ImageSetData
from scitbx.array_family import flex

from iota.causes import Cause, Why, why
from iota.engine.backend.remarks import remark
from iota.engine.images.hdf5.header_copy import write_header_copy
from iota.engine.images.hdf5.nexus_header import Header
from iota.engine.images.hdf5.panels import Panels, panels_of
from iota.engine.images.hdf5.reader import HDF5Reader
from iota.engine.images.hdf5.still_models import complete
from iota.engine.images.reading import ImportFailedError
from iota.inputs.hdf5.image_map import ImageMap, read_map


class HDF5Images:
    """The images of one master. Get it from :func:`open_images`."""

    def __init__(
        self, path: str, found: ImageMap, instance: Any, panels: Panels, files_grow: bool, header: Header
    ) -> None:
        depths = (getattr(instance, name, None) for name in ("_bit_depth_image", "_bit_depth_readout"))
        bit_depth = next((int(bits) for bits in depths if bits), None)
        self.path = path
        self._reader = HDF5Reader(path, found, panels, header, bit_depth)
        self._format = instance  # dxtbx's, of the file that stood in for the master
        self._header = header
        self._remarks = complete(instance.get_detector(0), instance.get_beam(0), header) if instance else []
        self._files_grow = files_grow
        self._data: Any = None
        self._last: Any = None

    @property
    def map(self) -> ImageMap:
        """The map of its images."""
        return self._reader.map

    def why(self, index: int) -> Why | None:
        """Why an image cannot be read; None if it can. Checks again if files may have arrived since."""
        found = self.map.why(index)
        if found and self._files_grow:
            before, self._reader.map = len(self._reader), read_map(self.path)
            found = self.map.why(index)
            if len(self._reader) != before:
                self._data = None
        return found or self._header.mask_problem

    def no_wavelength(self, index: int) -> Why | None:
        """Why an image has no wavelength; None if it has one."""
        wavelength_A = self._header.wavelength_A(index)
        return None if wavelength_A is None or math.isfinite(wavelength_A) else self._header.no_wavelength(index)

    def imageset(self, index: int) -> Any:
        """Image set of one image, a still with models of its own; those of the previous image are discarded."""
        for sentence in self._remarks:
            remark(sentence)
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
        """Beam and detector of an image, as copies that may be modified."""
        wavelength_A = self._header.wavelength_A(index)
        beam = copy.deepcopy(self._format.get_beam(index if wavelength_A is None else 0))
        if wavelength_A is not None and math.isfinite(wavelength_A):
            beam.set_wavelength(wavelength_A)
        return beam, copy.deepcopy(self._format.get_detector(index))

    def mask(self) -> Any:
        """The mask common to all images: ``flex.bool`` of each panel in a tuple, or None."""
        return self._reader.mask() or tuple(self._format.get_static_mask() or ()) or None

    def _make_data(self) -> Any:
        data = ImageSetData(
            reader=self._reader,
            masker=None,
            vendor=self._format.get_vendortype(),
            params={},
            format=type(self._format),
        )
        mask = self.mask()
        if mask is not None:
            imageset = ImageSet(data, indices=flex.size_t([0]))
            imageset.external_lookup.mask.data = ImageBool(mask)
            return imageset.data()  # a set keeps a copy of what it is made of
        return data


def open_images(path: str, files_grow: bool = False) -> HDF5Images | None:
    """Open a master; None if dxtbx has to read the file in its own way.

    Raises:
        OSError, RuntimeError, KeyError, ValueError, TypeError: it is damaged.
    """
    found = read_map(path)
    if not found.n_images or not found.segments:
        return None
    if not found.shape:  # not one data file is there: no models are needed
        return HDF5Images(path, found, None, Panels(()), files_grow, Header())
    with tempfile.TemporaryDirectory(prefix="iota_") as folder:
        header_copy = Path(folder) / Path(path).name
        header = write_header_copy(path, found, header_copy)
        format_class = get_format_class_for_file(str(header_copy))
        if format_class is None or not _reads_as_all(format_class):
            return None
        instance = _instance(format_class, header_copy)
        if not len(instance.get_detector(0)):
            raise ImportFailedError(why(Cause.NO_GROUP, what="detector", group="NXdetector_module"))
        panels = panels_of(header_copy, instance.get_detector(0), math.prod(found.shape[:-1]), found.shape[-1])
    if panels is None:
        return None
    return HDF5Images(path, found, instance, panels, files_grow, header)


def _instance(format_class: Any, header_copy: Path) -> Any:
    try:
        with warnings.catch_warnings():  # of a goniometer that stands still: 0 of 0 degrees
            warnings.simplefilter("ignore", RuntimeWarning)
            return format_class(str(header_copy))
    except KeyError as error:
        lacks = re.search(r"object '([^']+)' doesn't exist", str(error))
        if lacks is None:
            raise
        raise ImportFailedError(why(Cause.HEADER_LACKS, item=lacks[1])) from error


def _reads_as_all(format_class: Any) -> bool:
    """Whether a format reads pixels from the dataset unchanged."""
    # with these comes pint, and with it pandas: half a second that only HDF5 files are worth
    from dxtbx.format.FormatHDF5EigerNearlyNexus import FormatHDF5EigerNearlyNexus
    from dxtbx.format.FormatNexus import FormatNexus
    from dxtbx.format.FormatNXmx import FormatNXmx

    usual = [FormatNexus.get_raw_data, FormatNXmx.get_raw_data, FormatHDF5EigerNearlyNexus.get_raw_data]
    return format_class.get_raw_data in usual or format_class.__name__.startswith("FormatNXmxEigerFilewriter")


def _forget_models(imageset: Any) -> None:
    imageset.set_beam(None, 0)
    imageset.set_detector(None, 0)
