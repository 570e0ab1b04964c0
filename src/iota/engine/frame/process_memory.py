"""Limits the memory of a frame, and decides when a worker that has grown is replaced."""

from __future__ import annotations

import ctypes
import re
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from iota.causes import Cause, Why, why

_KEPT_FRACTION = 0.25  # of what a frame may take: more than this is not kept from frame to frame
_BUFFERS_BYTES = 500_000_000  # what a process loads and keeps for any frame: libraries, one image of 16 megapixels
_STATM, _STATUS = Path("/proc/self/statm"), Path("/proc/self/status")
_PAGE_BYTES = resource.getpagesize()


class ProcessMemory:
    """The memory of this process; each frame may use the same amount, whatever earlier frames left."""

    def __init__(self, frame_GB: float | None) -> None:
        """Record the memory used at the start of the process.

        Args:
            frame_GB: what one frame may take; None for no limit.
        """
        self._frame_bytes = None if frame_GB is None else int(frame_GB * 1e9)
        self._at_start = self._before_frame = _held_now()
        self._is_spoilt = False

    def begin_frame(self) -> None:
        """Make allocations fail when the frame that starts now has used its allowance.

        RLIMIT_DATA applies to the whole process, so it is set again for each frame.
        """
        if self._frame_bytes is None:
            return
        self._before_frame = _held_now()
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        limit = self._before_frame.data + self._frame_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (limit if most < 0 else min(limit, most), most))

    def ran_out(self) -> Why:
        """Report that the frame needed too much memory; the process should not be given another frame."""
        self._is_spoilt = True
        before, now = self._before_frame, _held_now()
        # what the frame used may have been freed already; the peak of the process still shows it
        taken = max(0, now.data - before.data, _most_resident_bytes() - before.resident)
        if self._frame_bytes is None:
            return why(Cause.NO_MEMORY_LEFT, used_GB=taken / 1e9)
        return why(Cause.OVER_MEMORY_LIMIT, allowed_GB=self._frame_bytes / 1e9, used_GB=taken / 1e9)

    @property
    def is_outgrown(self) -> bool:
        """Whether this process should be replaced before the next frame."""
        if self._frame_bytes is None:
            return False
        most = self._at_start.resident + _BUFFERS_BYTES + _KEPT_FRACTION * self._frame_bytes
        if _held_now().resident > most:
            _give_back()
        return self._is_spoilt or _held_now().resident > most


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception, or one that led to it, was raised because an allocation failed."""
    return any(isinstance(one, MemoryError) or "bad_alloc" in str(one) for one in _led_to(error))


def _led_to(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


class _Held(NamedTuple):
    """Memory of a process (bytes)."""

    resident: int = 0
    data: int = 0  # what RLIMIT_DATA counts, and the stack


def _held_now() -> _Held:
    try:
        pages = _STATM.read_bytes().split()
    except OSError:  # not Linux: nothing is known
        return _Held()
    return _Held(int(pages[1]) * _PAGE_BYTES, int(pages[5]) * _PAGE_BYTES)


def _most_resident_bytes() -> int:
    """The peak memory of this process; 0 if not known."""
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", _STATUS.read_text(encoding="ascii", errors="replace"), re.MULTILINE)
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0


def _give_back() -> None:
    """Make malloc return free memory to the system."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)
