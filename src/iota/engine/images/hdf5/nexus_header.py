"""Corrects items in the header of an HDF5 master that dxtbx misreads.

dxtbx 3.12 ignores the offset of a module along its fast axis and masks of three dimensions, both versions fail if a
wavelength is missing, is 0 or is given as an energy, and take marker values of invalid pixels as counts if no
``underload_value`` is given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.causes import Cause, Why, why
from iota.engine.images.hdf5.nexus_groups import LENGTHS_MM, correct_groups
from iota.hdf5 import h5py
from iota.inputs.hdf5.image_map import ImageMap
from iota.inputs.hdf5.masters import groups_of_class, text_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_EV_ANGSTROM = 12398.41984  # energy times wavelength (CODATA 2018)
_ANY_WAVELENGTH_A = 1.0  # in place of one that the file does not give, so that dxtbx can make a model at all
_WAVELENGTHS_A = {
    **dict.fromkeys(("angstrom", "angstroms", "ångström", "ångstrom", "angström", "a", "å"), 1.0),
    **{"nm": 10.0, "pm": 0.01, "m": 1e10},
}
_ENERGIES_EV = {"ev": 1.0, "kev": 1e3, "j": 1 / 1.602176634e-19, "joule": 1 / 1.602176634e-19}
_SHORTEST_A, _LONGEST_A = 1e-3, 100.0  # electrons to slow neutrons; beyond, units are not those that the file says
_ENERGY_NAMES = ("incident_energy", "photon_energy", "energy")
_AXES = "iota_positions"


@dataclass
class Header:
    """Data on the images of a master that dxtbx' models do not contain. Get it from :func:`correct_header`."""

    wavelengths_A: Floats | None = None  # [n], or [1] for all images, not usable where there is none; None: dxtbx knows
    says_no_wavelength: bool = False  # neither that nor an energy
    mask: Bools | None = None  # of the shape of an image, True where a pixel is masked
    masks: tuple[str, str] | None = None  # file and dataset with a mask for each image
    mask_problem: Why | None = None
    beam_px: tuple[float, float] | None = None  # fast, slow, as the file says beside its geometry
    distance_mm: float | None = None  # the same
    has_lower_limit: bool = True  # the file says which is the lowest count
    remarks: list[str] = field(default_factory=list)

    def wavelength_A(self, index: int) -> float | None:
        """Wavelength of an image; None if dxtbx has the right one, NaN if the file gives no usable one."""
        if self.wavelengths_A is None:
            return None
        said = self._said_A(index)
        return said if _is_usable(np.array(said)) else math.nan

    def no_wavelength(self, index: int) -> Why:
        """The failure of an image without a wavelength."""
        said = self._said_A(index)
        if not math.isfinite(said):
            return why(Cause.NO_WAVELENGTH_OF_IMAGE)
        return why(Cause.BAD_WAVELENGTH_OF_IMAGE, wavelength_A=said)

    def _said_A(self, index: int) -> float:
        values = self.wavelengths_A
        if values is None or (len(values) > 1 and index >= len(values)):
            return math.nan
        return float(values[index if len(values) > 1 else 0])


def correct_header(target: h5py.File, source: h5py.File, found: ImageMap) -> Header:
    """Correct the stand-in of a master, and return what dxtbx cannot get from it.

    Args:
        target: the file that stands in, open for writing.
        source: the master.
        found: its images.
    """
    correct_groups(target)
    header = Header()
    detectors = list(groups_of_class(target, "NXentry", "NXinstrument", "NXdetector"))
    _correct_wavelength(target, detectors, header)
    if len(detectors) == 1:
        detector = detectors[0]
        for module in groups_of_class(detector, "NXdetector_module"):
            _correct_position(detector, module)
        _take_mask(detector, source, found, header)
        _take_lower_limit(detector, found, header)
        _take_nominal(detector, header)
    return header


# -- wavelength


def _correct_wavelength(file: h5py.File, detectors: list[h5py.Group], header: Header) -> None:
    """Make sure that each beam has one valid wavelength, and keep those of single images."""
    beams = list(groups_of_class(file, "NXentry", "NXinstrument", "NXbeam"))
    beams += groups_of_class(file, "NXentry", "NXsample", "NXbeam")
    if any(_has_spectra(beam) for beam in beams):
        return
    found = next((values for beam in beams if (values := _wavelengths_A(beam)) is not None), None)
    if found is None or not _is_usable(found).any():
        found = _from_detector(detectors, header, found)
    usable = found[_is_usable(found)]
    header.wavelengths_A = found
    for beam in beams or _new_beams(file):
        if "incident_wavelength" in beam:
            del beam["incident_wavelength"]
        beam["incident_wavelength"] = float(usable[0]) if usable.size else _ANY_WAVELENGTH_A
        beam["incident_wavelength"].attrs["units"] = np.bytes_("angstrom")


