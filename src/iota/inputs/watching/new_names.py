"""Names that monitor mode has found but not examined yet, and wildcards to be watched."""

from __future__ import annotations

import glob
import os
import re
import time

from iota.inputs.names import kinds
from iota.inputs.watching.folders import Arrival

_GLOB_PAUSE_FACTOR = 10  # a search for folders is followed by so many times its duration without one


class NewName:
    """A file found, of which only the name is known so far."""

    __slots__ = ("by_wildcard", "first", "index", "is_hdf5", "named", "path", "resolved")

    def __init__(
        self,
        path: str,
        resolved: str,
        first: bool,
        by_wildcard: bool,
        *,
        named: bool = False,
        index: int | None = None,
        is_hdf5: bool | None = None,
    ) -> None:
        self.path = path
        self.resolved = resolved
        self.first = first  # there when its folder was listed for the first time
        self.by_wildcard = by_wildcard
        self.named = named
        self.index = index
        self.is_hdf5 = kinds.is_hdf5_name(path) if is_hdf5 is None else is_hdf5

    @classmethod
    def of(cls, arrival: Arrival) -> NewName:
        """Make one from a name found in a watched folder."""
        folder, name = arrival.folder, arrival.name
        path, resolved = (os.path.join(where, name) for where in (folder.path, folder.resolved))
        return cls(path if path != resolved else resolved, resolved, arrival.first, folder.pattern is not None)


class Wildcard:
    """A wildcard: names to watch for, in folders that may be wildcards themselves."""

    def __init__(self, folder: str, names: re.Pattern[str]) -> None:
        self._folder = folder
        self.names = names if names.pattern else None  # None: all below the folder
        self._next_at = 0.0

    def folders(self, now: float) -> list[str]:
        """Return the existing folders; none while it is too soon for another search."""
        if not glob.has_magic(self._folder):
            return [self._folder] if os.path.isdir(self._folder) else []
        if now < self._next_at:
            return []
        started = time.perf_counter()
        found = sorted(glob.glob(os.path.join(self._folder, ""), recursive=True))
        self._next_at = now + _GLOB_PAUSE_FACTOR * (time.perf_counter() - started)
        return [os.path.normpath(folder) for folder in found]


def status_of(path: str) -> os.stat_result | None:
    """Status of the file to which a path leads; None if there is none."""
    try:
        return os.stat(path)
    except (OSError, ValueError):  # ValueError: a null character
        return None


def status_of_link(path: str) -> os.stat_result | None:
    """Status of what has this name, a link itself included; None if that is nothing."""
    try:
        return os.lstat(path)
    except (OSError, ValueError):
        return None
