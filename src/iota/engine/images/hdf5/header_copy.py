"""A small temporary file from which dxtbx reads the models in place of an HDF5 master.

It contains the master's description of the experiment, and space for one image. dxtbx opens every data file, or the
first, to learn about the experiment, and fails if one is missing; it takes the number of goniometer angles as that of
images, and cannot handle several thresholds. None of this matters for models. Images `[module, slow, fast]`, which
only newer versions know, become `[module * slow, fast]`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from iota.engine.images.hdf5.eiger_header import complete_eiger
from iota.engine.images.hdf5.nexus_groups import has_modules
from iota.engine.images.hdf5.nexus_header import Header, correct_header
from iota.hdf5 import h5py
from iota.inputs.hdf5.image_map import ImageMap
from iota.inputs.hdf5.masters import class_of, linked_file, open_hdf5, text_of
from iota.inputs.hdf5.threshold import channel_group

_NOT_NEEDED = frozenset({"flatfield", "trimbit", "countrate_correction_table", "countrate_correction_lookup_table"})


def write_header_copy(master: str, found: ImageMap, path: Path) -> Header:
    """Write the stand-in of a master, with its header corrected.

    Raises:
        OSError, RuntimeError, KeyError, ValueError: the master is damaged.
    """
    with open_hdf5(master) as source, h5py.File(path, "w") as target:
        _Copier(master, found).copy(source, target)
        if found.channel is not None:
            _describe_channel(source, target, found)
        complete_eiger(target)
        return correct_header(target, source, found)


class _Copier:
    def __init__(self, master: str, found: ImageMap) -> None:
        self._master = master
        self._found = found
        self._plane = math.prod(found.shape[:-1]), found.shape[-1]
        self._n_modules = 0
        self._open_groups: list[int] = []  # addresses of the groups that are open: hard links may go round

    def copy(self, source: h5py.Group, target: h5py.Group) -> None:
        """Copy the contents of a group recursively."""
        _copy_attributes(source, target)
        if source.name == self._found.group:
            self._add_empty_image(source, target)
            if class_of(source) == "NXdata" or source.name.endswith("/data"):
                return
        address = h5py.h5o.get_info(source.id).addr
        if address in self._open_groups:
            return
        self._open_groups.append(address)
        for name in source:
            if name not in target and name not in _NOT_NEEDED:
                self._copy_one(source, target, name)
        self._open_groups.pop()

    def _copy_one(self, source: h5py.Group, target: h5py.Group, name: str) -> None:
        if self._copy_flattened(source, target, name):
            return
        link = source.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            elsewhere = Path(linked_file(self._master, link.filename)).resolve()
            if elsewhere.exists():
                target[name] = h5py.ExternalLink(str(elsewhere), link.path)
            return
        if isinstance(link, h5py.SoftLink):
            target[name] = h5py.SoftLink(link.path)
            return
        item = source[name]
        if isinstance(item, h5py.Group):
            self.copy(item, target.create_group(name))
        elif isinstance(item, h5py.Dataset) and not self._is_stack(item, name):
            source.copy(name, target)
            _copy_attributes(item, target[name])

    def _copy_flattened(self, source: h5py.Group, target: h5py.Group, name: str) -> bool:
        """Copy what is said of images of more than two dimensions in terms of the plane that they become."""
        item = source.get(name) if name in ("pixel_mask", "data_origin", "data_size") else None
        if not isinstance(item, h5py.Dataset):
            return False
        if name == "pixel_mask":
            if item.ndim == 2 or item.size != math.prod(self._plane):
                return False
            target[name] = item[()].reshape(self._plane)
            return True
        if len(self._found.shape) != 3:
            return False
        values = [int(n) for n in np.ravel(item[()])]
        if name == "data_origin":
            module = values[0] if len(values) == 3 else self._n_modules
            self._n_modules += 1
            values[-2] += module * self._found.shape[1]
        target[name] = values[-2:]
        return True

    def _is_stack(self, item: h5py.Dataset, name: str) -> bool:
        """Whether a dataset contains images, whatever its name."""
        n_axes = len(self._found.shape)
        return (
            item.ndim > n_axes
            and item.shape[0] == self._found.n_images
            and item.shape[-n_axes:] == self._found.shape
            and (self._found.n_images > 1 or "mask" not in name)
        )

    def _add_empty_image(self, source: h5py.Group, target: h5py.Group) -> None:
        """Insert an empty image in place of the first one; NXmx has it under the name of its signal."""
        name = self._found.keys[0]
        if "definition" in source.parent or has_modules(source.parent):
            name = text_of(source.attrs.get("signal")) or "data"
        elif "instrument/detector/detectorSpecific" in source.parent:
            name = "data_000001"  # where dxtbx looks for it in older files of DECTRIS, whatever is there
        target.create_dataset(name, (1, *self._plane), self._found.dtype, chunks=(1, *self._plane))


def _copy_attributes(source: Any, target: Any) -> None:
    """Copy attributes; an array of a single text is converted to this text, as dxtbx requires."""
    for name, value in source.attrs.items():
        is_one_text = isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "SOU"
        target.attrs[name] = value.flat[0] if is_one_text else value


def _describe_channel(source: h5py.File, target: h5py.File, found: ImageMap) -> None:
    """Copy the description of the selected channel to the detector."""
    channel = channel_group(source, found.channel) if found.channel is not None else None
    if channel is None:
        return
    detector = target[channel.parent.name]
    for name in channel:
        if isinstance(channel.get(name), h5py.Dataset) and name not in _NOT_NEEDED:
            if name in detector:
                del detector[name]
            channel.copy(name, detector)
