"""Watches a text list of images that is being appended to, rewritten or replaced."""

from __future__ import annotations

import contextlib
import os

_PIECE_BYTES = 1 << 18
_COMPARED_BYTES = 4096


class GrowingList:
    """Reads the lines added since the last call; a line counts when it ends, or when the list no longer changes."""

    def __init__(self, path: str, rest_s: float) -> None:
        self.path = path
        self.folder = os.path.dirname(path)
        self._rest_s = rest_s  # after so long without a change the last line is whole without an end of line
        self._files: list[_ListFile] = []  # the last one has the name; others had it, and may not be read to their end

    def poll(self, now: float) -> list[str]:
        """Return new lines without blank ones and comments, some thousands at most; none if the list is gone."""
        with contextlib.suppress(OSError):  # gone, or a network that stumbles
            self._open(now)
        for file in list(self._files):
            try:
                lines = file.read(now, self._rest_s)
            except OSError:
                lines = []
            if lines:
                return lines
            if file is not self._files[-1] and now - file.changed_at >= self._rest_s:
                self._files.remove(file)
        return []

    def _open(self, now: float) -> None:
        # Opened at each look: on NFS only that asks the server, and another file may have the name.
        fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        if self._files and self._files[-1].is_same_as(fd):
            self._files[-1].take(fd)
        else:
            self._files.append(_ListFile(fd, now))


class _ListFile:
    """One file that has the name of the list, or had it. While it is open no other file gets its inode."""

    def __init__(self, fd: int, now: float) -> None:
        self._fd = fd
        self.changed_at = now
        self._offset = 0  # of the first byte that is not read yet
        self._first, self._last = b"", b""  # some of the bytes that were read
        self._stamp = (-1, -1)  # size, time of change (ns)
        self._last_line_taken = False

    def is_same_as(self, fd: int) -> bool:
        """Whether an open file is this one."""
        try:
            return os.path.sameopenfile(self._fd, fd)
        except OSError:  # deleted on the server
            return False

    def take(self, fd: int) -> None:
        """Continue reading from this descriptor of the same file."""
        os.close(self._fd)
        self._fd = fd

    def __del__(self) -> None:
        os.close(self._fd)

    def read(self, now: float, rest_s: float) -> list[str]:
        """Return lines that are new. Raises OSError."""
        fd, status = self._fd, os.fstat(self._fd)
        stamp = (status.st_size, status.st_mtime_ns)
        if stamp != self._stamp:
            self._stamp, self.changed_at, self._last_line_taken = stamp, now, False
            if self._is_written_anew(fd):
                self._offset, self._first, self._last = 0, b"", b""
        if self._offset >= status.st_size:
            return []
        piece = os.pread(fd, _PIECE_BYTES, self._offset)
        whole = piece[: piece.rfind(b"\n") + 1]
        if whole:
            lines = _lines(whole, at_beginning=self._offset == 0)
            self._offset += len(whole)
            self._first = (self._first + whole[:_COMPARED_BYTES])[:_COMPARED_BYTES]
            self._last = (self._last + whole)[-_COMPARED_BYTES:]
            return lines
        if now - self.changed_at < rest_s or self._last_line_taken:
            return []
        self._last_line_taken = True  # and read again from its beginning, should it go on
        return _lines(piece, at_beginning=self._offset == 0)

    def _is_written_anew(self, fd: int) -> bool:
        first = os.pread(fd, len(self._first), 0)
        last = os.pread(fd, len(self._last), self._offset - len(self._last))
        return (first, last) != (self._first, self._last)


def _lines(piece: bytes, *, at_beginning: bool) -> list[str]:
    text = piece.decode("utf-8-sig" if at_beginning else "utf-8", errors="surrogateescape")
    stripped = (line.strip() for line in text.split("\n"))
    return [line for line in stripped if line and not line.startswith("#")]
