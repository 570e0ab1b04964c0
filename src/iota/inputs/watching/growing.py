"""Watches HDF5 masters to which frames are still being added."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator

import numpy as np

from iota.errors import InputError
from iota.inputs.crystfel.events import read_event_map
from iota.inputs.crystfel.geometry import CrystfelGeometry
from iota.inputs.finding.hdf5 import imageless_sentence, is_metadata_name, master_beside, missing_text
from iota.inputs.hdf5.image_map import UNREADABLE, ImageMap, TooManyImagesError, read_map
from iota.inputs.hdf5.image_owners import Flags, ImageOwners
from iota.inputs.names.kinds import data_file_stem
from iota.inputs.names.problem import Problem, problem_with
from iota.inputs.watching.creation_time import creation_time_ns
from iota.inputs.watching.seen import Seen
from iota.records import FrameRef, FrameResult

_COARSE_S = 2.5  # some file systems count the time of change in whole seconds, or two
_WHOLE_FILE = -1  # beside the numbers of images: the file was handed over as one that cannot be read
_LIVE_S = 60.0  # a file that changed so recently is looked at each time
_AT_REST_S = 0.01  # time for looks at the others
_COUNT_PAUSE_FACTOR = 5  # a count is followed by so many times its duration without one

Signature = dict[str, tuple[int, int] | None]  # path -> size and time of change (ns) of all files the images lie in


class GrowingFile:
    """One HDF5 file. Get it from :class:`GrowingFiles`."""

    def __init__(self, path: str, resolved: str, status: os.stat_result, queued_before: set[int]) -> None:
        self.path = path
        self.resolved = resolved
        self.key = (status.st_dev, status.st_ino)
        self.created_ns = creation_time_ns(path)
        self.is_whole = False  # all images are wanted, not only ``wanted``
        self.named = False
        self.wanted: set[int] = set()
        self.queued_before = queued_before  # in an earlier run
        self.queued: Flags = np.zeros(0, np.bool_)  # images that were handed over, or are those of another file
        self.has_queued = bool(queued_before)
        self.unread: dict[int, FrameRef] = {}  # images that are to come again -> as they came before
        self.signature: Signature = {}
        self.changed_at = 0.0
        self.counted_at = -1e9
        self.count_s = 0.0
        self.map: ImageMap | None = None  # None: not readable
        self.ready: Flags = np.zeros(0, np.bool_)  # images of the map that can be read, and whose numbers are certain
        self.steady = (0.0, self.ready)  # when these were ready
        self.is_part = False  # its images are those of another file
        self.is_final = False  # at rest: what is not there is not waited for
        self.too_many = ""

    def is_there(self) -> bool:
        """Whether the path still leads to the same file."""
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self.key

    def check(self, now: float, rest_s: float) -> bool:
        """Check whether the file, or those that it refers to, have changed. False if it is gone."""
        files = self.map.targets if self.map else frozenset()
        signature: Signature = {name: _stamp(name) for name in files | {self.path}}
        if signature[self.path] is None and not os.path.lexists(self.path):
            return False
        if any(signature[name] != self.signature.get(name, (-1, -1)) for name in signature):
            newest = max((stamp[1] for stamp in signature.values() if stamp), default=0) / 1e9
            is_old = not self.signature and time.time() - newest > rest_s
            self.changed_at = now - (rest_s if is_old else 0.0)
            self.is_final = False
        self.signature = signature
        return True

    def count(self, now: float, rest_s: float, geometry: CrystfelGeometry | None) -> None:
        """Find the images that are complete, if there may be more of them."""
        due = now - self.changed_at <= _COARSE_S or not (self.is_final or now - self.changed_at < rest_s)
        if not due and self.counted_at >= self.changed_at:
            return
        if now < self.counted_at + _COUNT_PAUSE_FACTOR * self.count_s:
            return
        started = time.perf_counter()
        self.too_many = ""
        try:
            self._use(_read_written(self.path, geometry))
        except (TooManyImagesError, InputError) as error:
            self.map, self.too_many = None, str(error)
        except UNREADABLE:
            self.map = None
        self.count_s, self.counted_at = time.perf_counter() - started, now

    def _use(self, found: ImageMap) -> None:
        self.map = found
        self.queued = _as_long_as(found, self.queued)
        for index in self.queued_before:
            if 0 <= index < found.n_images:
                self.queued[index] = True
        self.ready = found.readable()
        if not (found.is_certain or self.ready.all()):  # what comes may shift what follows
            self.ready[int(np.argmin(self.ready)) :] = False

    def mark_unread(self, index: int, frame: FrameRef) -> None:
        """Allow an image to be queued again."""
        self.unread[index] = frame
        self._set_queued(index, False)
        self.is_final = False

    def drop_unread(self, index: int) -> None:
        """Do not queue an image again."""
        if self.unread.pop(index, None) is not None:
            self._set_queued(index, True)

    def _set_queued(self, index: int, is_queued: bool) -> None:
        self.queued_before.discard(index)
        if index < len(self.queued):
            self.queued[index] = is_queued
        elif is_queued:
            self.queued_before.add(index)

    def settled(self, now: float, settle_s: float) -> Flags:
        """Return which images can be queued.

        A writer that does not use SWMR may leave a half image for a moment, so only those count that have been there
        for ``settle_s``, or all when the file is at rest for so long.
        """
        if self.map is None:
            return np.zeros(len(self.queued), np.bool_)
        if not self.map.still_written or now - self.changed_at >= settle_s:
            self.steady = (now, self.ready)
            return self.ready
        since, steady = self.steady
        if now - since >= settle_s:
            self.steady = (now, self.ready)
            return self.ready & _as_long_as(self.map, steady)
        return np.zeros(self.map.n_images, np.bool_)

    def new(self, which: Flags) -> Flags:
        """Return which of these images are wanted and were not queued yet."""
        if self.is_whole:
            return which & ~self.queued
        wanted = np.zeros(len(which), np.bool_)
        wanted[[index for index in self.wanted if index < len(which)]] = True
        return which & wanted & ~self.queued


class GrowingFiles:
    """All HDF5 files among the inputs that are watched."""

    def __init__(self, seen: Seen, settle_s: float, rest_s: float, geometry: CrystfelGeometry | None = None) -> None:
        self._seen = seen
        self._geometry = geometry
        self._settle_s = settle_s
        self._rest_s = rest_s
        self._files: dict[str, GrowingFile] = {}
        self._by_key: dict[tuple[int, int], GrowingFile] = {}
        self._live: dict[GrowingFile, None] = {}
        self._at_rest: deque[GrowingFile] = deque()
        self._targets: set[str] = set()  # resolved paths to which masters point
        self._owners = ImageOwners()
        self._told: set[tuple[str, str]] = set()
        self._by_name: dict[str, GrowingFile] = {}  # by the paths of their images, former ones too
        self.renamed: dict[FrameRef, FrameRef] = {}  # marked as unread -> as it came again; for the caller to take out
        self.problems: list[Problem] = []

    @property
    def n_incomplete(self) -> int:
        """Number of files of which images are still waited for, or which cannot be read yet."""
        return sum(1 for file in self._live if not file.is_final and not file.is_part and not file.has_queued)

    def add(
        self, path: str, resolved: str, status: os.stat_result, *, index: int | None = None, named: bool = False
    ) -> None:
        """Follow a file, all of it or one image; one that was moved is followed on under its new name."""
        file = self._files.get(resolved)
        if file is None:
            file = self._moved_from(path, resolved, status)
        if file is None:
            file = GrowingFile(path, resolved, status, self._queued_before(resolved))
            self._files[resolved] = self._by_key[file.key] = self._by_name[path] = file
            self._live[file] = None
        file.named = file.named or named
        if index is None:
            file.is_whole = True
        else:
            file.wanted.add(index)

    def _queued_before(self, resolved: str) -> set[int]:
        images = self._seen.images_before.pop(resolved, set())
        return images | {_WHOLE_FILE} if self._seen.was_before(resolved) else images

    def _moved_from(self, path: str, resolved: str, status: os.stat_result) -> GrowingFile | None:
        file = self._by_key.get((status.st_dev, status.st_ino))
        if file is None or file.is_there():
            return None
        before = file.signature.get(file.path)
        if before is None or status.st_size < before[0] or status.st_mtime_ns < before[1]:
            return None  # another file got the inode
        if creation_time_ns(path) != file.created_ns:
            return None
        self._owners.rename(file.path, path, file.resolved, resolved)
        if self._files.get(file.resolved) is file:
            del self._files[file.resolved]
        file.path, file.resolved, file.map = path, resolved, None
        self._files[resolved] = self._by_name[path] = file
        self._wake(file)
        return file

    def was_read(self, result: FrameResult) -> bool:
        """Whether a record is that of an image as it was queued; False if its file was moved before."""
        file = self._by_name.get(result.frame.path)
        if result.outcome != "failed_import" or file is None:
            return True
        return file.path == result.frame.path and os.path.lexists(file.path)

    def mark_unread(self, frame: FrameRef, index: int) -> None:
        """Queue an image whose file was moved again, when the file is found."""
        file = self._by_name[frame.path]
        file.mark_unread(index, frame)
        if file.path != frame.path:
            self._wake(file)

    def drop_unread(self, frame: FrameRef, index: int) -> None:
        """Stop waiting for an image that was marked as unread."""
        self._by_name[frame.path].drop_unread(index)

    def poll(self, now: float, deadline: float) -> Iterator[FrameRef]:
        """Yield the frames that are ready now, until ``deadline`` (s of ``time.perf_counter``)."""
        until = min(deadline, time.perf_counter() + _AT_REST_S)
        for _ in range(len(self._at_rest)):
            if time.perf_counter() > until:
                break
            file = self._at_rest.popleft()
            self._at_rest.append(file)
            if file.check(now, self._rest_s) and not file.is_final:
                self._wake(file)
        checked: list[GrowingFile] = []
        for file in list(self._live):
            self._live[file] = self._live.pop(file)  # None, to the end of the row
            if self._check(file, now):
                checked.append(file)
            if time.perf_counter() > deadline:
                break
        all_opened = all(file.signature for file in self._live)
        for file in checked:
            if not self._is_part(file, now, all_opened):
                yield from self._new_frames(file, now)
            is_at_rest = file.is_final and now - file.changed_at > _LIVE_S
            if file.is_part or is_at_rest:
                self._live.pop(file, None)
            if is_at_rest:
                self._at_rest.append(file)

    def _wake(self, file: GrowingFile) -> None:
        if file in self._at_rest:
            self._at_rest.remove(file)
        self._live[file] = None

    def _check(self, file: GrowingFile, now: float) -> bool:
        if not self._geometry and data_file_stem(os.path.basename(file.path)) and master_beside(file.path):
            file.is_part = True  # never opened
            file.signature = file.signature or {file.path: None}
            return True
        if not file.check(now, self._rest_s):
            self._live.pop(file)
            if file.has_queued:
                self._at_rest.append(file)  # it may come back, or turn up elsewhere
            else:
                self._forget(file)
            return False
        file.count(now, self._rest_s, self._geometry)
        if file.map:
            self._targets |= file.map.targets - {file.resolved}
        return True

    def _forget(self, file: GrowingFile) -> None:
        self._files.pop(file.resolved, None)
        if self._by_key.get(file.key) is file:
            del self._by_key[file.key]
        self._seen.forget(file.resolved)

    def _is_part(self, file: GrowingFile, now: float, all_opened: bool) -> bool:
        """Whether a file provides no frames now: it is part of another, or may turn out to be."""
        if file.is_part or file.has_queued or file.map is None:
            return file.is_part
        if file.resolved in self._targets and not self._points_back(file):
            file.is_part = True
        elif file.map.is_bare and not file.named:  # a master that points to it may come yet
            if now - file.changed_at < self._rest_s or not all_opened:
                return True
            stem = data_file_stem(os.path.basename(file.path))
            if stem is not None:
                wanted = os.path.join(os.path.dirname(file.path), f"{stem}_master.h5")
                self._tell(file, f"it is a data file without its master: looked for {wanted}.")
                file.is_part = True
        return file.is_part

    def _points_back(self, file: GrowingFile) -> bool:
        """Whether two files refer to each other: both are kept."""
        targets = file.map.targets if file.map else frozenset()
        others = (self._files.get(target) for target in targets)
        return any(o is not None and o.map is not None and file.resolved in o.map.targets for o in others)

    def _new_frames(self, file: GrowingFile, now: float) -> Iterator[FrameRef]:
        yield from self._take(file, file.settled(now, self._settle_s))
        if not file.is_final and now - file.changed_at >= self._rest_s and file.counted_at >= file.changed_at:
            file.is_final = True
            yield from self._finish(file)

    def _take(self, file: GrowingFile, which: Flags) -> Iterator[FrameRef]:
        """Queue the images among these that were not queued yet, through this file or one with the same pixels."""
        new = file.new(which)
        if file.map is None or not new.any():
            return
        free, other = self._owners.claim(file.path, file.map, new)
        file.queued |= new
        file.has_queued = True
        if other and (file.path, other) not in self._told:
            self._told.add((file.path, other))
            some = "some of its images" if free.any() else "its images"
            self._tell(file, f"{some} are also in {other}, and are processed only once.")
        for index in np.flatnonzero(free).tolist():
            yield self._frame(file, index)

    def _frame(self, file: GrowingFile, index: int) -> FrameRef:
        frame = FrameRef(file.path, index)
        if file.unread and (before := file.unread.pop(index, None)):
            self.renamed[before] = frame
        return frame

    def _finish(self, file: GrowingFile) -> Iterator[FrameRef]:
        """Queue the readable images of a file that no longer changes, and report the missing ones."""
        if file.map is None:
            if file.too_many:
                self._tell(file, file.too_many)
                return
            self._tell(file, "it cannot be read as HDF5, and has not changed for a while.")
            if not file.has_queued:
                file.has_queued = True
                yield FrameRef(file.path)
        elif not file.map.n_images:
            if file.named or not is_metadata_name(file.path):
                self._tell(file, imageless_sentence(file.path))
        else:
            yield from self._take(file, file.map.readable())
            if file.map.missing:
                self._tell(file, missing_text(file.map.missing))

    def end(self) -> Iterator[FrameRef]:
        """Yield all images that files announce but that never arrived."""
        for file in self._files.values():
            if file.map is not None and not file.is_part and (file.has_queued or file.is_final):
                yield from self._take(file, np.ones(file.map.n_images, np.bool_))

    def _tell(self, file: GrowingFile, why: str) -> None:
        self.problems.append(problem_with(file.path, why))


def _read_written(path: str, geometry: CrystfelGeometry | None) -> ImageMap:
    if geometry is not None:
        return read_event_map(path, geometry, written_only=True)
    return read_map(path, written_only=True)


def _as_long_as(found: ImageMap, which: Flags) -> Flags:
    """As many values as there are images, those at the end false."""
    return np.concatenate([which[: found.n_images], np.zeros(max(0, found.n_images - len(which)), np.bool_)])


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # not stat: on NFS only opening asks the server
    except OSError:
        return None
    try:
        status = os.fstat(fd)
    except OSError:  # deleted on the server
        return None
    finally:
        os.close(fd)
    return status.st_size, status.st_mtime_ns
