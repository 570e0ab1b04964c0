"""HDF5 files that may still grow, frame by frame: masters, and what is only a part of one."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator

from iota.inputs.hdf5 import master_beside, missing_text
from iota.inputs.kinds import data_file_stem
from iota.inputs.masters import Master, read_master
from iota.inputs.problem import Problem, problem_with
from iota.inputs.ready import Ready, ready_images
from iota.inputs.seen import Seen
from iota.records import FrameRef

_UNREADABLE = (OSError, RuntimeError, KeyError, ValueError)  # all of these come out of half-written files
_COARSE_S = 2.5  # some file systems count the time of change in whole seconds, or two
_WHOLE_FILE = -1  # beside the numbers of images: the file was handed over as one that cannot be read
_LIVE_S = 60.0  # a file that changed so recently is looked at each time
_AT_REST_S = 0.01  # time for looks at the others
_COUNT_SHARE = 5  # a count is followed by so many times its duration without one

Signature = dict[str, tuple[int, int] | None]  # path -> size and time of change (ns) of all files the images lie in


class GrowingFile:
    """One HDF5 file. Get it from :class:`GrowingFiles`."""

    def __init__(self, path: str, resolved: str, status: os.stat_result, given: set[int]) -> None:
        self.path = path
        self.resolved = resolved
        self.key = (status.st_dev, status.st_ino)
        self.is_whole = False  # all images are wanted, not only ``wanted``
        self.named = False
        self.wanted: set[int] = set()
        self.given = given  # images that were handed over out of turn
        self.n_given = 0  # all before this one were handed over
        self.signature: Signature = {}
        self.changed_at = 0.0
        self.counted_at = -1e9
        self.count_s = 0.0
        self.master: Master | None = None
        self.ready: Ready | None = None  # None: not readable
        self.steady = (0.0, 0)  # when so many images were counted
        self.is_part = False  # its images are those of another file
        self.is_final = False  # handed over as it is, at rest

    def look(self, now: float, rest_s: float) -> bool:
        """Find out whether the file or those it points to changed. False if it is gone."""
        files = self.ready.files if self.ready else {self.path}
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

    def count(self, now: float, rest_s: float) -> None:
        """Count the images that are ready, if there may be more of them."""
        due = now - self.changed_at <= _COARSE_S or not (self.is_final or now - self.changed_at < rest_s)
        if not due and self.counted_at >= self.changed_at:
            return
        if now < self.counted_at + _COUNT_SHARE * self.count_s:
            return
        started = time.perf_counter()
        try:
            self.ready = ready_images(self.path)
            if self.master is None or self.master.targets != self.ready.files - {self.path, self.resolved}:
                self.master = read_master(self.path)
        except _UNREADABLE:
            self.ready = self.master = None
        self.count_s, self.counted_at = time.perf_counter() - started, now

    def n_ready(self, now: float, settle_s: float) -> int:
        """Return how many images can be handed over.

        A writer that does not use SWMR may leave a half image for a moment, so only those count that have been there
        for ``settle_s``, or all when the file is at rest for so long.
        """
        if self.ready is None:
            return 0
        n = self.ready.n_images
        if self.ready.swmr or now - self.changed_at >= settle_s:
            self.steady = (now, n)
            return n
        since, steady = self.steady
        if now - since >= settle_s:
            self.steady = (now, n)
            return min(n, steady)
        return self.n_given

    def take(self, n: int) -> Iterator[FrameRef]:
        """Yield the frames among the first ``n`` that were not handed over yet."""
        indices = range(self.n_given, n) if self.is_whole else sorted(i for i in self.wanted if i < n)
        for index in indices:
            if index not in self.given:
                yield FrameRef(self.path, index)
        if self.is_whole:
            self.n_given = max(self.n_given, n)
        else:
            self.given |= self.wanted.intersection(indices)


class GrowingFiles:
    """All HDF5 files among the inputs that are watched."""

    def __init__(self, seen: Seen, settle_s: float, rest_s: float) -> None:
        self._seen = seen
        self._settle_s = settle_s
        self._rest_s = rest_s
        self._files: dict[str, GrowingFile] = {}
        self._by_key: dict[tuple[int, int], GrowingFile] = {}
        self._live: dict[GrowingFile, None] = {}
        self._at_rest: deque[GrowingFile] = deque()
        self._targets: set[str] = set()  # resolved paths to which masters point
        self._by_places: dict[frozenset[tuple[object, ...]], GrowingFile] = {}  # of files that brought frames
        self.problems: list[Problem] = []

    @property
    def n_incomplete(self) -> int:
        """Number of files of which images are still waited for, or which cannot be read yet."""
        return sum(1 for file in self._live if not file.is_final and not file.is_part and not file.n_given)

    def add(
        self, path: str, resolved: str, status: os.stat_result, *, index: int | None = None, named: bool = False
    ) -> None:
        """Follow a file, all of it or one image; one that was moved is followed on under its new name."""
        file = self._files.get(resolved)
        if file is None:
            file = self._moved_from(path, resolved, status)
        if file is None:
            file = GrowingFile(path, resolved, status, self._given_before(resolved))
            self._files[resolved] = self._by_key[file.key] = file
            self._live[file] = None
        file.named = file.named or named
        if index is None:
            file.is_whole = True
        else:
            file.wanted.add(index)

    def _given_before(self, resolved: str) -> set[int]:
        given = self._seen.images_before.pop(resolved, set())
        return given | {_WHOLE_FILE} if self._seen.was_before(resolved) else given

    def _moved_from(self, path: str, resolved: str, status: os.stat_result) -> GrowingFile | None:
        file = self._by_key.get((status.st_dev, status.st_ino))
        if file is None or os.path.lexists(file.path):
            return None
        before = file.signature.get(file.path)
        if before is None or status.st_size < before[0] or status.st_mtime_ns < before[1]:
            return None  # another file got the inode
        del self._files[file.resolved]
        file.path, file.resolved, file.ready = path, resolved, None
        self._files[resolved] = file
        self._wake(file)
        return file

    def poll(self, now: float, deadline: float) -> Iterator[FrameRef]:
        """Yield the frames that are ready now, until ``deadline`` (s of ``time.perf_counter``)."""
        until = min(deadline, time.perf_counter() + _AT_REST_S)
        for _ in range(len(self._at_rest)):
            if time.perf_counter() > until:
                break
            file = self._at_rest.popleft()
            self._at_rest.append(file)
            if file.look(now, self._rest_s) and not file.is_final:
                self._wake(file)
        looked: list[GrowingFile] = []
        for file in list(self._live):
            self._live[file] = self._live.pop(file)  # None, to the end of the row
            if self._look(file, now):
                looked.append(file)
            if time.perf_counter() > deadline:
                break
        all_opened = all(file.signature for file in self._live)
        for file in looked:
            if not self._is_part(file, now, all_opened):
                yield from self._hand_over(file, now)
            is_at_rest = file.is_final and now - file.changed_at > _LIVE_S
            if file.is_part or is_at_rest:
                self._live.pop(file, None)
            if is_at_rest:
                self._at_rest.append(file)

    def _wake(self, file: GrowingFile) -> None:
        if file in self._at_rest:
            self._at_rest.remove(file)
        self._live[file] = None

    def _look(self, file: GrowingFile, now: float) -> bool:
        if data_file_stem(os.path.basename(file.path)) and master_beside(file.path):
            file.is_part = True  # never opened
            file.signature = file.signature or {file.path: None}
            return True
        if not file.look(now, self._rest_s):
            self._live.pop(file)
            if file.n_given or file.given:
                self._at_rest.append(file)  # it may come back, or turn up elsewhere
            else:
                self._forget(file)
            return False
        file.count(now, self._rest_s)
        if file.master:
            self._targets |= file.master.targets - {file.resolved}
        return True

    def _forget(self, file: GrowingFile) -> None:
        self._files.pop(file.resolved, None)
        if self._by_key.get(file.key) is file:
            del self._by_key[file.key]
        self._seen.forget(file.resolved)

    def _is_part(self, file: GrowingFile, now: float, all_opened: bool) -> bool:
        """Say whether a file brings no frames now: it is part of another, or may turn out to be."""
        if file.is_part or file.n_given or file.given or file.master is None:
            return file.is_part
        if file.resolved in self._targets and not self._points_back(file):
            file.is_part = True
        elif file.master.is_bare and not file.named:  # a master that points to it may come yet
            if now - file.changed_at < self._rest_s or not all_opened:
                return True
            stem = data_file_stem(os.path.basename(file.path))
            if stem is not None:
                wanted = os.path.join(os.path.dirname(file.path), f"{stem}_master.h5")
                self._tell(file, f"it is a data file without its master: looked for {wanted}.")
                file.is_part = True
        other = self._by_places.get(_places(file.master))
        if not file.is_part and other is not None:
            self._tell(file, f"its images are those of {other.path}, taken once.")
            file.is_part = True
        return file.is_part

    def _points_back(self, file: GrowingFile) -> bool:
        """Say whether a file points to the one that points to it: both are kept."""
        targets = file.master.targets if file.master else frozenset()
        others = (self._files.get(target) for target in targets)
        return any(o is not None and o.master is not None and file.resolved in o.master.targets for o in others)

    def _hand_over(self, file: GrowingFile, now: float) -> Iterator[FrameRef]:
        n = file.n_ready(now, self._settle_s)
        if n > file.n_given or not file.is_whole:
            yield from file.take(n)
        if not file.is_final and now - file.changed_at >= self._rest_s and file.counted_at >= file.changed_at:
            file.is_final = True
            yield from self._finish(file)
        if file.n_given and (places := _places(file.master)):
            self._by_places.setdefault(places, file)

    def _finish(self, file: GrowingFile) -> Iterator[FrameRef]:
        """Hand over what a file at rest says it holds, as a search for frames would, and tell what is missing."""
        try:
            file.master = read_master(file.path)
        except _UNREADABLE:
            self._tell(file, "it cannot be read as HDF5, and has not changed for a while.")
            if not file.n_given and _WHOLE_FILE not in file.given:
                file.given.add(_WHOLE_FILE)
                yield FrameRef(file.path)
            return
        yield from file.take(file.master.n_images)
        if not file.master.n_images:
            self._tell(file, "it is HDF5 without images: looked in entry/data and other NXdata groups.")
        elif file.master.missing:
            self._tell(file, missing_text(file.master.missing))

    def _tell(self, file: GrowingFile, why: str) -> None:
        self.problems.append(problem_with(file.path, why))


def _places(master: Master | None) -> frozenset[tuple[object, ...]]:
    return frozenset((file, name, first) for file, name, first, _ in master.pieces) if master else frozenset()


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
