"""Why an HDF5 image cannot be read: broken links, filters, permissions, damage."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from iota.causes import Cause, Why, why
from iota.hdf5 import h5py
from iota.hdf5_filters import missing_filter, remedy
from iota.inputs.hdf5.masters import data_groups, image_keys, linked_file, open_hdf5, text_of, why_data_file

_MAX_VISITED = 2000  # data sets of one file


def why_hdf5(path: Path, *, is_pixels: bool, index: int = 0) -> Why | None:
    """Why an image of a file that can be opened cannot be read; None if no problem is found.

    Args:
        path: of the file.
        is_pixels: whether the header could be read, and the pixels could not.
        index: of the image in the file.
    """
    if not h5py.is_hdf5(path):
        return why(Cause.NOT_HDF5)
    try:
        with _opened(path) as file:
            return _why_image(file, index, is_pixels) if is_pixels else _why_file(file) or _why_image(file, 0, False)
    except OSError:
        return why(Cause.HDF5_DAMAGED)


def _opened(path: Path) -> Any:
    try:
        return h5py.File(path, "r")  # as dxtbx does, which may have it open still: other locking would be refused
    except OSError:
        return open_hdf5(str(path))  # a detector may write to it


def _why_file(file: Any) -> Why | None:
    """Check the description of the experiment: filters of all datasets, links, and the groups that DIALS needs."""
    classes = set()
    n_visited = 0

    def visit(name: str, found: Any) -> Why | Literal[False] | None:
        nonlocal n_visited
        n_visited += 1
        if n_visited > _MAX_VISITED:
            return False  # ends the visit
        classes.add(text_of(found.attrs.get("NX_class", "")))
        depends_on = found.attrs.get("depends_on")
        if isinstance(found, h5py.Dataset):
            if name.endswith("/depends_on") and found.shape == ():
                depends_on = found[()]
            if _leads_nowhere(found.parent, depends_on):
                return why(Cause.NO_AXIS, target=text_of(depends_on), item=found.name)
            return _why_filter(found)
        return next(filter(None, (_why_link(found, key) for key in found)), None)

    problem = file.visititems(visit)
    if problem is not None:
        return problem or None
    for name, what in (("NXdetector", "detector"), ("NXbeam", "beam")):
        if "NXentry" in classes and name not in classes:
            return why(Cause.NO_GROUP, what=what, group=name)
    return None


def _leads_nowhere(group: Any, depends_on: Any) -> bool:
    path = text_of(depends_on) or "."
    return path not in (".", "") and group.get(path) is None


def _why_image(file: Any, index: int, is_pixels: bool) -> Why | None:
    """Check the dataset that contains an image, and the links to it."""
    found = any(name.startswith("tag-") for name in file)  # of SACLA, which has its images elsewhere
    for group in data_groups(file):
        for key in image_keys(group):
            problem = _why_link(group, key)
            if problem:
                return problem
            dataset = group.get(key)
            if not isinstance(dataset, h5py.Dataset) or dataset.ndim < 2:
                continue
            found = True
            n_images = len(dataset) if dataset.ndim > 2 else 1
            if index < n_images or not is_pixels:
                found_why = why_dataset(dataset, index if is_pixels else None)
                is_elsewhere = dataset.file.filename != file.filename
                if found_why is not None and found_why.cause is Cause.PIXELS_DAMAGED and is_elsewhere:
                    return why(Cause.DATA_FILE_PIXELS_DAMAGED, file=Path(dataset.file.filename).name)
                return found_why
            index -= n_images
    return None if found else why(Cause.NO_IMAGES)


def _why_link(group: Any, key: str) -> Why | None:
    """Follow a link to its target."""
    link = group.get(key, getlink=True)
    if isinstance(link, h5py.SoftLink) and group.get(key) is None:
        return why(Cause.DEAD_HDF5_LINK, target=link.path, link=f"{group.name}/{key}")
    if not isinstance(link, h5py.ExternalLink):
        return None
    problem = _why_other(_beside(group.file, link.filename), link.filename)
    if problem is None and group.get(key) is None:
        return why(Cause.DATA_FILE_LACKS_DATASET, file=link.filename, dataset=link.path)
    return problem


def _beside(file: Any, name: str) -> Path:
    """The path of a file named by another one."""
    return Path(linked_file(file.filename, name))


def _why_other(path: Path, name: str) -> Why | None:
    """Check a data file; ``name`` is its name in the master."""
    return why_data_file(str(path), name)


def why_dataset(dataset: Any, index: int | None) -> Why | None:
    """Check the pixels of an image, or of the first one if ``index`` is None, wherever they are."""
    problem = _why_filter(dataset)
    if dataset.is_virtual:
        problem = next(
            filter(None, (_why_source(dataset, source, index) for source in dataset.virtual_sources())), None
        )
    if problem or index is None:
        return problem
    try:
        dataset[index] if dataset.ndim > 2 else dataset[()]
    except OSError as error:  # though all filters are there
        if re.search("memory|alloc", str(error)):
            raise MemoryError(str(error)) from error
        return why(Cause.PIXELS_DAMAGED)
    return None


def _why_source(dataset: Any, source: Any, index: int | None) -> Why | None:
    """Check a source of a virtual dataset, if the image is in it."""
    if index is not None and dataset.ndim > 2:
        first, last = source.vspace.get_select_bounds()
        if not first[0] <= index <= last[0]:
            return None
    path = Path(dataset.file.filename)
    if source.file_name != ".":
        path = _beside(dataset.file, source.file_name)
        problem = _why_other(path, source.file_name)
        if problem:
            return problem
    with _opened(path) as file:
        found = file.get(source.dset_name)
        return _why_filter(found) if isinstance(found, h5py.Dataset) else None


def _why_filter(dataset: Any) -> Why | None:
    found = missing_filter(dataset)
    if found is None:
        return None
    return why(Cause.NO_FILTER, filter=str(found), remedy=remedy(found.number))
