"""Images of HDF5 and CXI files described by a CrystFEL geometry, as DIALS experiments.

DIALS' frame is the usual one of dxtbx, with the beam along -z and y up; CrystFEL's has z along the beam. A pixel that
the geometry calls bad gets a value below the trusted range, so that no part of DIALS or IOTA needs to handle masks.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dxtbx import flumpy
from dxtbx.format.FormatMultiImage import FormatMultiImage
from dxtbx.imageset import ImageSet, ImageSetData
from dxtbx.model import BeamFactory, Panel
from scitbx.array_family import flex

from iota.causes import Cause, Why, why
from iota.engine.backend.hierarchy import in_groups
from iota.engine.backend.remarks import remark
from iota.engine.exports.crystfel_geometry import EV_A
from iota.engine.images.crystfel_pixels import EventReader, NotThereError, length_m, value_of
from iota.errors import BackendError
from iota.hdf5 import h5py
from iota.inputs.crystfel.events import Event, events_of, read_event_map
from iota.inputs.crystfel.geometry import CrystfelGeometry, GeometryPanel, read_geometry
from iota.inputs.crystfel.values import wavelength_A
from iota.inputs.hdf5.image_map import ImageMap
from iota.inputs.hdf5.masters import open_hdf5

_TO_DIALS = np.array([-1.0, 1.0, -1.0])
LOWEST = -1_000_000.0  # of trusted counts: noise around a pedestal is negative, and no detector counts so far down
_BAD = -2_000_000
_HIGHEST = 1_000_000_000.0
_SATURATED = 2_000_000_000


class CrystfelImages:
    """Images and detectors described by one geometry. Get it from :func:`crystfel_images`."""

    def __init__(self, geometry: CrystfelGeometry) -> None:
        self.geometry = geometry
        self._reader = EventReader(geometry)
        self._map: tuple[tuple[str, int, int], ImageMap] | None = None  # of the last file

    def imageset(self, path: str, index: int, has_wavelength: bool = False) -> Any:
        """Image set of one image, with its models.

        Args:
            path: of an HDF5 file.
            index: number of the image, from 0, in the order of :func:`iota.inputs.crystfel.events.events_of`.
            has_wavelength: whether the user says it, so that the file need not.

        Raises:
            NotThereError: it cannot be read as the geometry says; the text is a sentence.
            InputError: the same, for the data themselves; the text goes after the name of the file.
        """
        geometry = self.geometry
        if geometry.unused:
            name = Path(geometry.path).name
            remark(f"{name} has directives that are not used: {', '.join(sorted(geometry.unused))}.")
        for sentence in geometry.unused_groups:
            remark(f"{Path(geometry.path).name}: {sentence}")
        if any(not (mask.good_bits or mask.bad_bits) for panel in geometry.panels for mask in panel.masks):
            remark(f"{Path(geometry.path).name} names a mask without mask_good or mask_bad, so the mask has no effect.")
        problem = self._why(path, index)
        if problem:
            raise NotThereError(problem)
        with open_hdf5(path) as file:
            events = events_of(file, geometry)
            event = events[index]
            beam = _beam(file, geometry, event, has_wavelength)
            detector = self._detector(file, event, beam.get_wavelength())
        imageset = ImageSet(
            ImageSetData(
                reader=_Reader(path, len(events), self), masker=None, vendor="", params={}, format=FormatMultiImage
            ),
            indices=flex.size_t([index]),
        )
        imageset.set_beam(beam, 0)
        imageset.set_detector(detector, 0)
        return imageset

    def _why(self, path: str, index: int) -> Why | None:
        """Why an image cannot be read; None if it can. Checks again if files may have arrived since."""
        status = Path(path).stat()
        key = (path, status.st_mtime_ns, status.st_size)
        if self._map is None or self._map[0] != key or self._map[1].why(index):
            self._map = key, read_event_map(path, self.geometry)
        return self._map[1].why(index)

    def pixels(self, path: str, index: int) -> tuple[Any, ...]:
        """Pixels of each panel: ``flex.int``, or ``flex.double`` where the file has fractions."""
        with open_hdf5(path) as file:
            event = events_of(file, self.geometry)[index]
            panels = list(self._reader.panels(file, event))
        if all(bad.all() for _, bad, _ in panels):
            raise NotThereError(why(Cause.CRYSTFEL_ALL_MASKED))
        return tuple(_counts(*panel) for panel in panels)

    def _detector(self, file: h5py.File, event: Event, wavelength: float) -> Any:
        geometry = self.geometry
        shift_m = np.array([0.0 if q is None else length_m(file, q, event) for q in geometry.shift])
        lengths = {q: length_m(file, q, event) for q in {panel.clen or geometry.clen for panel in geometry.panels} if q}
        highest = _highest(self._reader.dtype(file, event))
        panels = []
        for panel in geometry.panels:
            clen = panel.clen or geometry.clen
            assert clen is not None  # read_geometry has seen to it
            panels.append(dials_panel(panel, lengths[clen], wavelength, highest, shift_m))
        return in_groups(panels, geometry.levels)


class _Reader:
    """The reader from which dxtbx gets the pixels of a file."""

    def __init__(self, path: str, n_images: int, images: CrystfelImages) -> None:
        self._path, self._n_images, self._images = path, n_images, images

    def read(self, index: int) -> tuple[Any, ...]:
        return self._images.pixels(self._path, index)

    def paths(self) -> list[str]:
        return [self._path]

    def __len__(self) -> int:
        return self._n_images

    def copy(self, filenames: Sequence[str], num_images: int | None = None) -> _Reader:
        return _Reader(filenames[0], self._n_images if num_images is None else num_images, self._images)

    def identifiers(self) -> list[str]:
        return [f"{self._path}-{index}" for index in range(self._n_images)]

    def is_single_file_reader(self) -> bool:
        return True

    def master_path(self) -> str:
        return self._path


def crystfel_images(path: str) -> CrystfelImages:
    """Images as a geometry file describes them; the file is read once as long as it does not change.

    Raises:
        UsageError: it cannot be read or understood.
    """
    try:
        changed = Path(path).stat().st_mtime_ns
    except OSError:  # reading it says why
        changed = 0
    return _images(path, changed)


@lru_cache(maxsize=4)
def _images(path: str, _changed: int) -> CrystfelImages:
    return CrystfelImages(read_geometry(path))


def dials_panel(
    panel: GeometryPanel,
    clen_m: float,
    wavelength: float | None = None,
    highest: float = _HIGHEST,
    shift_m: npt.NDArray[np.float64] | None = None,
) -> Any:
    """A panel in DIALS' frame.

    Args:
        panel: of the geometry.
        clen_m: its distance, to which its own offset is added (m).
        wavelength: in A, for a gain that is given per eV; None leaves that out.
        highest: largest count to be trusted where the geometry does not say it.
        shift_m: of the whole detector along x and y of CrystFEL.
    """
    shift_x, shift_y = (0.0, 0.0) if shift_m is None else shift_m
    corner_m = np.array(
        [panel.corner_px[0] / panel.res + shift_x, panel.corner_px[1] / panel.res + shift_y, clen_m + panel.coffset_m]
    )
    fast, slow = np.array(panel.fs), np.array(panel.ss)
    made = Panel()
    made.set_type("SENSOR_PAD")
    made.set_name(panel.name)
    made.set_frame(tuple(fast * _TO_DIALS), tuple(slow * _TO_DIALS), tuple(1000 * corner_m * _TO_DIALS))
    made.set_pixel_size(tuple(1000 / panel.res * np.linalg.norm(v) for v in (fast, slow)))
    made.set_image_size(panel.size)
    made.set_trusted_range((LOWEST, panel.max_adu or highest))
    made.set_raw_image_offset((panel.min_fs, panel.min_ss))
    gain = panel.adu_per_photon
    if gain is None and panel.adu_per_eV is not None and wavelength is not None:
        gain = panel.adu_per_eV * EV_A / wavelength
    made.set_gain(gain or 1.0)
    return made


def geometry_detector(geometry: CrystfelGeometry, path: str) -> Any:
    """Detector of a geometry that contains the detector distance.

    Raises:
        BackendError: its distance is in the files of images.
    """
    if geometry.camera_length_m is None or any(q is not None and q.value is None for q in geometry.shift):
        raise BackendError(
            f"{path} takes the distance from the image files. A reference geometry must contain the distance itself:"
            " clen = 0.1200 m. Or give the geometry as image_import.crystfel_geometry."
        )
    shift = np.array([0.0 if q is None else q.value for q in geometry.shift])
    panels = [dials_panel(panel, geometry.camera_length_m, shift_m=shift) for panel in geometry.panels]
    return in_groups(panels, geometry.levels)


def _beam(file: h5py.File, geometry: CrystfelGeometry, event: Event, has_wavelength: bool) -> Any:
    quantity = geometry.wavelength
    assert quantity is not None  # events_of has seen to it
    value = value_of(file, quantity, event)
    wavelength = wavelength_A(value, quantity.unit)
    if math.isnan(wavelength) and has_wavelength:
        return BeamFactory.simple(1.0)
    if math.isnan(wavelength):
        said = quantity.path or "photon_energy"
        raise NotThereError(why(Cause.CRYSTFEL_NO_WAVELENGTH, quantity=said, value=value, unit=quantity.unit))
    return BeamFactory.simple(wavelength)


def _highest(dtype: np.dtype[Any]) -> float:
    """Largest count to be trusted: the top value of unsigned integers marks pixels that counted too many, or none."""
    return min(np.iinfo(dtype).max - 1.0, _HIGHEST) if dtype.kind == "u" else _HIGHEST


def _counts(
    pixels: npt.NDArray[Any], bad: npt.NDArray[np.bool_], saturated: npt.NDArray[np.bool_]
) -> Any:  # flex.int or flex.double
    if pixels.dtype.kind == "f":
        counts = pixels.astype(np.float64)
    elif pixels.dtype.itemsize < 4 or pixels.dtype == np.int32:
        counts = pixels.astype(np.int32)
    else:
        counts = np.clip(pixels, _BAD, _SATURATED).astype(np.int32)
    counts[saturated] = _SATURATED
    counts[bad] = _BAD
    return flumpy.from_numpy(np.ascontiguousarray(counts))
