"""Files that may still be written to, until they are complete by their content or have long been unchanged."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator

from iota.inputs.watching.complete import State, state_of
from iota.inputs.watching.seen import Identity, Seen


class Waiting:
    """One file that waits."""

    __slots__ = ("identity", "index", "path", "resolved", "since", "stamp", "state")

    def __init__(self, path: str, resolved: str, index: int | None) -> None:
        self.path = path
        self.resolved = resolved
        self.index = index
        self.stamp: tuple[int, ...] | None = None  # size, time of change (ns), device, inode; () unreadable
        self.since = 0.0  # s, when it was first like that
        self.state: State = "incomplete"
        self.identity: Identity | None = None  # when it was complete; None: it could not be opened


class Pending:
    """All pending files. A file is complete by its content, or if it no longer changes and nothing says otherwise.

    One that is incomplete by its content is handed over when it was at rest for ``rest_s``: its worker says what is
    wrong with it.
    """

    def __init__(
        self, seen: Seen, is_new: Callable[[Waiting, os.stat_result], bool], settle_s: float, rest_s: float
    ) -> None:
        self._seen = seen
        self._is_new = is_new  # or another name of a file that came before
        self._settle_s = settle_s
        self._rest_s = rest_s
        self._files: dict[str, Waiting] = {}

    def __len__(self) -> int:
        return len(self._files)

    def add(self, path: str, resolved: str, index: int | None, now: float) -> Waiting | None:
        """Add a file; return it at once if it is complete and no longer changes."""
        file = Waiting(path, resolved, index)
        if self._check(file, now):
            return file
        return None

    def poll(self, now: float, deadline: float) -> Iterator[Waiting]:
        """Yield the files that are complete now, until ``deadline`` (s of ``time.perf_counter``)."""
        for key in list(self._files):
            file = self._files.pop(key)  # and to the end of the row
            if self._check(file, now):
                yield file
            if time.perf_counter() > deadline:
                return

    def _check(self, file: Waiting, now: float) -> bool:
        """Whether a file is complete; if not, it remains pending unless it is gone or known under another name."""
        try:
            # Opening, not stat: on NFS only that asks the server for the size.
            fd = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return self._is_unreadable_for_long(file, now)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return False
            is_complete = self._is_complete(file, fd, status, now)
        except OSError:
            return self._is_unreadable_for_long(file, now)
        finally:
            os.close(fd)
        if not is_complete:
            self._files[_key(file)] = file
            return False
        return self._is_new(file, status)

    def _is_complete(self, file: Waiting, fd: int, status: os.stat_result, now: float) -> bool:
        stamp = (status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)
        is_new = stamp != file.stamp
        if is_new:
            file.stamp, file.since = stamp, now
        if is_new or file.state == "incomplete":
            file.state = state_of(fd, file.path, status.st_size)
        at_rest_s = now - file.since
        if at_rest_s >= self._rest_s:
            return True
        if file.state == "complete":  # the clock of the server may differ: its word counts only beside the content's
            return at_rest_s >= self._settle_s or time.time() - status.st_mtime >= self._settle_s
        if file.state == "incomplete" or at_rest_s < self._settle_s:
            return False
        file.state = state_of(fd, file.path, status.st_size, thorough=True)
        return file.state != "incomplete"

    def _is_unreadable_for_long(self, file: Waiting, now: float) -> bool:
        if not os.path.lexists(file.path):  # deleted or moved before it was complete
            self._seen.forget(file.resolved)
            return False
        if file.stamp != ():
            file.stamp, file.since = (), now
        if now - file.since >= self._rest_s:
            return True
        self._files[_key(file)] = file
        return False


def _key(file: Waiting) -> str:
    return file.resolved if file.index is None else f"{file.resolved}#{file.index}"
