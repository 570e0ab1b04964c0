"""Reads the indexed spots of many stills with their detector, for the refinement of the geometry.

The files are those of a run (``dials/*_indexed.refl`` with ``*_integrated.expt``) or ``.expt`` and ``.refl`` files of
other programs, with one lattice or with thousands.  A lattice is found in its table by its identifier, for a lattice
that was indexed but not integrated leaves a gap in the numbers.  Spots of the same image that were not indexed, as
far as the table holds them, are read as well.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from iota.crystallography.indices import hkl_from_flex
from iota.engine.backend.dials_files import read_experiments, read_reflections
from iota.engine.geometry.detector import MAX_DIFFERENCE_PX, key_of, panels_of
from iota.engine.geometry.experiment_files import image_of
from iota.engine.geometry.parallax import at_surface
from iota.errors import BackendError
from iota.geometry.displacements import corners_mm
from iota.geometry.observations import Observations
from iota.geometry.panels import Panels
from iota.records import FrameRef

Floats = npt.NDArray[np.float64]

MIN_SPOTS = 10  # of a lattice: six numbers of its own are refined, and the rest says something of the detector
_MIN_SIGNIFICANT = 10.0  # I/sigma of an integrated reflection whose position is used
_MAX_OFF = 0.3  # median deviation of an index from an integer beyond which indices are not those of the crystal

_OF_PIXEL_PX2 = 1.0 / 12.0
_SMALLEST_PX2 = 1e-6  # variance of a position

OTHER_DETECTOR = "with another detector geometry"
FEW_SPOTS = f"with fewer than {MIN_SPOTS} indexed spots"
NO_SPOTS_OF_IT = "without spots in the .refl file"
OTHER_INDICES = "whose indices do not fit the crystal and detector models"
OTHER_PANELS = "with spots on panels that their detector does not have"
NO_CRYSTAL = "without a crystal model"


class StillFiles(NamedTuple):
    """Files that hold lattices, and which of these are wanted."""

    experiments: Path
    reflections: Path
    numbers: tuple[int, ...]  # positions of the lattices in the list of experiments
    frames: tuple[FrameRef, ...]  # of each of these lattices
    time: float = math.nan  # of the experiment, seconds or an order


@dataclass
class IndexedStills:
    """Spots of many lattices on one detector. Get it from :func:`read_stills`."""

    panels: Panels
    spots: Observations  # of the lattices, and those of their images that were not indexed, whose indices are 0
    detector: Any  # of dxtbx, as in the files
    beam: Any
    frames: list[FrameRef]  # of each lattice, `[m]`
    left_out: dict[str, int] = field(default_factory=dict)  # why -> lattices
    unreadable: list[str] = field(default_factory=list)  # a sentence for each file
    n_from_integration: int = 0  # lattices whose spots are integrated reflections

    @cached_property
    def observations(self) -> Observations:
        """Indexed spots."""
        return self.spots.indexed


class _Lattice(NamedTuple):
    frame: FrameRef
    detector: bytes
    a_star: Floats
    s0: Floats
    space_group: str
    hkl: npt.NDArray[np.int32]
    panel: npt.NDArray[np.int32]
    xy_mm: Floats
    weight: Floats
    time: float = math.nan


def read_stills(files: Iterable[StillFiles]) -> IndexedStills:
    """Read indexed spots; the detector is that of most lattices, and lattices on another one are left out.

    Positions are those at which rays enter the sensor, see :mod:`iota.engine.geometry.parallax`. Memory is proportional
    to the number of spots, about 70 bytes each.

    Raises:
        BackendError: nothing can be read, or no lattice has enough indexed spots.
    """
    left_out: Counter[str] = Counter()
    unreadable: list[str] = []
    lattices: list[_Lattice] = []
    models: dict[bytes, tuple[Any, Any]] = {}
    n_from_integration = 0
    for one in files:
        try:
            for found, integrated in _lattices(one, models, left_out):
                lattices.append(found)
                n_from_integration += integrated
        except BackendError as error:
            unreadable.append(str(error))
    if not lattices:
        raise BackendError(_why_nothing(left_out, unreadable))
    detector, beam, same = common_detector(models, [lattice.detector for lattice in lattices])
    left_out[OTHER_DETECTOR] += sum(lattice.detector not in same for lattice in lattices)
    lattices = [lattice for lattice in lattices if lattice.detector in same]
    return IndexedStills(
        panels_of(detector),
        _together(lattices),
        detector,
        beam,
        [lattice.frame for lattice in lattices],
        {reason: number for reason, number in left_out.items() if number},
        unreadable,
        n_from_integration,
    )


def _why_nothing(left_out: Counter[str], unreadable: Sequence[str]) -> str:
    if unreadable and not left_out:
        return unreadable[0]
    reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.items())
    return f"No lattice has spots from which a geometry could be refined: {reasons or 'the files hold no lattices'}."


def _lattices(
    files: StillFiles, models: dict[bytes, tuple[Any, Any]], left_out: Counter[str]
) -> Iterator[tuple[_Lattice, bool]]:
    """Lattices of a pair of files, and whether their spots are integrated reflections."""
    experiments, table = read_experiments(files.experiments), read_reflections(files.reflections)
    missing = {"id", "miller_index", "panel", "xyzobs.mm.value", "xyzobs.mm.variance"} - set(table.keys())
    if missing:
        raise BackendError(
            f"{files.reflections} does not hold indexed spots: the column {sorted(missing)[0]} is missing."
        )
    try:
        columns = _columns(table)
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:  # columns of other types
        raise BackendError(f"{files.reflections} does not hold indexed spots: {error}.") from error
    id_of = _ids(table, experiments)
    order = np.argsort(columns.id, kind="stable")
    sorted_ids = columns.id[order]
    left = _unindexed(columns, experiments, files.experiments)
    for number, frame in zip(files.numbers, files.frames, strict=True):
        if number >= len(experiments):
            raise BackendError(f"{files.experiments} does not hold the lattices of its record.")
        experiment = experiments[number]
        if experiment.crystal is None or experiment.detector is None or experiment.beam is None:
            left_out[NO_CRYSTAL] += 1
            continue
        low, high = np.searchsorted(sorted_ids, [id_of[number], id_of[number] + 1])
        rows = order[low:high]
        if not len(rows):
            left_out[NO_SPOTS_OF_IT] += 1
        elif np.count_nonzero(columns.usable[rows]) < MIN_SPOTS:
            left_out[FEW_SPOTS] += 1
        else:
            used = rows[columns.usable[rows]]
            if not 0 <= columns.panel[used].min() <= columns.panel[used].max() < len(experiment.detector):
                left_out[OTHER_PANELS] += 1
                continue
            lattice = _lattice(experiment, frame, columns, used, left, models)
            if lattice is None:
                left_out[OTHER_INDICES] += 1
            else:
                yield lattice._replace(time=files.time), columns.are_integrated


class _Columns(NamedTuple):
    id: npt.NDArray[np.int64]
    hkl: npt.NDArray[np.int32]
    panel: npt.NDArray[np.int32]
    xy_mm: Floats
    variance: Floats
    usable: npt.NDArray[np.bool_]  # indexed spots
    are_unindexed: npt.NDArray[np.bool_]
    are_integrated: bool


def _columns(table: Any) -> _Columns:
    xy_mm, variance = (
        table[f"xyzobs.mm.{what}"].as_double().as_numpy_array().reshape(-1, 3)[:, :2] for what in ("value", "variance")
    )
    hkl = hkl_from_flex(table["miller_index"])
    number = table["id"].as_numpy_array().astype(np.int64)
    are_placed = (variance > 0).all(axis=1) & np.isfinite(xy_mm).all(axis=1) & np.isfinite(variance).all(axis=1)
    usable = (hkl != 0).any(axis=1) & are_placed
    flags = table["flags"].as_numpy_array() if "flags" in table else np.zeros(len(table), dtype=np.int64)
    indexed = (flags & int(table.flags.indexed)) != 0
    are_integrated = bool(np.any(flags & int(table.flags.integrated_sum)))
    if are_integrated:
        intensity = table["intensity.sum.value"].as_numpy_array()
        sigma2 = table["intensity.sum.variance"].as_numpy_array()
        usable &= (intensity > 0) & (intensity**2 > _MIN_SIGNIFICANT**2 * sigma2)
    elif indexed.any():
        usable &= indexed
    return _Columns(
        number,
        hkl.astype(np.int32),
        table["panel"].as_numpy_array().astype(np.int32),
        xy_mm,
        variance,
        usable,
        are_placed & (number == -1),
        are_integrated,
    )


def _unindexed(columns: _Columns, experiments: Any, path: Path) -> npt.NDArray[np.int64]:
    """Rows of spots that were not indexed; none if the file holds several images, as it does not say whose they are."""
    rows = np.flatnonzero(columns.are_unindexed)
    if not len(rows) or len({image_of(one, path, number) for number, one in enumerate(experiments)}) > 1:
        return np.empty(0, dtype=np.int64)
    return rows


def _ids(table: Any, experiments: Any) -> list[int]:
    """Number of each experiment in the column ``id``; -2 if it is not in the table, where -1 means not indexed."""
    names = {str(name): int(number) for number, name in dict(table.experiment_identifiers()).items() if name}
    if not names or not any(experiments.identifiers()):
        return list(range(len(experiments)))
    return [names.get(str(name), -2) for name in experiments.identifiers()]


def _lattice(
    experiment: Any,
    frame: FrameRef,
    columns: _Columns,
    indexed: npt.NDArray[np.int64],
    unindexed: npt.NDArray[np.int64],
    models: dict[bytes, Any],
) -> _Lattice | None:
    """One lattice; None where its indices are not those of its crystal on this detector."""
    rows = np.concatenate([indexed, unindexed])
    key = key_of(experiment.detector)
    models.setdefault(key, (experiment.detector, experiment.beam))
    a_star = np.array(experiment.crystal.get_A()).reshape(3, 3)
    s0 = np.array(experiment.beam.get_s0())
    lattice = _Lattice(
        frame,
        key,
        a_star,
        s0,
        str(experiment.crystal.get_space_group().info()),
        np.concatenate([columns.hkl[indexed], np.zeros((len(unindexed), 3), dtype=np.int32)]),
        columns.panel[rows],
        columns.xy_mm[rows],
        np.empty((len(rows), 2)),
    )
    if lattice.panel.min() < 0 or lattice.panel.max() >= len(experiment.detector):
        return None
    for number in np.unique(lattice.panel):
        on_it = lattice.panel == number
        of_panel = experiment.detector[int(number)]
        lattice.xy_mm[on_it] = at_surface(of_panel, lattice.xy_mm[on_it])
        lattice.weight[on_it] = 1.0 / _of_counting(columns.variance[rows[on_it]], np.array(of_panel.get_pixel_size()))
    d_matrices = np.array([panel.get_d_matrix() for panel in experiment.detector]).reshape(-1, 3, 3)
    on_panel = np.column_stack([lattice.xy_mm, np.ones(len(rows))])
    places = np.einsum("nij,nj->ni", d_matrices[lattice.panel], on_panel)
    s1 = places * (np.linalg.norm(s0) / np.linalg.norm(places, axis=1))[:, None]
    try:
        off = np.abs((s1 - s0) @ np.linalg.inv(a_star).T - lattice.hkl)[: len(indexed)].max(axis=1)
    except np.linalg.LinAlgError:  # the cell has no volume
        return None
    return lattice if np.median(off) < _MAX_OFF else None


def _of_counting(variance_mm2: Floats, pixel_mm: Floats) -> Floats:
    """Variances of positions that follow from the number of photons `[n, 2]` (mm^2).

    DIALS adds the variance of a position anywhere in a pixel, 1/12 px^2, to all of them, which hides that bright spots
    are ten times as accurate as weak ones.
    """
    px2 = variance_mm2 / pixel_mm**2
    if (px2 >= _OF_PIXEL_PX2 * (1.0 - 1e-6)).all():
        px2 = px2 - _OF_PIXEL_PX2
    # the variance across a single row of pixels is zero, and that along it tells the number of photons
    px2 = np.maximum(px2, 0.5 * px2.mean(axis=1)[:, None])
    return np.asarray(np.maximum(px2, _SMALLEST_PX2) * pixel_mm**2)


def common_detector(models: dict[bytes, tuple[Any, Any]], keys: Sequence[bytes]) -> tuple[Any, Any, set[bytes]]:
    """Detector and beam of most lattices, and the keys of all models that are the same within a small part of a pixel.

    Of models that as many lattices have, as where each frame has its own, the one nearest to the median is taken.
    """
    counts = Counter(keys)
    corners = {key: corners_mm(panels_of(models[key][0])) for key in counts}
    shapes = Counter(corners[key].shape for key in keys)
    shape = shapes.most_common(1)[0][0]
    alike = {key: places for key, places in corners.items() if places.shape == shape}
    middle = np.median([places.mean(axis=(0, 1)) for places in alike.values()], axis=0)
    most = max(counts[key] for key in alike)
    best = min(
        (key for key in alike if counts[key] == most),
        key=lambda key: float(np.linalg.norm(alike[key].mean(axis=(0, 1)) - middle)),
    )
    detector, beam = models[best]
    limit_mm = MAX_DIFFERENCE_PX * detector[0].get_pixel_size()[0]
    same = {key for key, places in alike.items() if np.abs(places - alike[best]).max() <= limit_mm}
    return detector, beam, same


def _together(lattices: Sequence[_Lattice]) -> Observations:
    n_spots = [len(lattice.hkl) for lattice in lattices]
    return Observations(
        lattice=np.repeat(np.arange(len(lattices), dtype=np.int32), n_spots),
        hkl=np.concatenate([lattice.hkl for lattice in lattices]),
        panel=np.concatenate([lattice.panel for lattice in lattices]),
        xy_mm=np.concatenate([lattice.xy_mm for lattice in lattices]),
        weight=np.concatenate([lattice.weight for lattice in lattices]),
        a_star=np.array([lattice.a_star for lattice in lattices]),
        s0=np.array([lattice.s0 for lattice in lattices]),
        cell_group=np.full(len(lattices), -1),
        space_group=tuple(lattice.space_group for lattice in lattices),
        time=np.array([lattice.time for lattice in lattices]),
    )
