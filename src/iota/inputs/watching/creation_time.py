"""Creation time of a file, which distinguishes a renamed file from a new one with a reused inode."""

from __future__ import annotations

import ctypes
import os

_AT_FDCWD = -100
_STATX_BTIME = 0x800  # linux/stat.h
_MASK_AT, _BTIME_AT = 0, 80  # bytes from the start of struct statx


def creation_time_ns(path: str) -> int | None:
    """Creation time of a file (ns since the epoch); None if it is not available.

    Python's ``os.stat`` does not have it on Linux.
    """
    statx = getattr(ctypes.CDLL(None), "statx", None)
    if statx is None:
        return None
    found = ctypes.create_string_buffer(256)
    if statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, found) != 0:
        return None
    mask = int.from_bytes(found.raw[_MASK_AT : _MASK_AT + 4], "little")
    if not mask & _STATX_BTIME:
        return None
    seconds = int.from_bytes(found.raw[_BTIME_AT : _BTIME_AT + 8], "little", signed=True)
    return seconds * 1_000_000_000 + int.from_bytes(found.raw[_BTIME_AT + 8 : _BTIME_AT + 12], "little")
