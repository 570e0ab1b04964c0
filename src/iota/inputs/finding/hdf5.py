"""Sorts HDF5 inputs: masters, data files that belong to a master, and files with the same images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np

from iota.errors import InputError
from iota.inputs.crystfel.events import read_event_map
from iota.inputs.crystfel.geometry import CrystfelGeometry
from iota.inputs.hdf5.foreign import Foreign, foreign_hdf5, imageless_hdf5
from iota.inputs.hdf5.image_map import UNREADABLE, ImageMap, TooManyImagesError, read_map
from iota.inputs.hdf5.image_owners import Flags, ImageOwners
from iota.inputs.hdf5.masters import open_hdf5
from iota.inputs.names.kinds import data_file_stem
from iota.inputs.names.problem import Problem, problem_with
from iota.records import FrameRef


class Container:
    """An HDF5 file that was named or found; its number of frames is known after :func:`open_containers`."""

    __slots__ = ("brings", "map", "named", "path", "picked", "resolved", "unreadable", "useless")

    def __init__(self, path: str, resolved: str, named: bool, picked: set[int]) -> None:
        self.path = path
        self.resolved = resolved
        self.named = named  # asked for by name, not found in a folder
        self.picked = picked  # images of it that came one by one, as path#N
        self.map: ImageMap | None = None
        self.brings: Flags | None = None  # which of its images are frames
        self.unreadable = False
        self.useless: Foreign | str | None = None  # why it brings nothing

    def frames(self) -> Iterator[FrameRef]:
        """Yield a frame for each image; one without an index if the file could not be opened: its worker says why."""
        if self.unreadable:
            yield FrameRef(self.path)
        for index in () if self.brings is None else np.flatnonzero(self.brings).tolist():
            if index not in self.picked:
                yield FrameRef(self.path, index)


def open_containers(
    containers: list[Container],
    progress: Callable[[int], None],
    geometry: CrystfelGeometry | None = None,
) -> Iterator[Problem]:
    """Open the masters and set the number of frames of each; data files of a master get none.

    A data file that lies beside its master is known by its name and never opened. With a CrystFEL geometry, which says
    itself where the images are, there are no masters. Yields what is in the way; what is the same for several files of
    a folder is said once.
    """
    n_frames = 0
    opened: list[Container] = []
    all_resolved = {container.resolved for container in containers}
    for container in containers:
        beside = None if geometry else master_beside(container.path)
        if beside is None:
            _open(container, geometry)
            opened.append(container)
            n_frames += container.map.n_images if container.map else 1
            progress(n_frames)
        elif container.named and os.path.realpath(beside) not in all_resolved:
            yield problem_with(container.path, f"it is a data file of {beside}; use that file instead.")
    yield from _useless(opened)
    yield from _settle(opened)


def _open(container: Container, geometry: CrystfelGeometry | None) -> None:
    try:
        with open_hdf5(container.path) as file:
            foreign = foreign_hdf5(file)
        if foreign is not None and not (geometry and foreign.geometry_helps):
            container.useless = foreign
        elif geometry is not None:
            container.map = read_event_map(container.path, geometry)
        else:
            container.map = read_map(container.path)
    except (TooManyImagesError, InputError) as error:
        container.useless = str(error)
    except UNREADABLE:
        container.unreadable = True


def _useless(opened: list[Container]) -> Iterator[Problem]:
    """Report files that cannot be read, once for all similar files of a folder."""
    alike: dict[tuple[str, Foreign | str], list[str]] = {}
    for container in opened:
        if container.useless is not None:
            folder, name = os.path.split(container.path)
            alike.setdefault((folder, container.useless), []).append(name)
    for (folder, why), names in alike.items():
        if len(names) == 1:
            yield problem_with(os.path.join(folder, names[0]), why if isinstance(why, str) else why.sentence)
        elif isinstance(why, str):
            yield problem_with(folder, f"{len(names)} files, such as {names[0]}: {why}")
        else:
            yield problem_with(folder, why.sentence_of(len(names), names[0]))


def _settle(opened: list[Container]) -> Iterator[Problem]:
    """Decide which of the opened files provide frames, and which frames."""
    maps = {c.resolved: c.map for c in opened if c.map}
    pointed_at = {
        target
        for path, found in maps.items()
        for target in found.targets
        if target not in maps or path not in maps[target].targets  # two that point at each other are both kept
    }
    owners = ImageOwners()
    told: set[str] = set()
    for container in opened:
        found = container.map
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
                yield problem_with(container.path, imageless_sentence(container.path))
        else:
            container.brings, other = owners.claim(container.path, found, np.ones(found.n_images, np.bool_))
            if other:
                yield problem_with(container.path, taken_text(found.n_images, container.brings, other))
            if found.missing and container.brings.any():
                yield problem_with(container.path, missing_text(found.missing))


def taken_text(n_images: int, brings: Flags, other: str) -> str:
    """Describe which images of a master are also those of another one."""
    n_taken = n_images - int(np.count_nonzero(brings))
    if n_taken == n_images:
        return f"all its images are also in {other}, and are processed only once."
    return f"{n_taken} of its {n_images} images are also in {other}, and are processed only once."


def is_metadata_name(path: str) -> bool:
    """Whether the name is that of a metadata file written beside a master at Diamond: times and masks, no images."""
    return os.path.basename(path).lower().endswith("_meta.h5")


def imageless_sentence(path: str) -> str:
    """Describe an HDF5 file in which no image was found."""
    with open_hdf5(path) as file:
        return imageless_hdf5(file).sentence


def missing_text(missing: tuple[str, ...]) -> str:
    """Describe which data files of a master are missing."""
    count = "1 data file" if len(missing) == 1 else f"{len(missing)} data files"
    return f"it points to {count} that cannot be found: looked for {missing[0]}{' and others' if missing[1:] else ''}."


def master_beside(path: str) -> str | None:
    """Return the master of a data file, judged by its name, if it exists."""
    folder, name = os.path.split(path)
    stem = data_file_stem(name)
    if stem is None:
        return None
    candidates = (os.path.join(folder, stem + end) for end in ("_master.h5", ".nxs", "_master.hdf5", "_master.nxs"))
    return next((candidate for candidate in candidates if os.path.exists(candidate)), None)
