"""One writer of HDF5 files as facilities write them, filled with simulated frames of which all is known.

``shots`` simulates frames; each function below writes them in one layout and returns the path to give to IOTA. Pixels
that hold no count are marked as each writer marks them. What is missing or changed is done to the files afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from iota.simulate import Defects, Experiment, Frames, make_detector, simulate_frame
from iota.simulate.frames import Prepared, prepare
from iota.simulate.nexus import TO_NEXUS, NexusWriter
from iota.simulate.truth import FrameTruth

HITS = Frames(blank_fraction=0.0, weak_fraction=0.0, multi_fraction=0.0)
CELL = "unit_cell=79.2 79.2 38.1 90 90 90"  # of the crystal that is simulated when nothing else is asked for
_PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


class Shots(NamedTuple):
    """Simulated frames: counts `[n, rows, columns]`, below 0 where there is no count, and what is true about each."""

    prepared: Prepared
    images: npt.NDArray[np.int32]
    truth: tuple[FrameTruth, ...]

    @property
    def experiment(self) -> Experiment:
        return self.prepared.experiment

    def part(self, first: int, end: int) -> Shots:
        return Shots(self.prepared, self.images[first:end], self.truth[first:end])


@lru_cache(maxsize=4)
def shots(n: int, *, seed: int = 5, detector: str = "300k", frames: Frames = HITS) -> Shots:
    """Simulate ``n`` frames; those of a seed are the same however many are asked for."""
    experiment = Experiment(detector=make_detector(detector), frames=frames, defects=Defects(2e-4, 0.0), seed=seed)
    found = [simulate_frame(experiment, index) for index in range(n)]
    return Shots(prepare(experiment), np.stack([image for image, _ in found]), tuple(truth for _, truth in found))


def marked(images: npt.NDArray[np.int32], dtype: str) -> npt.NDArray[np.generic]:
    """Counts as a detector stores them: of unsigned types the highest value marks a pixel without a count."""
    kind = np.dtype(dtype)
    if kind.kind != "u":
        return images.astype(kind)
    return np.where(images < 0, np.iinfo(kind).max, images).astype(kind)


def write_stack(path: Path, name: str, pixels: npt.NDArray[np.generic]) -> h5py.Dataset:
    """Write images `[n, ...]` as one dataset of a new file, an image a chunk."""
    with h5py.File(path, "w") as file:
        return file.create_dataset(name, data=pixels, chunks=(1, *pixels.shape[1:]), **_PACKED)


def describe(path: Path, taken: Shots) -> h5py.File:
    """Make a NXmx master with everything but pixels and return it open; its NXdata group is ``entry/data``."""
    NexusWriter(path, taken.prepared, 1).__exit__(None, None, None)
    file = h5py.File(path, "r+")
    del file["entry/data/data"], file["entry/instrument/detector/data"]
    return file


def _parts(taken: Shots, per_file: Sequence[int] | None) -> list[Shots]:
    sizes = list(per_file or [len(taken.images)])
    assert sum(sizes) == len(taken.images)
    ends = np.cumsum(sizes)
    return [taken.part(int(end) - n, int(end)) for n, end in zip(sizes, ends, strict=True)]


def nxmx(folder: Path, taken: Shots, stem: str = "run", dtype: str = "<i4") -> Path:
    """Everything in one file."""
    path = folder / f"{stem}.nxs"
    with describe(path, taken) as file:
        pixels = marked(taken.images, dtype)
        file.create_dataset("entry/data/data", data=pixels, chunks=(1, *pixels.shape[1:]), **_PACKED)
    return path


def nxmx_linked(
    folder: Path, taken: Shots, stem: str = "run", per_file: Sequence[int] | None = None, dtype: str = "<i4"
) -> Path:
    """``data_000001``, ``data_000002`` as links to other files, and no ``data``."""
    path = folder / f"{stem}.nxs"
    with describe(path, taken) as file:
        for number, part in enumerate(_parts(taken, per_file), start=1):
            name = f"{stem}_data_{number:06d}.h5"
            write_stack(folder / name, "entry/data/data", marked(part.images, dtype))
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "entry/data/data")
    return path


def virtual(
    folder: Path,
    taken: Shots,
    stem: str = "run",
    per_file: Sequence[int] | None = None,
    dtype: str = "<i4",
    mapped: int | None = None,
) -> Path:
    """One virtual dataset over several files, of which each is said to hold ``mapped`` images if that is given."""
    path = folder / f"{stem}.nxs"
    shape = taken.images.shape[1:]
    parts = _parts(taken, per_file)
    layout = h5py.VirtualLayout((sum(mapped or len(p.images) for p in parts), *shape), dtype)
    first = 0
    for number, part in enumerate(parts, start=1):
        name, n = f"{stem}_{number:06d}.h5", mapped or len(part.images)
        write_stack(folder / name, "data", marked(part.images, dtype))
        layout[first : first + n] = h5py.VirtualSource(name, "data", shape=(n, *shape))
        first += n
    with describe(path, taken) as file:
        file["entry/data"].create_virtual_dataset("data", layout, fillvalue=0)
    return path


def diamond(
    folder: Path, taken: Shots, stem: str = "chip_07", per_file: Sequence[int] | None = None, dtype: str = "<i4"
) -> Path:
    """As nexgen writes chips: a virtual dataset over links in the same file, and ``_meta.h5`` with the mask."""
    path = folder / f"{stem}.nxs"
    shape = taken.images.shape[1:]
    layout = h5py.VirtualLayout(taken.images.shape, dtype)
    with describe(path, taken) as file, h5py.File(folder / f"{stem}_meta.h5", "w") as meta:
        detector = file["entry/instrument/detector"]
        meta["mask"] = detector["pixel_mask"][()]
        del detector["pixel_mask"]
        detector["pixel_mask"] = h5py.ExternalLink(f"{stem}_meta.h5", "mask")
        first = 0
        for number, part in enumerate(_parts(taken, per_file), start=1):
            name, n = f"{stem}_{number:06d}.h5", len(part.images)
            write_stack(folder / name, "data", marked(part.images, dtype))
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "data")
            layout[first : first + n] = h5py.VirtualSource(".", f"/entry/data/data_{number:06d}", shape=(n, *shape))
            first += n
        file["entry/data"].create_virtual_dataset("data", layout, fillvalue=-1)
    return path


def one_angle(folder: Path, taken: Shots, stem: str = "run", n_angles: int = 1) -> Path:
    """Stills on a goniometer that stands still: one angle (or ``n_angles``) for all of them."""
    path = nxmx(folder, taken, stem)
    with h5py.File(path, "r+") as file:
        file["entry/sample/depends_on"] = "/entry/sample/transformations/omega"
        chain = file.create_group("entry/sample/transformations")
        chain.attrs["NX_class"] = "NXtransformations"
        omega = chain.create_dataset("omega", data=np.full(n_angles, 30.0))
        omega.attrs.update(
            {"transformation_type": "rotation", "vector": [1.0, 0.0, 0.0], "units": "deg", "depends_on": "."}
        )
    return path


def thresholds(folder: Path, taken: Shots, stem: str = "run", per_file: Sequence[int] | None = None) -> Path:
    """DECTRIS "hdf5 nexus v2024.2 nxmx" with two thresholds: `[images, channels, rows, columns]`.

    The second threshold holds half of the counts of the first, and its mask masks all but one pixel.
    """
    path = folder / f"{stem}_master.h5"
    shape = taken.images.shape[1:]
    layout = h5py.VirtualLayout((len(taken.images), 2, *shape), "<u4")
    first = 0
    for number, part in enumerate(_parts(taken, per_file), start=1):
        name, n = f"{stem}_data_{number:06d}.h5", len(part.images)
        both = np.stack([part.images, part.images // 2], axis=1)
        with h5py.File(folder / name, "w") as file:
            pixels = marked(both, "<u4")
            file.create_dataset("entry/data/data", data=pixels, chunks=(1, 1, *shape), **_PACKED)
        layout[first : first + n] = h5py.VirtualSource(name, "entry/data/data", shape=(n, 2, *shape))
        first += n
    with describe(path, taken) as file:
        data, detector = file["entry/data"], file["entry/instrument/detector"]
        data.create_virtual_dataset("data", layout)
        data.attrs["axes"] = ["image_id", "channel", ".", "."]
        data["image_id"] = np.arange(1, len(taken.images) + 1)
        data["channel"] = np.array(["threshold_1", "threshold_2"], dtype=h5py.string_dtype())
        mask = detector["pixel_mask"][()]
        nearly_all = np.ones_like(mask)
        nearly_all[10, 10] = 0
        del detector["pixel_mask"]
        for number in (1, 2):
            channel = detector.create_group(f"threshold_{number}_channel")
            channel.attrs["NX_class"] = "NXdetector_channel"
            channel["threshold_energy"] = 6350.0 * number
            channel["threshold_energy"].attrs["units"] = "eV"
            channel["pixel_mask"] = mask if number == 1 else nearly_all
    return path


def dectris(
    folder: Path,
    taken: Shots,
    stem: str = "run_1",
    per_file: Sequence[int] | None = None,
    dtype: str = "<u4",
    numbered: bool = True,
    promised: int | None = None,
) -> Path:
    """DECTRIS FileWriter, "legacy": ``_master.h5`` with links ``data_000001`` to ``_data_000001.h5``.

    ``numbered`` files say which images they hold; ``promised`` is the number of images in the master's own settings,
    all of them if nothing is given and none at all when 0.
    """
    path = folder / f"{stem}_master.h5"
    first = 1
    with h5py.File(path, "w") as file:
        _describe_eiger(file, taken, len(taken.images) if promised is None else promised)
        for number, part in enumerate(_parts(taken, per_file), start=1):
            name, n = f"{stem}_data_{number:06d}.h5", len(part.images)
            write_stack(folder / name, "entry/data/data", marked(part.images, dtype))
            if numbered:
                with h5py.File(folder / name, "r+") as data:
                    data["entry/data/data"].attrs.update({"image_nr_low": first, "image_nr_high": first + n - 1})
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
            first += n
    return path


def _describe_eiger(file: h5py.File, taken: Shots, promised: int) -> None:
    """What the FileWriter says about the experiment: nearly NeXus, with a geometry of its own (m)."""
    experiment = taken.experiment
    detector, panel = experiment.detector, experiment.detector.panels[0]
    groups = {
        "entry": "NXentry",
        "entry/data": "NXdata",
        "entry/sample": "NXsample",
        "entry/sample/beam": "NXbeam",
        "entry/sample/goniometer": "NXtransformations",
        "entry/instrument": "NXinstrument",
        "entry/instrument/beam": "NXbeam",
        "entry/instrument/detector": "NXdetector",
        "entry/instrument/detector/detectorSpecific": "NXcollection",
        "entry/instrument/detector/geometry": "NXgeometry",
        "entry/instrument/detector/geometry/orientation": "NXorientation",
        "entry/instrument/detector/geometry/translation": "NXtranslation",
    }
    for name, nx_class in groups.items():
        file.create_group(name).attrs["NX_class"] = np.bytes_(nx_class)
    del file["entry/sample/beam"]  # dxtbx puts one there
    eiger = file["entry/instrument/detector"]
    values = {
        "description": np.bytes_("Dectris Eiger 1M"),
        "detector_number": np.bytes_("E-02-0100"),
        "sensor_material": np.bytes_("Si"),
        "sensor_thickness": detector.sensor_mm * 1e-3,
        "x_pixel_size": panel.pixel_mm * 1e-3,
        "y_pixel_size": panel.pixel_mm * 1e-3,
        "detector_distance": detector.distance_mm * 1e-3,
        "beam_center_x": detector.beam_px[0],
        "beam_center_y": detector.beam_px[1],
        "bit_depth_readout": 32,
        "count_time": 0.010,
        "frame_time": 0.011,
    }
    for name, value in values.items():
        eiger[name] = value
    for name, unit in (("sensor_thickness", "m"), ("x_pixel_size", "m"), ("y_pixel_size", "m"), ("count_time", "s")):
        eiger[name].attrs["units"] = np.bytes_(unit)
    eiger["frame_time"].attrs["units"] = np.bytes_("s")
    origin_m = np.asarray(panel.origin_mm) * TO_NEXUS * 1e-3
    eiger["geometry/orientation/value"] = np.concatenate(
        [np.asarray(axis) * TO_NEXUS * (1, 1, -1) for axis in (panel.fast, panel.slow)]
    ).astype("<f4")
    eiger["geometry/translation/distances"] = (origin_m * (1, 1, -1)).astype("<f4")
    specific = eiger["detectorSpecific"]
    if promised:
        specific["nimages"], specific["ntrigger"] = promised, 1
    specific["countrate_correction_count_cutoff"] = detector.saturation
    mask = taken.prepared.gap.astype(np.uint32)
    mask.reshape(-1)[taken.prepared.dead] = 2
    specific.create_dataset("pixel_mask", data=mask, **_PACKED)
    file["entry/instrument/beam/incident_wavelength"] = experiment.beam.wavelength_A
    file["entry/instrument/beam/incident_wavelength"].attrs["units"] = np.bytes_("angstrom")
    file["entry/sample/goniometer/omega_range_average"] = 0.0


LAYOUTS: dict[str, Callable[[Path, Shots], Path]] = {
    "nxmx": nxmx,
    "nxmx_linked": nxmx_linked,
    "virtual": virtual,
    "diamond": diamond,
    "one_angle": one_angle,
    "thresholds": thresholds,
    "dectris": dectris,
}


# -- headers: each changes a file of nxmx() as some facility would have written it

_DETECTOR, _BEAM = "entry/instrument/detector", "entry/instrument/beam"


def offset_on_fast_axis(path: Path) -> None:
    """The position of each module as the offset of its pixel axes instead of an axis of its own."""
    with h5py.File(path, "r+") as file:
        chain = file[f"{_DETECTOR}/transformations"]
        for module in (m for m in file[_DETECTOR].values() if m.attrs.get("NX_class") == "NXdetector_module"):
            position = chain[module["fast_pixel_direction"].attrs["depends_on"].rsplit("/", 1)[-1]]
            for name in ("fast_pixel_direction", "slow_pixel_direction"):
                axis = module[name]
                axis.attrs["offset"] = position.attrs["vector"] * position[()] * 1e-3
                axis.attrs["offset_units"] = "m"
                axis.attrs["depends_on"] = position.attrs["depends_on"]
            del chain[position.name]


def beam_centre_only(path: Path) -> None:
    """A geometry that says nothing of where the detector is across the beam, beside ``beam_center_x`` and ``_y``."""
    offset_on_fast_axis(path)
    with h5py.File(path, "r+") as file:
        for name in ("fast_pixel_direction", "slow_pixel_direction"):
            file[f"{_DETECTOR}/panel/{name}"].attrs["offset"] = np.zeros(3)


def set_value(path: Path, name: str, value: object, units: str | None = None) -> None:
    """Replace a dataset of the file, or delete it with None."""
    with h5py.File(path, "r+") as file:
        if name in file:
            units = units or file[name].attrs.get("units")
            del file[name]
        if value is not None:
            file[name] = value
            if units is not None:
                file[name].attrs["units"] = units


def energy_only(path: Path, energy: object, units: str | None) -> None:
    """The energy of the beam and no wavelength."""
    set_value(path, f"{_BEAM}/incident_wavelength", None)
    set_value(path, f"{_BEAM}/incident_energy", energy, units)


def wavelengths(path: Path, values_A: Sequence[float]) -> None:
    """A wavelength for each shot."""
    set_value(path, f"{_BEAM}/incident_wavelength", np.asarray(values_A, dtype=np.float64))


def pixel_mask(path: Path, change: Callable[[npt.NDArray[np.uint32]], npt.NDArray[np.uint32]]) -> None:
    """Another mask made of that which is there `[slow, fast]`."""
    with h5py.File(path) as file:
        mask = file[f"{_DETECTOR}/pixel_mask"][()]
    set_value(path, f"{_DETECTOR}/pixel_mask", np.ascontiguousarray(change(mask)))


def no_lower_limit(path: Path) -> None:
    """No ``underload_value``, and no depth of the readout that tells which values are marks."""
    for name in ("underload_value", "bit_depth_readout", "pixel_mask"):
        set_value(path, f"{_DETECTOR}/{name}", None)


def distance(path: Path, mm: float) -> None:
    """Another distance in the geometry than the one that the detector names beside it."""
    set_value(path, f"{_DETECTOR}/transformations/distance", None)
    with h5py.File(path, "r+") as file:
        axis = file[f"{_DETECTOR}/transformations"].create_dataset("distance", data=mm)
        axis.attrs.update(
            {"transformation_type": "translation", "vector": [0.0, 0.0, 1.0], "units": "mm", "depends_on": "."}
        )
