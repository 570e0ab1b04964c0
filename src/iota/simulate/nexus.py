"""Writes simulated frames as one NXmx file (NeXus/HDF5), as Eiger, Jungfrau and XFEL detectors do.

NeXus has its own axes: z along the beam, y up, x to the left when looking along the beam; a vector (x, y, z) of the
laboratory frame is (-x, y, -z) there. Panels are modules of one stacked image, each with its own position. There is no
``depends_on`` of the sample: nothing turns, these are stills.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.hdf5 import h5py
from iota.simulate.detector import Detector, Panel
from iota.simulate.frames import Prepared

IntImage = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]
_Place = tuple[str, FloatArray]  # path of an axis, and the point [3] in mm to which it and those before it lead

ENTRY = "entry"
DATA = f"{ENTRY}/data/data"
GZIP_LEVEL = 1
TO_NEXUS = np.array([-1.0, 1.0, -1.0])


class NexusWriter:
    """Writes compressed frames one by one; a context manager."""

    def __init__(self, path: Path, prepared: Prepared, n_frames: int) -> None:
        self._file = h5py.File(path, "w")
        _describe(self._file, prepared)
        rows, columns = prepared.experiment.detector.shape
        self._data = self._file.create_dataset(
            DATA,
            shape=(n_frames, rows, columns),
            chunks=(1, rows, columns),
            dtype="<i4",
            compression="gzip",
            compression_opts=GZIP_LEVEL,
            shuffle=True,
        )

    def write_chunk(self, index: int, chunk: bytes) -> None:
        """Store frame ``index`` as :func:`compress_frame` made it: worker processes compress, this one only writes."""
        self._data.id.write_direct_chunk((index, 0, 0), chunk)

    def __enter__(self) -> NexusWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def compress_frame(counts: IntImage) -> bytes:
    """One chunk as HDF5's shuffle and gzip filters would make it."""
    little = np.ascontiguousarray(counts, dtype="<i4")
    shuffled = little.view(np.uint8).reshape(-1, 4).T
    return zlib.compress(np.ascontiguousarray(shuffled).tobytes(), GZIP_LEVEL)


def _describe(file: h5py.File, prepared: Prepared) -> None:
    """Everything but the frames."""
    experiment = prepared.experiment
    file.attrs["default"] = ENTRY
    entry = _group(file, ENTRY, "NXentry")
    entry.attrs["default"] = "data"
    entry["definition"] = "NXmx"
    entry["start_time"] = "2020-01-01T00:00:00Z"
    data = _group(entry, "data", "NXdata")
    data.attrs["signal"] = "data"
    source = _group(entry, "source", "NXsource")
    source["name"] = "simulated"
    sample = _group(entry, "sample", "NXsample")
    sample["name"] = experiment.crystals[0].name
    instrument = _group(entry, "instrument", "NXinstrument")
    instrument["name"] = "simulated"
    beam = _group(instrument, "beam", "NXbeam")
    _quantity(beam, "incident_wavelength", experiment.beam.wavelength_A, "angstrom")
    _quantity(
        beam, "incident_wavelength_spread", experiment.beam.wavelength_A * experiment.beam.bandwidth_fwhm, "angstrom"
    )
    sample["beam"] = h5py.SoftLink(f"/{ENTRY}/instrument/beam")
    group = _group(instrument, "detector", "NXdetector")
    _describe_detector(group, experiment.stated_detector)
    group["data"] = h5py.SoftLink(f"/{DATA}")
    mask = prepared.gap.astype(np.uint32)
    mask.reshape(-1)[prepared.dead] = 2
    group.create_dataset("pixel_mask", data=mask, compression="gzip", compression_opts=GZIP_LEVEL)


def _describe_detector(group: h5py.Group, detector: Detector) -> None:
    group["description"] = detector.model
    group["type"] = "Pixel"
    group["sensor_material"] = "Si"
    _quantity(group, "sensor_thickness", detector.sensor_mm * 1e-3, "m")
    group["saturation_value"] = detector.saturation
    group["underload_value"] = 0
    group["bit_depth_readout"] = 32
    _quantity(group, "distance", detector.distance_mm * 1e-3, "m")
    _quantity(group, "count_time", 0.010, "s")
    _quantity(group, "frame_time", 0.011, "s")
    _quantity(group, "beam_center_x", detector.beam_px[0], "pixel")
    _quantity(group, "beam_center_y", detector.beam_px[1], "pixel")
    chain = _group(group, "transformations", "NXtransformations")
    distance = _axis(chain, "distance", detector.distance_mm, (0.0, 0.0, 1.0), "mm", "translation", ".")
    group["depends_on"] = distance
    places = {"": (distance, np.array([0.0, 0.0, detector.distance_mm]))}
    for panel in detector.panels:
        _describe_panel(group, chain, panel, _mount(chain, detector, panel, places))


def _mount(chain: h5py.Group, detector: Detector, panel: Panel, places: dict[str, _Place]) -> _Place:
    """What ``panel`` is mounted on: an axis for each of its groups, at the centre of the panels of the group.

    ``places`` holds the axes written so far by group.
    """
    place = places[""]
    for level, name in enumerate(panel.groups):
        if name not in places:
            others = [one for one in detector.panels if one.groups[: level + 1] == panel.groups[: level + 1]]
            centre = np.mean([one.centre_mm for one in others], axis=0) * TO_NEXUS
            places[name] = _translation(chain, name, centre, place), centre
        place = places[name]
    return place


def _translation(chain: h5py.Group, name: str, point_mm: FloatArray, parent: _Place) -> str:
    """The axis from ``parent`` to a point [3] of NeXus's frame."""
    path, from_mm = parent
    offset = point_mm - from_mm
    length = float(np.linalg.norm(offset))
    direction = offset / length if length else np.array([0.0, 0.0, 1.0])
    return _axis(chain, name, length, direction, "mm", "translation", path)


def _describe_panel(group: h5py.Group, chain: h5py.Group, panel: Panel, parent: _Place) -> None:
    """A module: its part of the image, and its position."""
    module = _group(group, panel.name, "NXdetector_module")
    module["data_origin"] = np.array([panel.row0, 0])
    module["data_size"] = np.array([panel.size_px[1], panel.size_px[0]])
    position = _translation(chain, f"{panel.name}_position", np.asarray(panel.origin_mm) * TO_NEXUS, parent)
    pixel_mm = panel.pixel_mm
    for name, vector in (("fast_pixel_direction", panel.fast), ("slow_pixel_direction", panel.slow)):
        _axis(module, name, pixel_mm, np.asarray(vector) * TO_NEXUS, "mm", "translation", position)


def _axis(group: h5py.Group, name: str, value: float, vector: Any, units: str, kind: str, depends_on: str) -> str:
    """A NeXus axis with its attributes; returns its path."""
    axis = group.create_dataset(name, data=value)
    axis.attrs["transformation_type"] = kind
    axis.attrs["vector"] = np.asarray(vector, dtype=np.float64)
    axis.attrs["offset"] = np.zeros(3)
    axis.attrs["offset_units"] = "mm"
    axis.attrs["units"] = units
    axis.attrs["depends_on"] = depends_on
    return str(axis.name)


def _quantity(group: h5py.Group, name: str, value: float, units: str) -> None:
    dataset = group.create_dataset(name, data=value)
    dataset.attrs["units"] = units


def _group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group
