"""HDF5 files among the inputs: which are masters, which only the data files of one, and which hold the same images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from iota.inputs.kinds import data_file_stem
from iota.inputs.masters import Master, read_master
from iota.inputs.problem import Problem, problem_with
from iota.records import FrameRef


class Container:
    """An HDF5 file that was named or found; how many frames it brings is known after :func:`open_containers`."""

    __slots__ = ("master", "n_frames", "named", "path", "picked", "resolved", "unreadable")

    def __init__(self, path: str, resolved: str, named: bool, picked: set[int]) -> None:
        self.path = path
        self.resolved = resolved
        self.named = named  # asked for by name, not found in a folder
        self.picked = picked  # images of it that came one by one, as path#N
        self.master: Master | None = None
        self.n_frames = 0
        self.unreadable = False

    def frames(self) -> Iterator[FrameRef]:
        """Yield a frame for each image; one without an index if the file could not be opened: its worker says why."""
        if self.unreadable:
            yield FrameRef(self.path)
        for index in range(self.n_frames):
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
            n_frames += container.master.n_images if container.master else 1
            if progress is not None:
                progress(n_frames)
        elif container.named and os.path.realpath(beside) not in all_resolved:
            yield problem_with(container.path, f"it is a data file of {beside}: give that one instead.")
    yield from _settle(opened)


def _open(container: Container) -> None:
    try:
        container.master = read_master(container.path)
    except (OSError, RuntimeError, KeyError, ValueError):  # all of these come out of damaged files
        container.unreadable = True


def _settle(opened: list[Container]) -> Iterator[Problem]:
    """Decide which of the opened files bring frames."""
    masters = {c.resolved: c.master for c in opened if c.master}
    pointed_at = {
        target
        for path, master in masters.items()
        for target in master.targets
        if target not in masters or path not in masters[target].targets  # two that point at each other are both kept
    }
    first_with: dict[frozenset[object], str] = {}
    told: set[str] = set()
    for container in opened:
        master = container.master
        if master is None or container.resolved in pointed_at:
            continue
        stem = data_file_stem(os.path.basename(container.path))
        if stem is not None and master.is_bare:
            wanted = os.path.join(os.path.dirname(container.path), f"{stem}_master.h5")
            if wanted not in told:
                told.add(wanted)
                yield problem_with(container.path, f"it is a data file without its master: looked for {wanted}.")
        elif not master.n_images:
            yield problem_with(
                container.path, "it is HDF5 without images: looked in entry/data and other NXdata groups."
            )
        elif master.pieces and first_with.setdefault(master.pieces, container.path) != container.path:
            yield problem_with(container.path, f"its images are those of {first_with[master.pieces]}, taken once.")
        else:
            container.n_frames = master.n_images
            if master.missing:
                yield problem_with(container.path, missing_text(master.missing))


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