def _has_spectra(beam: h5py.Group) -> bool:
    wavelength = beam.get("incident_wavelength")
    has_variant = isinstance(wavelength, h5py.Dataset) and "variant" in wavelength.attrs
    return has_variant or any(f"incident_wavelength_{what}" in beam for what in ("weights", "weight"))


def _wavelengths_A(beam: h5py.Group) -> Floats | None:
    """Wavelengths of a beam [n], from energies where there is no usable one; None if it says nothing."""
    given = _converted(beam.get("incident_wavelength"), _WAVELENGTHS_A, "angstrom")
    energies = next(
        (e for name in _ENERGY_NAMES if (e := _converted(beam.get(name), _ENERGIES_EV, "ev")) is not None), None
    )
    if energies is None:
        return given
    with np.errstate(divide="ignore", invalid="ignore"):
        from_energy = _EV_ANGSTROM / energies
    if given is None:
        return from_energy
    if given.size != from_energy.size and 1 not in (given.size, from_energy.size):
        return given
    return np.where(_is_usable(given), given, from_energy)


def _from_detector(detectors: list[h5py.Group], header: Header, found: Floats | None) -> Floats:
    """The photon energy for which a DECTRIS detector was set, where the beam has no wavelength."""
    for detector in detectors:
        energy = _converted(detector.get("detectorSpecific/photon_energy"), _ENERGIES_EV, "ev")
        if energy is not None and energy.size == 1 and _is_usable(energy).all():
            header.remarks.append(
                "The file does not give the beam wavelength; it is calculated from the detector's photon_energy."
            )
            return _EV_ANGSTROM / energy
    header.says_no_wavelength = found is None
    return np.array([np.nan]) if found is None else found


def _new_beams(file: h5py.File) -> Iterator[h5py.Group]:
    """A beam for each instrument without one."""
    for instrument in groups_of_class(file, "NXentry", "NXinstrument"):
        beam = instrument.require_group("beam")
        beam.attrs["NX_class"] = np.bytes_("NXbeam")
        yield beam


def _is_usable(values: Floats) -> Bools:
    return np.isfinite(values) & (values > _SHORTEST_A) & (values < _LONGEST_A)


# -- positions of modules


def _correct_position(detector: h5py.Group, module: h5py.Group) -> None:
    """Convert an offset of the fast axis to a separate axis, on which both axes of the module depend.

    The offset is taken as DIALS 3.30 takes it: that of the fast axis, or, where this has none, of the slow one.
    """
    fast, slow = module.get("fast_pixel_direction"), module.get("slow_pixel_direction")
    if not isinstance(fast, h5py.Dataset) or not isinstance(slow, h5py.Dataset):
        return
    parent = _depends_on(fast)
    if parent is None and isinstance(module.get("module_offset"), h5py.Dataset):
        parent = _depends_on(module["module_offset"])  # as EIGER files with "." there mean it
    offset = _offset_mm(fast)
    if offset is None:
        offset = _offset_mm(slow)
    if offset is not None and np.any(offset):
        axes = detector.require_group(_AXES)
        axes.attrs["NX_class"] = np.bytes_("NXtransformations")
        length = float(np.linalg.norm(offset))
        axis = axes.create_dataset(module.name.strip("/").replace("/", "_"), data=length)
        axis.attrs["transformation_type"] = np.bytes_("translation")
        axis.attrs["vector"] = offset / length
        axis.attrs["offset"], axis.attrs["offset_units"] = np.zeros(3), np.bytes_("mm")
        axis.attrs["units"] = np.bytes_("mm")
        axis.attrs["depends_on"] = np.bytes_(parent or ".")
        parent = axis.name
    elif parent is None or _depends_on(fast) is not None:
        return
    for direction in (fast, slow):
        direction.attrs["depends_on"] = np.bytes_(parent)
        direction.attrs["offset"], direction.attrs["offset_units"] = np.zeros(3), np.bytes_("mm")


def _depends_on(axis: h5py.Dataset) -> str | None:
    """Full name of the axis on which an axis depends; None if there is none."""
    name = text_of(axis.attrs.get("depends_on"))
    if name in ("", "."):
        return None
    found = axis.parent.get(name)
    return None if found is None else str(found.name)


def _offset_mm(axis: h5py.Dataset) -> Floats | None:
    if "offset" not in axis.attrs:
        return None
    offset = np.ravel(np.asarray(axis.attrs["offset"], dtype=np.float64))
    units = text_of(axis.attrs.get("offset_units")) or text_of(axis.attrs.get("units"))
    return offset * LENGTHS_MM.get(units.lower(), 1.0) if offset.size == 3 else None


