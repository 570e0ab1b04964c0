"""Reads pixels and bad-pixel masks of HDF5 and CXI files according to a CrystFEL geometry.

An event is read as a whole and then divided into panels: a chunk contains an image or a module, and reading it
separately for each of 128 panels would decompress it as often.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.causes import Cause, why
from iota.engine.images.hdf5_problems import why_dataset
from iota.engine.images.reading import ImportFailedError
from iota.hdf5 import h5py
from iota.inputs.crystfel.events import Event
from iota.inputs.crystfel.geometry import EVENT, BadRegion, CrystfelGeometry, Flag, GeometryPanel, Mask
from iota.inputs.crystfel.values import Quantity
from iota.inputs.hdf5.masters import open_hdf5

Array = npt.NDArray[Any]
Bad = npt.NDArray[np.bool_]

_COMPARE: dict[str, Callable[[Array, float], Bad]] = {
    "equal": np.equal,
    "lessthan": np.less,
    "morethan": np.greater,
}
_KEPT_MASKS = 8  # files of masks; the geometry allows so many


class NotThereError(ImportFailedError):
    """Something that the geometry requires is not in the file; the text is a sentence."""


class EventReader:
    """Reads the panels of events. Keep it for a run: masks that are the same for all events are kept."""

    def __init__(self, geometry: CrystfelGeometry) -> None:
        self._geometry = geometry
        self._kept: dict[tuple[Any, ...], Array] = {}

    def panels(self, file: h5py.File, event: Event) -> Iterator[tuple[Array, Bad, Bad]]:
        """Yield for each panel its pixels as they are in the file, the bad ones, and those that are saturated.

        All three are `[slow, fast]`; a pixel that is no number is bad.

        Raises:
            NotThereError: data or a mask are missing, or too small.
        """
        blocks = _Blocks(file, event)
        for panel, never in zip(self._geometry.panels, self._always_bad, strict=True):
            pixels = blocks.cut(panel, panel.data, "data")
            bad = never | _flagged(pixels, panel.flags)
            if pixels.dtype.kind == "f":
                bad |= ~np.isfinite(pixels)
            for mask in panel.masks:
                bad |= _bad_bits(self._cut(blocks, panel, mask.data, mask.file, "a mask"), mask)
            saturated = np.zeros(pixels.shape, dtype=bool)
            if panel.saturation_map:
                words = (panel.saturation_map, panel.saturation_map_file, "a saturation map")
                saturated = pixels > self._cut(blocks, panel, *words)
            yield pixels, bad, saturated & ~bad

    def dtype(self, file: h5py.File, event: Event) -> np.dtype[Any]:
        """The type of the pixels."""
        return np.dtype(_dataset(file, event.place(self._geometry.panels[0].data), "data").dtype)

    @cached_property
    def _always_bad(self) -> list[Bad]:
        """Bad pixels of each panel by the geometry alone."""
        return [_bad_by_geometry(panel, self._geometry.bad) for panel in self._geometry.panels]

    def _cut(self, blocks: _Blocks, panel: GeometryPanel, path: str, name: str, what: str) -> Array:
        if not name:
            return blocks.cut(panel, path, what)
        key = (panel.name, path, name, _time(name))
        if key not in self._kept:
            if len(self._kept) >= _KEPT_MASKS * len(self._geometry.panels):
                self._kept.clear()
            try:
                with open_hdf5(name) as file:
                    self._kept[key] = _Blocks(file, blocks.event).cut(panel, path, what)
            except OSError as error:
                raise NotThereError(why(Cause.CRYSTFEL_MASK_FILE, what=what.capitalize(), file=name)) from error
        return self._kept[key]


class _Blocks:
    """The datasets of one event, each read once."""

    def __init__(self, file: h5py.File, event: Event) -> None:
        self.event = event
        self._file = file
        self._read: dict[tuple[str, int | None], Array] = {}

    def cut(self, panel: GeometryPanel, path: str, what: str) -> Array:
        """The part of a dataset, as large as the data or static, that belongs to a panel, `[slow, fast]`."""
        path = self.event.place(path)
        dataset = _dataset(self._file, path, what)
        dims: Sequence[int | str] = panel.dims
        if dataset.ndim != len(dims):
            dims = [dim for dim in dims if dim != EVENT]  # a mask that is the same for all events
        if dataset.ndim == 2:
            dims = ["ss", "fs"]
        if dataset.ndim != len(dims):
            n_dimensions, n_described = dataset.ndim, len(panel.dims)
            raise NotThereError(
                why(
                    Cause.CRYSTFEL_DIMENSIONS,
                    dataset=path,
                    n_dimensions=n_dimensions,
                    n_described=n_described,
                    what=what,
                    panel=panel.name,
                )
            )
        fixed = next((dim for dim in dims if isinstance(dim, int)), None)
        key = (path, fixed)
        if key not in self._read:
            self._read[key] = self._block(dataset, dims, what)
        block = self._read[key][panel.min_ss : panel.max_ss + 1, panel.min_fs : panel.max_fs + 1]
        if block.shape != panel.size[::-1]:
            shape = " x ".join(map(str, dataset.shape))
            raise NotThereError(
                why(
                    Cause.CRYSTFEL_TOO_SMALL,
                    dataset=path,
                    shape=shape,
                    what=what,
                    panel=panel.name,
                    max_ss=panel.max_ss,
                    max_fs=panel.max_fs,
                )
            )
        return block

    def _block(self, dataset: h5py.Dataset, dims: Sequence[int | str], what: str) -> Array:
        places = iter(self.event.indices)
        index: list[int | slice] = []
        for dim in dims:
            index.append(next(places) if dim == EVENT else dim if isinstance(dim, int) else slice(None))
        for place, size in zip(index, dataset.shape, strict=True):
            if isinstance(place, int) and place >= size:
                raise NotThereError(why(Cause.CRYSTFEL_NO_INDEX, dataset=dataset.name, index=place, what=what))
        if dataset.chunks is not None and what == "data":
            corner = [
                0 if isinstance(one, slice) else one // n * n for one, n in zip(index, dataset.chunks, strict=True)
            ]
            if dataset.id.get_chunk_info_by_coord(tuple(corner)).byte_offset is None:
                raise NotThereError(why(Cause.NEVER_WRITTEN, dataset=dataset.name))
        try:
            return np.asarray(dataset[tuple(index)])
        except OSError as error:  # a filter that is not there, or damage
            image = self.event.indices[0] if dims[0] == EVENT else None
            raise NotThereError(why_dataset(dataset, image) or why(Cause.PIXELS_DAMAGED)) from error


def value_of(file: h5py.File, quantity: Quantity, event: Event) -> float:
    """A number, from the file if it is there: a scalar, or an array with a value for each event.

    Raises:
        NotThereError: the file has no such number for this event.
    """
    if quantity.value is not None:
        return quantity.value
    dataset = _dataset(file, event.place(quantity.path), "a value")
    indices = list(event.indices)
    place = []
    for size in dataset.shape:
        index = indices.pop(0) if size != 1 and indices else 0
        if index >= size:
            raise NotThereError(why(Cause.CRYSTFEL_NO_VALUE, dataset=dataset.name, n_values=size, number=index + 1))
        place.append(index)
    try:
        return float(dataset[tuple(place)]) * quantity.scale
    except (TypeError, ValueError) as error:
        raise NotThereError(why(Cause.CRYSTFEL_NOT_A_NUMBER, dataset=dataset.name)) from error


def length_m(file: h5py.File, quantity: Quantity, event: Event) -> float:
    """A length in metres, as :func:`value_of` finds it; it has to be a number."""
    value = value_of(file, quantity, event)
    if not math.isfinite(value):
        raise NotThereError(why(Cause.CRYSTFEL_NO_LENGTH, dataset=quantity.path))
    return value


def _dataset(file: h5py.File, path: str, what: str) -> h5py.Dataset:
    found = file.get(path)
    if not isinstance(found, h5py.Dataset):
        raise NotThereError(why(Cause.CRYSTFEL_NO_DATASET, dataset=path, what=what))
    return found


def _flagged(pixels: Array, flags: Sequence[Flag]) -> Bad:
    bad = np.zeros(pixels.shape, dtype=bool)
    for flag in flags:
        bad |= _COMPARE[flag.relation](pixels, flag.value)
    return bad


def _bad_bits(values: Array, mask: Mask) -> Bad:
    whole = values.astype(np.int64)
    return np.asarray(((whole & mask.good_bits) != mask.good_bits) | ((whole & mask.bad_bits) != 0))


def _bad_by_geometry(panel: GeometryPanel, regions: Sequence[BadRegion]) -> Bad:
    n_fast, n_slow = panel.size
    bad = np.full((n_slow, n_fast), panel.no_index)
    if panel.n_edge:
        bad[: panel.n_edge] = bad[-panel.n_edge :] = True
        bad[:, : panel.n_edge] = bad[:, -panel.n_edge :] = True
    for region in regions:
        if region.panel == panel.name:
            (fs0, ss0), (fs1, ss1) = ((int(a), int(b)) for a, b in (region.first, region.last))
            rows = slice(max(ss0 - panel.min_ss, 0), max(ss1 - panel.min_ss + 1, 0))
            bad[rows, max(fs0 - panel.min_fs, 0) : max(fs1 - panel.min_fs + 1, 0)] = True
        elif not region.panel:
            slow, fast = np.mgrid[:n_slow, :n_fast]
            x, y = (panel.corner_px[k] + fast * panel.fs[k] + slow * panel.ss[k] for k in (0, 1))
            inside = (x > region.first[0]) & (x < region.last[0]) & (y > region.first[1]) & (y < region.last[1])
            bad |= inside
    return bad


def _time(name: str) -> int:
    try:
        return Path(name).stat().st_mtime_ns
    except OSError:
        return 0
