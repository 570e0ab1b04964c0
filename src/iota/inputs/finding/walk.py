"""Lists the files below a folder in natural order, without opening them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from iota.inputs.hdf5.foreign import Foreign, foreign_name
from iota.inputs.names.kinds import is_found_in_folder
from iota.inputs.names.order import natural_key


class Found(NamedTuple):
    """An image file of a folder: the path to show, and the same with every symbolic link resolved."""

    path: str
    resolved: str


class Walk:
    """Iterate over the image files of a folder and its subfolders.

    Afterwards ``unreadable`` names folders left out, and ``foreign`` files of formats that are known not to be read.
    A folder that is reached twice, through a symbolic link or a loop of them, is listed once. What a file is comes
    from the directory entry, so a file costs no call of its own: 100,000 are listed in about a second.
    """

    def __init__(self, folder: str, count_name: Callable[[], None] = lambda: None) -> None:
        """Prepare; ``count_name`` is called for each entry of a folder, and ends the walk by raising."""
        self.folder = folder
        self._count_name = count_name
        self.unreadable: list[tuple[str, str]] = []  # path, reason
        self.foreign: dict[tuple[str, Foreign], list[str]] = {}  # folder and format -> files that are not read
        self._been_in: set[tuple[int, int]] = set()  # device, inode

    def __iter__(self) -> Iterator[Found]:
        """Yield the images; names are compared naturally, files and folders alike."""
        waiting: list[tuple[str, str, Iterator[os.DirEntry[str]]]] = []
        self._enter(waiting, self.folder)
        while waiting:
            shown, resolved, entries = waiting[-1]
            entry = next(entries, None)
            if entry is None:
                waiting.pop()
            elif _is_folder(entry):
                self._enter(waiting, os.path.join(shown, entry.name))
            elif is_found_in_folder(entry.name):
                yield self._image(entry, shown, resolved)

    def _enter(self, waiting: list[tuple[str, str, Iterator[os.DirEntry[str]]]], folder: str) -> None:
        try:
            here = os.stat(folder)
            if (here.st_dev, here.st_ino) in self._been_in:
                return
            self._been_in.add((here.st_dev, here.st_ino))
            with os.scandir(folder) as scan:
                # Reversed and popped, so that memory shrinks while the frames grow.
                listed = (e for e in scan if self._matters(e, folder))
                entries = sorted(listed, key=lambda e: natural_key(e.name), reverse=True)
        except OSError as error:
            self.unreadable.append((folder, error.strerror or str(error)))
            return
        waiting.append((folder, os.path.realpath(folder), _popped(entries)))

    def _matters(self, entry: os.DirEntry[str], folder: str) -> bool:
        """Whether the entry is a folder, an image, or a link to one, even if its target is missing."""
        self._count_name()
        if entry.name.startswith("."):
            return False
        if _is_folder(entry):
            return True
        if is_found_in_folder(entry.name):
            return entry.is_symlink() or entry.is_file()
        foreign = foreign_name(entry.name)
        if foreign is not None:
            self.foreign.setdefault((folder, foreign), []).append(entry.name)
        return False

    @staticmethod
    def _image(entry: os.DirEntry[str], shown: str, resolved: str) -> Found:
        path = os.path.join(shown, entry.name)
        if entry.is_symlink():
            return Found(path, os.path.realpath(path))
        return Found(path, path if shown == resolved else os.path.join(resolved, entry.name))


def _popped(entries: list[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    while entries:
        yield entries.pop()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symbolic link that leads to itself
        return False
