"""Watches folders for new names; the cost depends on the number of new files, not of old ones.

A folder is listed only if its modification time has changed, or when it is its turn in a slow round over all folders,
since modification times can be coarse, or late on a network. Measured: checking an unchanged folder takes 4.4 us,
listing one with 100,000 files 52 ms; no folder is listed for more than a tenth of the time, i.e. one of 100,000 files
twice per second. In between, the next files of numbered series are looked up by name.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice

from iota.inputs.names.kinds import is_found_in_folder, is_hdf5_name
from iota.inputs.names.order import natural_key
from iota.inputs.watching.seen import Seen
from iota.inputs.watching.series import Series

_COARSE_S = 2.5  # some file systems count whole seconds, or two
_FINE_S = 0.05  # others tick with the kernel's clock, at most 10 ms
_HOT_S = 60.0  # a folder that changed so recently is looked at each time
_LISTING_PAUSE_FACTOR = 10  # a listing is followed by so many times its duration without one
_ROUND_S = 15.0  # how often each folder is listed whatever its time of change
_ROUND_PAUSE_FACTOR = 20
_ROUND_STEPS = 50
_COMPARED = 1000  # files of a folder that came back
_DETERMINED_FROM = 100  # names of a listing from which the numbered series are known


class Folder:
    """One watched folder. Get it from :class:`Folders`."""

    def __init__(self, path: str, status: os.stat_result, pattern: re.Pattern[str] | None) -> None:
        self.path = path
        self.resolved = os.path.realpath(path)
        self.key = (status.st_dev, status.st_ino)
        self.pattern = pattern  # of a wildcard: the names wanted, and no subfolders but those
        self.stamp: tuple[int, int] = (-1, -1)
        self.changed_at = 0.0  # s, when the change was noticed
        self.listed_at: float | None = None
        self.listing_s = 0.0
        self.ignored: set[str] = set()  # names met that are no images
        self.series = Series()

    def may_hold_more(self) -> bool:
        """Whether the folder may contain files that the last listing did not show."""
        grace = _COARSE_S if self.stamp[0] % 1_000_000_000 == 0 else _FINE_S
        return self.listed_at is None or self.listed_at < self.changed_at + grace

    def may_be_listed(self, now: float) -> bool:
        """Whether the last listing was long enough ago, given its duration."""
        return self.listed_at is None or now >= self.listed_at + _LISTING_PAUSE_FACTOR * self.listing_s

    def is_hot(self, now: float) -> bool:
        """Whether the folder changed recently, or has not been listed completely."""
        return self.listed_at is None or now - self.changed_at < _HOT_S


class Arrival:
    """A name that is new in a watched folder."""

    __slots__ = ("first", "folder", "name")

    def __init__(self, folder: Folder, name: str, first: bool) -> None:
        self.folder = folder
        self.name = name
        self.first = first  # it was there when the folder was listed for the first time


class Folders:
    """All watched folders. Subfolders are added by the caller that examines new names."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._by_key: dict[tuple[int, int, str], Folder] = {}
        self._by_path: dict[tuple[str, str], Folder] = {}
        self._hot: dict[Folder, None] = {}  # in order of their turn
        self._cold: deque[Folder] = deque()
        self._round: deque[Folder] = deque()
        self._next_round_at = 0.0
        self.unreadable: list[tuple[str, str]] = []  # path, reason
        self.written_anew: list[str] = []  # paths of folders that were made again, with other files of the same names

    def __len__(self) -> int:
        return len(self._by_key)

    def has(self, path: str, pattern: re.Pattern[str] | None = None) -> bool:
        """Whether a folder is watched under this path."""
        return (path, pattern.pattern if pattern else "") in self._by_path

    def add(self, path: str, pattern: re.Pattern[str] | None = None) -> Folder | None:
        """Watch a folder, unless that is done already, maybe by way of a link: then return None.

        Raises OSError if it is not there.
        """
        status = os.stat(path)
        names = pattern.pattern if pattern else ""
        key = (status.st_dev, status.st_ino, names)
        there = self._by_key.get(key)
        if there is not None:
            if _leads_to(there.path, there.key):
                return None
            self._drop(there)  # it was moved
        folder = self._by_key[key] = Folder(path, status, pattern)
        self._by_path[path, names] = folder
        self._hot[folder] = None
        self._round.append(folder)
        return folder

    def poll(self, now: float, deadline: float) -> Iterator[list[Arrival]]:
        """Yield new names, folder by folder, until ``deadline`` (s of ``time.perf_counter``); at least one folder."""
        for folder in list(self._hot):
            if folder not in self._hot:  # moved or gone meanwhile
                continue
            yield self.check(folder, now)
            if not folder.is_hot(now) and folder in self._hot:
                del self._hot[folder]
                self._cold.append(folder)
            if time.perf_counter() > deadline:
                break
            if folder in self._hot:  # to the end of the row, so that all have their turn
                self._hot[folder] = self._hot.pop(folder)
        for _ in range(len(self._cold)):
            if time.perf_counter() > deadline:
                break
            folder = self._cold.popleft()
            self._cold.append(folder)
            yield self.check(folder, now)
            if folder.is_hot(now) and folder in self._cold:
                self._cold.remove(folder)
                self._hot[folder] = None
        yield from self._list_in_turn(now)

    def _list_in_turn(self, now: float) -> Iterator[list[Arrival]]:
        """List a few folders in turn, whatever their modification times, in a twentieth of the time."""
        if now < self._next_round_at:
            return
        started = time.perf_counter()
        for _ in range(min(len(self._round), _ROUND_STEPS)):
            folder = self._round[0]
            self._round.rotate(-1)
            if folder.listed_at is not None and now - folder.listed_at > _ROUND_S:
                yield self.check(folder, now, listing=True)
            if time.perf_counter() - started > 0.002:
                break
        self._next_round_at = now + _ROUND_PAUSE_FACTOR * (time.perf_counter() - started)

    def check(self, folder: Folder, now: float, *, listing: bool = False) -> list[Arrival]:
        """Return the new names in one folder, if it has changed; a folder that is gone is no longer watched."""
        try:
            # Opening, not stat: on NFS only that asks the server, where stat may answer from a minute ago.
            fd = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)
        except OSError as error:
            self._lose(folder, error)
            return []
        try:
            status = os.fstat(fd)
            if (status.st_dev, status.st_ino) != folder.key:  # another has its name now
                self._lose(folder, None)
                return []
            stamp = (status.st_mtime_ns, status.st_ctime_ns)
            if stamp != folder.stamp:
                at_rest = folder.listed_at is None and time.time() - status.st_mtime > _HOT_S
                folder.stamp, folder.changed_at = stamp, now - (_HOT_S if at_rest else 0.0)
            if listing or (folder.may_hold_more() and folder.may_be_listed(now)):
                return self._list(folder, fd, now)
            return self._next_in_series(folder, fd) if folder.may_hold_more() else []
        except OSError as error:
            self._lose(folder, error)
            return []
        finally:
            os.close(fd)

    def _list(self, folder: Folder, fd: int, now: float) -> list[Arrival]:
        started = time.perf_counter()
        names = os.listdir(fd)
        met, ignored = self._seen.names(folder.resolved), folder.ignored
        new = [name for name in names if name not in met and name not in ignored]
        folder.listing_s = time.perf_counter() - started
        first, folder.listed_at = folder.listed_at is None, now
        if first and len(new) < len(names):
            self._check_old_names(folder, fd, names)
        arrivals = [Arrival(folder, name, first) for name in new if self._is_wanted(folder, name, fd)]
        if len({len(arrival.name) for arrival in arrivals}) > 1:
            arrivals.sort(key=lambda arrival: natural_key(arrival.name))
        else:  # 0.3 s less for 100,000
            arrivals.sort(key=lambda arrival: arrival.name)
        folder.series.learn([arrival.name for arrival in arrivals[-_DETERMINED_FROM:]])
        if len(ignored) > 1000 and len(ignored) > 2 * len(names):
            ignored.intersection_update(names)
        return arrivals

    def _check_old_names(self, folder: Folder, fd: int, names: list[str]) -> None:
        """Report whether files of a folder that reappeared differ from those of the same names before."""
        met = self._seen.names(folder.resolved)
        some = (name for name in names if name in met and not is_hdf5_name(name))  # those are followed by their names
        for name in islice(some, _COMPARED):
            with contextlib.suppress(OSError):
                status = os.stat(name, dir_fd=fd)
                if stat.S_ISREG(status.st_mode) and not self._seen.knows(status):
                    self.written_anew.append(folder.path)
                    return

    def _next_in_series(self, folder: Folder, fd: int) -> list[Arrival]:
        """Return the next files of numbered series, in a folder too large to be listed just now."""
        met = self._seen.names(folder.resolved)

        def is_there(name: str) -> bool:
            try:
                os.stat(name, dir_fd=fd, follow_symlinks=False)
            except OSError:
                return False
            return True

        new = [
            name for name in folder.series.next_names(is_there) if name not in met and self._is_wanted(folder, name, fd)
        ]
        return [Arrival(folder, name, first=False) for name in new]

    def _is_wanted(self, folder: Folder, name: str, fd: int) -> bool:
        """Whether a new name is relevant: an image by its name, or a folder; the name is remembered in any case."""
        if name.startswith("."):
            folder.ignored.add(name)
            return False
        if is_found_in_folder(name) if folder.pattern is None else folder.pattern.match(name):
            self._seen.names(folder.resolved).add(name)
            return True
        try:
            is_folder = folder.pattern is None and stat.S_ISDIR(os.stat(name, dir_fd=fd).st_mode)
        except OSError:
            return False  # gone again, or a link that leads nowhere yet
        folder.ignored.add(name)
        return is_folder

    def _lose(self, folder: Folder, error: OSError | None) -> None:
        """Stop watching a folder; if it is only not accessible, it is tried again in the slow round."""
        if isinstance(error, PermissionError):
            self.unreadable.append((folder.path, error.strerror or str(error)))
            if folder.listed_at is None:
                folder.listed_at = folder.changed_at = -_HOT_S
            return
        self._drop(folder)

    def _drop(self, folder: Folder) -> None:
        names = folder.pattern.pattern if folder.pattern else ""
        if self._by_key.get((*folder.key, names)) is folder:
            del self._by_key[(*folder.key, names)]
        self._hot.pop(folder, None)
        for row in (self._cold, self._round):
            if folder in row:
                row.remove(folder)
        if self._by_path.get((folder.path, names)) is folder:
            del self._by_path[folder.path, names]
        above, name = os.path.split(folder.path)
        parent = self._by_path.get((above, ""))
        if parent is not None and parent.listed_at is not None:  # so that a new folder of that name is found
            parent.ignored.discard(name)
            self._seen.forget(os.path.join(parent.resolved, name))  # where a folder is named like an image
            parent.listed_at = min(parent.listed_at, parent.changed_at)


def _leads_to(path: str, key: tuple[int, int]) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == key
