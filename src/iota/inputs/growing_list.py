"""A text list that somebody is still writing."""

from __future__ import annotations

import os

_PIECE_BYTES = 1 << 18


class GrowingList:
    """Reads the lines that were added since the last look; a line counts when it ends, or when the list is at rest."""

    def __init__(self, path: str, rest_s: float) -> None:
        self.path = path
        self.folder = os.path.dirname(path)
        self._rest_s = rest_s  # after so long without a change the last line is whole without an end of line
        self._key = (-1, -1)  # device, inode
        self._offset = 0  # of the first byte that is not read yet
        self._stamp = (-1, -1)  # size, time of change (ns)
        self._changed_at = 0.0
        self._last_line_taken = False

    def poll(self, now: float) -> list[str] | None:
        """Return new lines without blank ones and comments, some thousands at most; None when the list is gone."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            return self._read(fd, now)
        except OSError:  # a network that stumbles: next time
            return []
        finally:
            os.close(fd)

    def _read(self, fd: int, now: float) -> list[str]:
        status = os.fstat(fd)
        key, stamp = (status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns)
        if key != self._key or status.st_size < self._offset:  # written anew
            self._key, self._offset = key, 0
        if stamp != self._stamp:
            self._stamp, self._changed_at, self._last_line_taken = stamp, now, False
        if self._offset >= status.st_size:
            return []
        piece = os.pread(fd, _PIECE_BYTES, self._offset)
        whole = piece[: piece.rfind(b"\n") + 1]
        if whole:
            lines = _lines(whole, at_beginning=self._offset == 0)
            self._offset += len(whole)
            return lines
        if now - self._changed_at < self._rest_s or self._last_line_taken:
            return []
        self._last_line_taken = True  # and read again from its beginning, should it go on
        return _lines(piece, at_beginning=self._offset == 0)


def _lines(piece: bytes, *, at_beginning: bool) -> list[str]:
    text = piece.decode("utf-8-sig" if at_beginning else "utf-8", errors="surrogateescape")
    stripped = (line.strip() for line in text.split("\n"))
    return [line for line in stripped if line and not line.startswith("#")]
