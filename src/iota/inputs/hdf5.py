"""HDF5 files among the inputs: which are masters, which only the data files of one, and which hold the same images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np

from iota.inputs.image_map import UNREADABLE, ImageMap, TooManyImagesError, read_map
from iota.inputs.kinds import data_file_stem
from iota.inputs.problem import Problem, problem_with
from iota.inputs.taken import Taken, Which
from iota.records import FrameRef

NO_IMAGES = "it is HDF5 without images: looked in entry/data and other NXdata groups."


class Container:
    """An HDF5 file that was named or found; how many frames it brings is known after :func:`open_containers`."""

    __slots__ = ("brings", "map", "named", "path", "picked", "resolved", "too_many", "unreadable")

    def __init__(self, path: str, resolved: str, named: bool, picked: set[int]) -> None:
        self.path = path
        self.resolved = resolved
        self.named = named  # asked for by name, not found in a folder
        self.picked = picked  # images of it that came one by one, as path#N
        self.map: ImageMap | None = None
        self.brings: Which | None = None  # which of its images are frames
        self.unreadable = False
        self.too_many = ""

    def frames(self) -> Iterator[FrameRef]:
        """Yield a frame for each image; one without an index if the file could not be opened: its worker says why."""
        if self.unreadable:
            yield FrameRef(self.path)
        for index in () if self.brings is None else np.flatnonzero(self.brings).tolist():
            if index not in self.picked:
                yield FrameRef(self.path, index)


def open_containers(containers: list[Container], progress: Callable[[int], None] | None) -> Iterator[Problem]:
    """Open the masters and set the number of frames of each; data files of a master get none.

    A data file that lies beside its master is known by its name and never opened. Yields what is in the way.
    """
    n_frames = 0
    opened: list[Container] = []
    all_resolved = {container.resolved for container in containers}
    for container in containers:
        beside = master_beside(container.path)
        if beside is None:
            _open(container)
            opened.append(container)
            n_frames += container.map.n_images if container.map else 1
            if progress is not None:
                progress(n_frames)
        elif container.named and os.path.realpath(beside) not in all_resolved:
            yield problem_with(container.path, f"it is a data file of {beside}: give that one instead.")
    yield from _settle(opened)


def _open(container: Container) -> None:
    try:
        container.map = read_map(container.path)
    except TooManyImagesError as error:
        container.too_many = str(error)
    except UNREADABLE:
        container.unreadable = True


def _settle(opened: list[Container]) -> Iterator[Problem]:
    """Decide which of the opened files bring frames, and which."""
    maps = {c.resolved: c.map for c in opened if c.map}
    pointed_at = {
        target
        for path, found in maps.items()
        for target in found.targets
        if target not in maps or path not in maps[target].targets  # two that point at each other are both kept
    }
    taken = Taken()
    told: set[str] = set()
    for container in opened:
        found = container.map
        if container.too_many:
            yield problem_with(container.path, container.too_many)
        if found is None or container.resolved in pointed_at:
            continue
        stem = data_file_stem(os.path.basename(container.path))
        if stem is not None and found.is_bare:
            wanted = os.path.join(os.path.dirname(container.path), f"{stem}_master.h5")
            if wanted not in told:
                told.add(wanted)
                yield problem_with(container.path, f"it is a data file without its master: looked for {wanted}.")
        elif not found.n_images:
            if container.named or not is_metadata_name(container.path):
                yield problem_with(container.path, NO_IMAGES)
        else:
            container.brings, other = taken.claim(container.path, found, np.ones(found.n_images, np.bool_))
            if other:
                yield problem_with(container.path, taken_text(found.n_images, container.brings, other))
            if found.missing and container.brings.any():
                yield problem_with(container.path, missing_text(found.missing))


def taken_text(n_images: int, brings: Which, other: str) -> str:
    """Say in words which images of a master are those of another one."""
    n_taken = n_images - int(np.count_nonzero(brings))
    if n_taken == n_images:
        return f"its images are those of {other}, taken once."
    return f"{n_taken} of its {n_images} images are also in {other}, and are taken once."


def is_metadata_name(path: str) -> bool:
    """Say whether a file's name is that of what Diamond writes beside a master: times and masks, no images."""
    return os.path.basename(path).lower().endswith("_meta.h5")


def missing_text(missing: tuple[str, ...]) -> str:
    """Say in words which data files of a master are missing."""
    count = "1 data file" if len(missing) == 1 else f"{len(missing)} data files"
    return f"it points to {count} that cannot be found: looked for {missing[0]}{' and others' if missing[1:] else ''}."


def master_beside(path: str) -> str | None:
    """Return the master that a file's name makes it a data file of, when it is there."""
    folder, name = os.path.split(path)
    stem = data_file_stem(name)
    if stem is None:
        return None
    candidates = (os.path.join(folder, stem + end) for end in ("_master.h5", ".nxs", "_master.hdf5", "_master.nxs"))
    return next((candidate for candidate in candidates if os.path.exists(candidate)), None)
