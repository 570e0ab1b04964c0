"""Recognises facility files that cannot be read directly, and says what to do instead.

They are recognised by the names in them or, if they are not HDF5, by the file name.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from iota.hdf5 import h5py
from iota.inputs.hdf5.masters import data_groups, image_keys, open_hdf5

_WITH_GEOMETRY = "give a CrystFEL geometry with it: iota.run detector.geom FILE"
_MAX_VISITED = 300  # groups and datasets of an unknown file
_NO_IMAGE = re.compile(r"mask|flatfield|trimbit|countrate|gain|pedestal", re.IGNORECASE)  # as large, yet no images
_SMALLEST_PX = 64  # along each side of what is taken for an image


class Foreign(NamedTuple):
    """A format: what it is called for one file and for several, and what to do."""

    one: str
    several: str
    way: str

    @property
    def geometry_helps(self) -> bool:
        """Whether it can be read with a CrystFEL geometry."""
        return _WITH_GEOMETRY in self.way

    @property
    def sentence(self) -> str:
        """The message for one file; it follows the path and a colon."""
        return f"it is {self.one}: {self.way}."

    def sentence_of(self, n_files: int, example: str) -> str:
        """One message for several files of a folder, one of which is given as an example."""
        return f"{n_files} {self.several}, such as {example}: {self.way}."


_XFEL = Foreign(
    "a detector module file from the European XFEL",
    "detector module files from the European XFEL",
    "make a virtual CXI file of the corrected run with EXtra-data (extra-data-make-virtual-cxi RUN_FOLDER -o run.cxi)"
    " and give that with a CrystFEL geometry: iota.run detector.geom run.cxi",
)
_XFEL_RAW = _XFEL._replace(
    one="a detector module file from the European XFEL with raw data",
    several="detector module files from the European XFEL with raw data",
    way="calibrate them first, or use the corrected files in the folder proc, then " + _XFEL.way,
)
_XFEL_OTHER = Foreign(
    "a file from the European XFEL without detector images",
    "files from the European XFEL without detector images",
    "give the run's virtual CXI file, made with EXtra-data (extra-data-make-virtual-cxi RUN_FOLDER -o run.cxi)",
)
AGIPD_RAW = Foreign(
    "a CXI file of raw AGIPD data (counts and gain stage of each pixel)",
    "CXI files of raw AGIPD data (counts and gain stage of each pixel)",
    "calibrate first: make the virtual CXI file from the corrected data, in the folder proc",
)
_CXI = Foreign(
    "a CXI file, which does not give the positions of the detector panels",
    "CXI files, which do not give the positions of the detector panels",
    _WITH_GEOMETRY,
)
_CHEETAH = Foreign(
    "an HDF5 file from Cheetah, which does not give the positions of the detector panels",
    "HDF5 files from Cheetah, which do not give the positions of the detector panels",
    _WITH_GEOMETRY,
)
_SWISSFEL = Foreign(
    "a Jungfrau file from SwissFEL, which does not give the positions of the detector modules",
    "Jungfrau files from SwissFEL, which do not give the positions of the detector modules",
    "convert it to photons (jungfrau_utils) if it is raw, and " + _WITH_GEOMETRY,
)
_LIMA = Foreign(
    "an HDF5 file from LImA (ESRF), which does not describe the detector as NXmx does",
    "HDF5 files from LImA (ESRF), which do not describe the detector as NXmx does",
    _WITH_GEOMETRY + ", in which data = {data}",
)
_BLISS = Foreign(
    "an HDF5 file from Bliss (ESRF)",
    "HDF5 files from Bliss (ESRF)",
    "give the detector files to which it points, with a CrystFEL geometry if they are not NXmx",
)
_PAL = Foreign(
    "a raw data file from PAL-XFEL, which does not give the position of the direct beam",
    "raw data files from PAL-XFEL, which do not give the position of the direct beam",
    _WITH_GEOMETRY + ", in which data = {run}/scan_dat/raymx_data and wavelength = {run}/scan_dat/photon_wavelength A",
)
_PLAIN = Foreign(
    "an HDF5 file with images but without a description of the detector",
    "HDF5 files with images but without a description of the detector",
    _WITH_GEOMETRY + ", in which data = {data}",
)
_NO_IMAGES = Foreign(
    "an HDF5 file without images",
    "HDF5 files without images",
    "looked in entry/data and other NXdata groups",
)


def foreign_hdf5(file: h5py.File) -> Foreign | None:
    """Format of an open HDF5 file, if it is one that cannot be read directly."""
    for looks_like in (_european_xfel, _cxi, _swissfel, _esrf, _cheetah, _pal):
        found = looks_like(file)
        if found is not None:
            return found
    return None


def imageless_hdf5(file: h5py.File) -> Foreign:
    """The message for an open HDF5 file in which no image was found."""
    found = foreign_hdf5(file)
    if found is not None:
        return found
    data = next(itertools.chain(_usual_arrays(file), _image_arrays(file)), None)
    return _NO_IMAGES if data is None else _PLAIN._replace(way=_PLAIN.way.format(data=data))


def foreign_file(path: str) -> Foreign | None:
    """The message for a file that could not be read as an image; None if nothing is known about it."""
    by_name = foreign_name(path)
    if by_name is not None:
        return by_name
    try:
        with open_hdf5(path) as file:
            return imageless_hdf5(file)
    except (OSError, RuntimeError, KeyError, ValueError):  # not HDF5, or damaged
        return None


def is_foreign(path: str) -> bool:
    """Whether a file is of a format that cannot be read directly."""
    try:
        with open_hdf5(path) as file:
            return foreign_hdf5(file) is not None
    except (OSError, RuntimeError, KeyError, ValueError):  # not HDF5, or damaged
        return foreign_name(path) is not None


def foreign_name(name: str) -> Foreign | None:
    """Format of a file by its name alone."""
    return next((foreign for pattern, foreign in _NAMES if pattern.search(name)), None)


def _european_xfel(file: h5py.File) -> Foreign | None:
    instrument = file.get("INSTRUMENT")
    if not isinstance(instrument, h5py.Group) or "INDEX" not in file:
        return None
    for source in _paths(instrument, 3):
        for key in ("image/data", "data/adc"):
            data = source.get(key)
            if isinstance(data, h5py.Dataset):
                return _XFEL_RAW if data.dtype.kind == "u" else _XFEL
    return _XFEL_OTHER


def _cxi(file: h5py.File) -> Foreign | None:
    for name in ("entry_1/instrument_1/detector_1/data", "entry_1/data_1/data", "entry_1/image_1/data"):
        data = file.get(name)
        if isinstance(data, h5py.Dataset) and data.ndim >= 2:
            return AGIPD_RAW if is_raw_agipd(data) else _CXI
    return _CXI if "cxi_version" in file and "entry_1" in file else None


def is_raw_agipd(data: h5py.Dataset) -> bool:
    """Whether these are counts and gain stages before calibration, `[..., 2, 512, 128]`."""
    return data.ndim == 5 and tuple(data.shape[-3:]) == (2, 512, 128) and data.dtype.kind == "u"


def _swissfel(file: h5py.File) -> Foreign | None:
    data = file.get("data")
    if isinstance(data, h5py.Group) and any(re.match(r"JF[0-9]{2}T[0-9]{2}", name) for name in data):
        return _SWISSFEL
    return None


def _esrf(file: h5py.File) -> Foreign | None:
    for name in file:
        entry = file.get(name, getlink=False)
        if not isinstance(entry, h5py.Group):
            continue
        if re.fullmatch(r"entry_[0-9]{4}", name):
            data = next(_image_arrays(entry), None)
            if data is not None:
                return _LIMA._replace(way=_LIMA.way.format(data=data))
        if re.fullmatch(r"[0-9]+\.[0-9]", name) and "measurement" in entry:
            return _BLISS
    return None


def _cheetah(file: h5py.File) -> Foreign | None:
    data = file.get("data")
    if not isinstance(data, h5py.Group) or not any(name in file for name in ("LCLS", "cheetah", "processing/cheetah")):
        return None
    return _CHEETAH if any(isinstance(data.get(name), h5py.Dataset) for name in data) else None


def _pal(file: h5py.File) -> Foreign | None:
    names = list(file)
    if len(names) == 1 and re.fullmatch(r"R[0-9]+", names[0]) and f"{names[0]}/scan_dat/raymx_data" in file:
        return _PAL._replace(way=_PAL.way.format(run=f"/{names[0]}"))
    return None


def _paths(group: h5py.Group, depth: int) -> Iterator[h5py.Group]:
    """Groups at a given level."""
    for name in group:
        child = group.get(name)
        if isinstance(child, h5py.Group):
            if depth == 1:
                yield child
            else:
                yield from _paths(child, depth - 1)


def _usual_arrays(file: h5py.File) -> Iterator[str]:
    """Paths of images where NeXus files have them, also by links to other files."""
    for group in data_groups(file):
        for key in image_keys(group):
            item = group.get(key)
            if isinstance(item, h5py.Dataset) and item.ndim >= 2 and item.size:
                yield f"{group.name.rstrip('/')}/{key}"


def _image_arrays(group: h5py.Group) -> Iterator[str]:
    """Paths of datasets that look like images."""
    found: list[str] = []
    n_seen = 0

    def check(name: str, item: h5py.Group | h5py.Dataset) -> bool | None:
        nonlocal n_seen
        n_seen += 1
        if (
            isinstance(item, h5py.Dataset)
            and item.ndim >= 2
            and item.dtype.kind in "iuf"
            and min(item.shape[-2:]) >= _SMALLEST_PX
            and item.size
            and not _NO_IMAGE.search(name)
        ):
            found.append(str(item.name))
            return True
        return True if n_seen > _MAX_VISITED else None

    visit: Callable[..., object] = group.visititems
    visit(check)
    yield from found


_NAMES = (
    (
        re.compile(r"\.(xtc2?|smd\.xtc2?)$", re.IGNORECASE),
        Foreign(
            "raw data of LCLS (XTC)",
            "raw data of LCLS (XTC)",
            "write them as CXI or HDF5 with Cheetah or psana and give these with a CrystFEL geometry",
        ),
    ),
    (
        re.compile(r"\.tvips$", re.IGNORECASE),
        Foreign(
            "a movie from a TVIPS camera",
            "movies from a TVIPS camera",
            "convert it to SMV or MRC, one file per image",
        ),
    ),
    (
        re.compile(r"\.(dm3|emd|eer)$", re.IGNORECASE),
        Foreign(
            "a file from an electron microscope that DIALS does not read",
            "files from an electron microscope that DIALS does not read",
            "convert it to SMV or MRC, one file per image",
        ),
    ),
)
