"""Adapts groups and axes of NXmx files to what dxtbx expects.

dxtbx finds groups by their class only, and fails on some units that NeXus allows, and on goniometers that it cannot
interpret, which are irrelevant for stills.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from iota.causes import Cause, why
from iota.engine.images.reading import ImportFailedError
from iota.hdf5 import h5py
from iota.inputs.hdf5.masters import class_of, groups_of_class, text_of

LENGTHS_MM = {
    **dict.fromkeys(("m", "meter", "metre", "meters", "metres"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 10.0),
    **dict.fromkeys(("mm", "millimeter", "millimetre", "millimeters", "millimetres"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre"), 1e-3),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-6),
}
_ANGLES_DEG = {
    **dict.fromkeys(("deg", "degree", "degrees", "°"), 1.0),
    **dict.fromkeys(("rad", "radian", "radians"), 180.0 / np.pi),
}
_CLASSES = {
    "entry": "NXentry",
    "entry/data": "NXdata",
    "entry/sample": "NXsample",
    "entry/instrument": "NXinstrument",
    "entry/instrument/beam": "NXbeam",
    "entry/instrument/detector": "NXdetector",
}


def correct_groups(file: h5py.File) -> None:
    """Set classes, definition, sample and units as dxtbx requires.

    Raises:
        ImportFailedError: an axis on which the detector's place depends has no value or no unit.
    """
    for name, nx_class in _CLASSES.items():
        if isinstance(file.get(name), h5py.Group) and not class_of(file[name]):
            file[name].attrs["NX_class"] = np.bytes_(nx_class)
    _leave_one_detector(file)
    for entry in groups_of_class(file, "NXentry"):
        if not has_modules(entry):
            continue
        if "definition" in entry:
            del entry["definition"]
        entry["definition"] = "NXmx"
        _free_sample(entry)
        for detector in groups_of_class(entry, "NXinstrument", "NXdetector"):
            _correct_limits(detector)
            _correct_axes(file, detector)


def has_modules(entry: h5py.Group) -> bool:
    """Whether an entry describes a detector according to NXmx, whatever its definition says."""
    modules = groups_of_class(entry, "NXinstrument", "NXdetector", "NXdetector_module")
    return any("fast_pixel_direction" in module for module in modules)


def _leave_one_detector(file: h5py.File) -> None:
    """Delete detectors without pixels of their own beside one that has them."""
    for instrument in groups_of_class(file, "NXentry", "NXinstrument"):
        detectors = list(groups_of_class(instrument, "NXdetector"))
        bare = [one for one in detectors if not any(groups_of_class(one, "NXdetector_module"))]
        for one in bare if len(bare) < len(detectors) else ():
            del file[one.name]


def _free_sample(entry: h5py.Group) -> None:
    """Make sure that there is a sample, and that it does not depend on a goniometer."""
    samples = list(groups_of_class(entry, "NXsample"))
    if not samples:
        samples = [entry.create_group("iota_sample" if "sample" in entry else "sample")]
        samples[0].attrs["NX_class"] = np.bytes_("NXsample")
    for sample in samples:
        if "depends_on" in sample:
            del sample["depends_on"]


def _correct_limits(detector: h5py.Group) -> None:
    """Remove limits of counts that are not numbers."""
    for name in ("saturation_value", "underload_value"):
        item = detector.get(name)
        if isinstance(item, h5py.Dataset) and not (item.size and np.isfinite(_numbers(item)).all()):
            del detector[name]


def _correct_axes(file: h5py.File, detector: h5py.Group) -> None:
    for name in ("sensor_thickness", "x_pixel_size", "y_pixel_size"):
        item = detector.get(name)
        if isinstance(item, h5py.Dataset):
            factor = LENGTHS_MM.get(text_of(item.attrs.get("units")).strip().lower())
            if factor is not None and item.size and item.dtype.kind in "iuf":
                _replace(file, item, _numbers(item)[0] * factor * 1e-3, "m")
            elif name == "sensor_thickness":
                raise ImportFailedError(why(Cause.NO_SENSOR_THICKNESS))
    done: set[str] = set()
    for module in groups_of_class(detector, "NXdetector_module"):
        _share_place(module)
        for name in ("fast_pixel_direction", "slow_pixel_direction", "module_offset"):
            for axis in list(_chain(module.get(name))):
                if axis.name not in done:
                    done.add(axis.name)
                    _correct_axis(file, axis)


def _share_place(module: h5py.Group) -> None:
    """Make both directions of a module depend on the same axis if only one of them gives it."""
    axes = [module.get(f"{name}_pixel_direction") for name in ("fast", "slow")]
    said = [axis.attrs.get("depends_on") for axis in axes if isinstance(axis, h5py.Dataset)]
    if len(said) == 2 and (said[0] is None) != (said[1] is None):
        axes[0 if said[0] is None else 1].attrs["depends_on"] = said[0] if said[1] is None else said[1]


_MAX_AXES = 100  # that a detector stands on; real ones have ten at the most


def _chain(axis: Any) -> Iterator[h5py.Dataset]:
    """An axis, and those that it depends on."""
    for _ in range(_MAX_AXES):
        if not isinstance(axis, h5py.Dataset):
            return
        yield axis
        depends_on = text_of(axis.attrs.get("depends_on"))
        axis = axis.parent.get(depends_on) if depends_on not in ("", ".") else None
    if axis is not None:
        raise ImportFailedError(why(Cause.TOO_MANY_AXES, maximum=_MAX_AXES, axis=axis.name))


def _correct_axis(file: h5py.File, axis: h5py.Dataset) -> None:
    """Write an axis in mm or degrees, with the one value that it has for stills."""
    is_rotation = text_of(axis.attrs.get("transformation_type")) == "rotation"
    units = text_of(axis.attrs.get("units")).strip()
    factor = (_ANGLES_DEG if is_rotation else LENGTHS_MM).get(units.lower())
    values = _numbers(axis) if axis.dtype.kind in "iuf" else np.zeros(0)
    is_pixel = axis.name.endswith("_pixel_direction")
    if not values.size or not np.isfinite(values[0]) or (is_pixel and not values[0]):
        raise ImportFailedError(why(Cause.AXIS_WITHOUT_VALUE, axis=axis.name))
    if factor is None:
        if not units:
            raise ImportFailedError(why(Cause.AXIS_WITHOUT_UNIT, axis=axis.name))
        quantity = "angle" if is_rotation else "length"
        raise ImportFailedError(why(Cause.AXIS_UNIT_UNKNOWN, unit=units, quantity=quantity, axis=axis.name))
    if values[0] and not _is_direction(axis.attrs.get("vector")):
        raise ImportFailedError(why(Cause.AXIS_WITHOUT_DIRECTION, axis=axis.name))
    offset = axis.attrs.get("offset")
    if offset is not None:
        of_offset = text_of(axis.attrs.get("offset_units")).strip() or ("mm" if is_rotation else units)
        axis.attrs["offset"] = np.ravel(np.asarray(offset, np.float64)) * LENGTHS_MM.get(of_offset.lower(), 1.0)
        axis.attrs["offset_units"] = np.bytes_("mm")
    _replace(file, axis, values[0] * factor, "deg" if is_rotation else "mm")


def _is_direction(vector: Any) -> bool:
    numbers = np.ravel(np.asarray(() if vector is None else vector))
    return numbers.size == 3 and numbers.dtype.kind in "iuf" and bool(np.isfinite(numbers).all() and numbers.any())


def _replace(file: h5py.File, item: h5py.Dataset, value: float, units: str) -> None:
    """Replace a dataset by one number, and keep its attributes."""
    name, attributes = item.name, dict(item.attrs)
    del file[name]
    file[name] = float(value)
    file[name].attrs.update({**attributes, "units": np.bytes_(units)})


def _numbers(item: h5py.Dataset) -> Any:
    return np.ravel(np.asarray(item[()], dtype=np.float64))
