"""Names and files that monitor mode has already seen."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from itertools import groupby

from iota.records import FileId, FrameRef

Identity = tuple[int, FileId]  # device, and what is the same on every machine


def key_of(file: FileId) -> int:
    """A compact key of a file that was read: 28 bytes instead of 160."""
    return hash(file)


def identity_of(status: os.stat_result) -> Identity:
    """Identity of a file: unchanged if it is renamed, different for a new file with the inode of a deleted one."""
    return status.st_dev, (status.st_ino, status.st_mtime_ns, status.st_size)


class Seen:
    """Files by folder and name, and by identity; about 200 bytes a file, as no path is kept but the folders'.

    Folders are resolved ones. ``before`` are frames of an earlier search: met already. ``read`` has the keys of the
    files that were read for the records of an earlier run, whatever their names are now.
    """

    def __init__(self, before: Iterable[FrameRef], read: AbstractSet[int] = frozenset()) -> None:
        self._names: dict[str, set[str]] = {}
        self._before: dict[str, set[str]] = {}
        self._identities: set[int] = set()
        self._read_before = read  # without the device, which has another number on another machine
        self.images_before: dict[str, set[int]] = {}  # resolved path -> images of that file
        self._remember(before)

    def _remember(self, frames: Iterable[FrameRef]) -> None:
        folders: dict[str, str] = {}
        for path, images in groupby(frames, key=lambda frame: frame.path):  # those of one file mostly follow each other
            folder, name = os.path.split(path)
            real = folders.get(folder) or folders.setdefault(folder, os.path.realpath(folder))
            for image in images:
                if image.index is None:
                    self._before.setdefault(real, set()).add(name)
                else:
                    self.images_before.setdefault(os.path.join(real, name), set()).add(image.index)
        for real in self._before:
            self._follow_links(real)

    def _follow_links(self, folder: str) -> None:
        """Remember also the files to which a folder's links lead: one listing, no call a file."""
        try:
            with os.scandir(folder) as scan:
                links = [e.name for e in scan if e.is_symlink() and e.name in self._before[folder]]
        except OSError:
            return
        for name in links:
            self.add(os.path.realpath(os.path.join(folder, name)))

    def names(self, folder: str) -> set[str]:
        """Return the names found in a folder; the set itself."""
        return self._names.setdefault(folder, set())

    def __contains__(self, path: str) -> bool:
        """Whether a resolved path was found before."""
        folder, name = os.path.split(path)
        return name in self._names.get(folder, ())

    def add(self, path: str) -> None:
        """Remember a resolved path."""
        folder, name = os.path.split(path)
        self.names(folder).add(name)

    def forget(self, path: str) -> None:
        """Forget the name of a file that vanished before it was read, so that it can be queued again."""
        folder, name = os.path.split(path)
        self.names(folder).discard(name)
        self._before.get(folder, set()).discard(name)

    def was_before(self, path: str, index: int | None = None) -> bool:
        """Whether a resolved path, or one image of it, is that of a frame of the earlier search."""
        if index is not None:
            return index in self.images_before.get(path, ())
        folder, name = os.path.split(path)
        return name in self._before.get(folder, ())

    def identify(self, status: os.stat_result) -> bool:
        """Remember a file's identity; False if there was one like it: the same file, moved or reached by a link.

        Device and inode alone will not do, as the inode of a deleted file is given to the next one. A file with several
        names by hard links is several files, as everywhere among the inputs.
        """
        if self.knows(status) and status.st_nlink == 1:
            return False
        self._identities.add(hash(identity_of(status)))
        return True

    def knows(self, status: os.stat_result) -> bool:
        """Whether this file was found before."""
        identity = identity_of(status)
        return hash(identity) in self._identities or key_of(identity[1]) in self._read_before

    def was_read(self, identity: Identity) -> None:
        """Remember a file as it was read."""
        self._identities.add(hash(identity))

    def was_not_read(self, identity: Identity) -> None:
        """Forget the identity of a file that could not be read, so that it can be queued again."""
        self._identities.discard(hash(identity))
