"""Completes the header of older DECTRIS files ("legacy") for dxtbx.

The values are those of DECTRIS' description of these files: a detector across the beam, fast axis along -x, slow axis
along -y, its first pixel where beam centre and distance put it.
"""

from __future__ import annotations

import numpy as np

from iota.causes import Cause, why
from iota.engine.images.hdf5.nexus_groups import LENGTHS_MM
from iota.engine.images.reading import ImportFailedError
from iota.hdf5 import h5py
from iota.inputs.hdf5.masters import text_of

_DETECTOR = "instrument/detector"
_NO_CUTOFF = 2**31 - 2  # more than any pixel counts


def complete_eiger(file: h5py.File) -> None:
    """Complete the header of a file that stands in for a master, if it is one of these.

    Raises:
        ImportFailedError: it does not say where the detector is.
    """
    entry = file.get("entry")
    if not isinstance(entry, h5py.Group) or "definition" in entry:
        return
    detector = entry.get(_DETECTOR)
    if not isinstance(detector, h5py.Group) or not _is_eiger(detector):
        return
    if "description" not in detector:
        detector["description"] = np.bytes_("Dectris Eiger")
    _complete_limit(detector)
    _complete_place(detector)
    sample = entry.require_group("sample")
    sample.attrs.setdefault("NX_class", np.bytes_("NXsample"))
    goniometer = sample.require_group("goniometer")
    if "omega_range_average" not in goniometer:
        goniometer["omega_range_average"] = 0.0  # the width of a still


def _is_eiger(detector: h5py.Group) -> bool:
    said = detector.get("description")
    description = text_of(said[()]) if isinstance(said, h5py.Dataset) else ""
    return "detectorSpecific" in detector or "dectris eiger" in description.lower()


def _complete_limit(detector: h5py.Group) -> None:
    names = ("countrate_correction_count_cutoff", "detectorModule_000/countrate_correction_count_cutoff")
    specific = detector.require_group("detectorSpecific")
    if not any(name in specific for name in names):
        said = detector.get("saturation_value")
        is_said = isinstance(said, h5py.Dataset) and said.size == 1
        specific[names[0]] = int(np.ravel(said[()])[0]) if is_said else _NO_CUTOFF
    if "saturation_value" in detector:
        del detector["saturation_value"]  # dxtbx makes its own


def _complete_place(detector: h5py.Group) -> None:
    orientation, translation = "geometry/orientation/value", "geometry/translation/distances"
    if orientation not in detector:
        detector[orientation] = np.array([-1.0, 0.0, 0.0, 0.0, -1.0, 0.0], np.float32)
    if translation in detector:
        return
    centre = [_number(detector, f"beam_center_{axis}") for axis in "xy"]
    size_m = [_length_m(detector, f"{axis}_pixel_size") for axis in "xy"]
    distance_m = _length_m(detector, "detector_distance")
    place = [centre[0] * size_m[0], centre[1] * size_m[1], -distance_m]
    if not np.isfinite(place).all():
        raise ImportFailedError(why(Cause.NO_DETECTOR_POSITION))
    detector[translation] = np.array(place, np.float32)


def _number(detector: h5py.Group, name: str) -> float:
    item = detector.get(name)
    is_number = isinstance(item, h5py.Dataset) and item.size == 1 and item.dtype.kind in "iuf"
    return float(np.ravel(item[()])[0]) if is_number else float("nan")


def _length_m(detector: h5py.Group, name: str) -> float:
    value = _number(detector, name)
    if np.isnan(value):
        return value
    return value * LENGTHS_MM.get(text_of(detector[name].attrs.get("units")).lower(), 1e3) * 1e-3
