"""Files that were queued but not read yet: one that is moved before it is read is queued under its new name."""

from __future__ import annotations

import os

from iota.inputs.watching.pending import Waiting
from iota.inputs.watching.seen import Identity, Seen, identity_of
from iota.records import FrameRef, FrameResult


class QueuedFiles:
    """Single-image files, from when they are queued until they have a record."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._files: dict[str, tuple[Identity, str]] = {}  # path as queued -> what was there, path without links
        self._awaited: set[Identity] = set()  # the same files, by identity
        self._other_names: dict[Identity, Waiting] = {}  # the last place where such a file was met since
        self._unread: dict[Identity, FrameRef] = {}  # files that were moved or replaced before they were read

    def is_new(self, file: Waiting, status: os.stat_result) -> bool:
        """Whether a complete file is to be queued, or was queued before under another name."""
        identity = identity_of(status)
        if file.index is None and not self._seen.identify(status):
            if identity in self._awaited:
                self._other_names[identity] = file
            return False
        file.identity = identity
        return True

    def add(self, frame: FrameRef, resolved: str, identity: Identity) -> FrameRef | None:
        """Add a queued file; return the frame as which it was queued before, and could not be read."""
        self._files[frame.path] = identity, resolved
        self._awaited.add(identity)
        return self._unread.pop(identity, None)

    def was_read(self, result: FrameResult) -> bool:
        """Whether a record is that of the file queued under this name, or the failure is the file's own."""
        queued = self._files.get(result.frame.path)
        if queued is None:
            return True
        identity = device, file = queued[0]
        if result.file is None:
            return result.outcome != "failed_import" or _leads_to(result.frame.path, identity)
        if result.file[0] != file[0]:
            return _leads_to(result.frame.path, identity)
        self._seen.was_read((device, result.file))  # its time of change may have been set since
        return True

    def settle(self, frame: FrameRef) -> None:
        """Forget a file that has its record."""
        queued = self._files.pop(frame.path, None)
        if queued is not None:
            identity, _ = queued
            self._awaited.discard(identity)
            self._other_names.pop(identity, None)

    def mark_unread(self, frame: FrameRef) -> Waiting | None:
        """Wait for a file that could not be read to be found again; return its other name, if already known."""
        identity, resolved = self._files.pop(frame.path)
        self._awaited.discard(identity)
        self._seen.was_not_read(identity)
        self._unread[identity] = frame
        if resolved != frame.path and _leads_to(resolved, identity):  # only a link on the way leads elsewhere now
            return Waiting(resolved, resolved, None)
        return self._other_names.pop(identity, None)

    def drop_unread(self, frame: FrameRef) -> None:
        """Stop waiting for a file; if it appears all the same, it is a new one."""
        for identity in [identity for identity, other in self._unread.items() if other == frame]:
            del self._unread[identity]


def _leads_to(path: str, identity: Identity) -> bool:
    """Whether a path still leads to a file, the modification time of which may have changed."""
    try:
        device, (inode, _, _) = identity_of(os.stat(path))
    except OSError:
        return False
    return (device, inode) == (identity[0], identity[1][0])
