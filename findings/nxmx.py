"""Writes small NXmx files for the findings; numpy and h5py are all it needs."""

import h5py
import numpy as np

PIXEL_MM, DISTANCE_MM, WAVELENGTH_A = 0.075, 100.0, 1.0


def write(
    path,
    images,
    *,
    angles=None,
    mask=None,
    saturation=None,
    underload=None,
    beam=None,
    origin_in="module",
    data=None,
    n_modules=1,
):
    """Write stills as NXmx.

    Args:
        path: of the new file.
        images: counts ``[n, rows, columns]``.
        angles: of the goniometer, one of each image (degrees); none leaves the sample without an axis.
        mask: ``pixel_mask``; any dimensions.
        saturation, underload: ``saturation_value`` and ``underload_value``; none are not written.
        beam: fast and slow pixel of the direct beam; the middle by default.
        origin_in: where the way from the beam to the first pixel stands: "module", in module_offset, or "fast", as the
            offset of fast_pixel_direction; NeXus allows both.
        data: function that writes /entry/data itself, instead of one data set.
        n_modules: the columns are divided among so many modules side by side.
    """
    images = np.asarray(images)
    rows, columns = images.shape[1:]
    x, y = beam or (columns / 2, rows / 2)
    with h5py.File(path, "w") as file:
        entry = _group(file, "entry", "NXentry")
        entry["definition"] = np.bytes_("NXmx")
        if data is not None:
            data(entry)
        else:
            _group(entry, "data", "NXdata")["data"] = images
        _sample(entry, angles)
        instrument = _group(entry, "instrument", "NXinstrument")
        _value(_group(instrument, "beam", "NXbeam"), "incident_wavelength", WAVELENGTH_A, "angstrom")
        detector = _group(instrument, "detector", "NXdetector")
        detector["description"] = np.bytes_("made for a finding")
        detector["depends_on"] = np.bytes_("transformations/distance")
        _value(detector, "sensor_thickness", 0.45, "mm")
        detector["sensor_material"] = np.bytes_("Si")
        if "data" in entry and "data" in entry["data"]:
            detector["bit_depth_readout"] = images.dtype.itemsize * 8
        for name, value in (("saturation_value", saturation), ("underload_value", underload), ("pixel_mask", mask)):
            if value is not None:
                detector[name] = value
        _axis(_group(detector, "transformations", "NXtransformations"), "distance", DISTANCE_MM, (0, 0, 1), ".")
        for k in range(n_modules):
            _module(detector, k, (rows, columns // n_modules), (x - k * columns // n_modules, y), origin_in)
    return path


def _module(detector, k, size, beam, origin_in):
    module = _group(detector, f"module_{k}" if k else "module", "NXdetector_module")
    module["data_origin"] = [0, k * size[1]]
    module["data_size"] = list(size)
    to_first = (beam[0] * PIXEL_MM, beam[1] * PIXEL_MM, 0.0)  # fast points to -x, slow to -y
    here = f"{module.name}/"
    if origin_in == "module":
        _axis(module, "module_offset", 0.0, (1, 0, 0), "/entry/instrument/detector/transformations/distance", to_first)
        below, offset = here + "module_offset", (0, 0, 0)
    else:
        below, offset = "/entry/instrument/detector/transformations/distance", to_first
    _axis(module, "fast_pixel_direction", PIXEL_MM, (-1, 0, 0), below, offset)
    _axis(module, "slow_pixel_direction", PIXEL_MM, (0, -1, 0), here + "fast_pixel_direction")


def _sample(entry, angles):
    sample = _group(entry, "sample", "NXsample")
    sample["depends_on"] = np.bytes_(".")
    if angles is not None:
        moves = _group(sample, "transformations", "NXtransformations")
        _axis(moves, "omega", np.asarray(angles, dtype=float), (-1, 0, 0), ".", units="deg", kind="rotation")
        del sample["depends_on"]
        sample["depends_on"] = np.bytes_("/entry/sample/transformations/omega")


def _group(parent, name, nx_class):
    group = parent.create_group(name)
    group.attrs["NX_class"] = np.bytes_(nx_class)
    return group


def _value(group, name, value, units):
    group[name] = value
    group[name].attrs["units"] = np.bytes_(units)


def _axis(group, name, value, vector, depends_on, offset=(0, 0, 0), units="mm", kind="translation"):
    _value(group, name, value, units)
    group[name].attrs["transformation_type"] = np.bytes_(kind)
    group[name].attrs["vector"] = np.array(vector, dtype=float)
    group[name].attrs["offset"] = np.array(offset, dtype=float)
    group[name].attrs["offset_units"] = np.bytes_("mm")
    group[name].attrs["depends_on"] = np.bytes_(depends_on)