# -- masks and limits


def _take_mask(detector: h5py.Group, source: h5py.File, found: ImageMap, header: Header) -> None:
    """Remove the mask from the file, so that dxtbx neither ignores it nor fails on it."""
    for name in ("pixel_mask", "detectorSpecific/pixel_mask"):
        link = source.get(f"{detector.name}/{name}", getlink=True)
        if isinstance(link, h5py.ExternalLink) and source.get(f"{detector.name}/{name}") is None:
            header.remarks.append(
                f"The file's pixel mask is in {link.filename}, where it cannot be read: its pixels are not masked."
            )
        mask = detector.get(name)
        if mask is None or found.channel is None:  # as it is, even where it is too large to be copied
            mask = source.get(f"{detector.name}/{name}")
        if not isinstance(mask, h5py.Dataset) or mask.ndim < 2 or not mask.size:
            continue
        if header.mask is None and header.masks is None and not header.mask_problem:
            _read_mask(mask, found, header)
        if name in detector:
            del detector[name]


def _read_mask(mask: h5py.Dataset, found: ImageMap, header: Header) -> None:
    shape, extra = found.shape, mask.ndim - len(found.shape)
    if mask.shape == shape:
        header.mask = mask[()] != 0
    elif extra == 1 and mask.shape[1:] == shape and mask.shape[0] == found.n_images > 1:
        header.masks = mask.file.filename, mask.name
    elif extra == 1 and mask.shape[1:] == shape and found.channel and mask.shape[0] == found.channel.n_channels:
        header.mask = mask[found.channel.index] != 0
    elif extra >= 1 and mask.shape[extra:] == shape:
        header.mask = (mask[()] != 0).reshape(-1, *shape).any(axis=0)
    elif mask.size == math.prod(shape) and mask.shape[-1] == shape[-1] and (mask.ndim > 2 or len(shape) > 2):
        header.mask = (mask[()] != 0).reshape(shape)
    else:
        header.mask_problem = why(Cause.MASK_IN_FILE_SIZE, mask=_size(mask.shape), image=_size(shape))
        return
    if header.mask is not None and header.mask.all():
        header.mask_problem = why(Cause.MASK_IN_FILE_ALL)


def _size(shape: tuple[int, ...]) -> str:
    """Fast axis first, as everywhere in DIALS."""
    return " x ".join(map(str, reversed(shape)))


def _take_lower_limit(detector: h5py.Group, found: ImageMap, header: Header) -> None:
    """Set the lower limit of integer counts to 0 unless the file gives one; float pixels may be negative."""
    if "underload_value" in detector or np.dtype(found.dtype).kind not in "iub":
        return
    header.has_lower_limit = False
    detector["underload_value"] = 0


# -- what the file says beside its geometry


def _take_nominal(detector: h5py.Group, header: Header) -> None:
    centre = [_numbers(detector.get(f"beam_center_{axis}")) for axis in "xy"]
    if centre[0] is not None and centre[1] is not None and centre[0].size and centre[1].size:
        scale = [_per_pixel(detector, axis) for axis in "xy"]
        x, y = (float(values.flat[0]) * one for values, one in zip(centre, scale, strict=True) if values is not None)
        if np.isfinite([x, y]).all() and (x or y):
            header.beam_px = x, y
    for name in ("detector_distance", "distance"):
        found = _converted(detector.get(name), LENGTHS_MM, "m")
        if found is not None and found.size and np.isfinite(found[0]) and found[0]:
            header.distance_mm = abs(float(found[0]))
            return


def _per_pixel(detector: h5py.Group, axis: str) -> float:
    """Factor that converts a beam centre to pixels, whatever its unit."""
    mm = LENGTHS_MM.get(text_of(detector[f"beam_center_{axis}"].attrs.get("units")).lower())
    size = _converted(detector.get(f"{axis}_pixel_size"), LENGTHS_MM, "m")
    return 1.0 if mm is None or size is None or not size.size or not size[0] else mm / float(size[0])


# -- reading


def _converted(item: Any, units: dict[str, float], usual: str) -> Floats | None:
    """Numbers in the requested unit; NaN if their own is unknown; ``usual`` is the unit if none is given."""
    values = _numbers(item)
    if values is None or not values.size:
        return None
    return values * units.get(text_of(item.attrs.get("units")).strip().lower() or usual, math.nan)


def _numbers(item: Any) -> Floats | None:
    """Numbers of a dataset as a one-dimensional array; None if it does not contain numbers."""
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iuf" or item.shape is None:
        return None
    return np.ravel(np.asarray(item[()], dtype=np.float64))
