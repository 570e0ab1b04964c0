"""Explains why an image cannot be read, as a cause with a sentence; messages of libraries go into the frame's log."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from iota.causes import Cause, Why, why
from iota.engine.backend.sentences import FrameError, log_words, message_of
from iota.engine.images.hdf5_problems import why_hdf5
from iota.hdf5 import h5py
from iota.inputs.hdf5.image_map import TooManyImagesError

What = Literal["header", "pixels", "geometry", "layout"]

_UNKNOWN: dict[What, Cause] = {
    "header": Cause.HEADER_NOT_UNDERSTOOD,
    "pixels": Cause.PIXELS_NOT_READ,
    "geometry": Cause.GEOMETRY_NOT_APPLIED,
    "layout": Cause.GEOMETRY_NOT_PLAUSIBLE,
}
_PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
_HDF5_ENDINGS = {".h5", ".hdf5", ".nxs", ".cxi"}


class ImportFailedError(FrameError):
    """The frame cannot be read; the text is a sentence."""


class NoSuchImageError(ImportFailedError):
    """The file contains fewer images."""


@contextlib.contextmanager
def reading(what: What, path: str, index: int = 0) -> Iterator[None]:
    """Turn whatever is raised while an image is read into an ImportFailedError with its cause.

    Args:
        what: is being read, or done.
        path: of the image.
        index: of the image in its file.
    """
    try:
        yield
    except ImportFailedError:
        raise
    except Exception as error:
        raise ImportFailedError(why_unreadable(error, path, what, index)) from error


def why_unreadable(error: BaseException, path: str | Path, what: What = "pixels", index: int = 0) -> Why:
    """Determine why an image, or its header, could not be read.

    The file is examined again: the messages of the libraries do not distinguish a missing filter from a damaged file.

    Args:
        error: what was raised; its words go into the log of the frame.
        path: of the file.
        what: was being read.
        index: of the image in the file.
    """
    if isinstance(error, ImportFailedError):
        return error.why
    if isinstance(error, TooManyImagesError):
        return why(Cause.TOO_MANY_IMAGES, text=str(error))
    if isinstance(error, MemoryError):
        log_words(error)
        return why(Cause.MEMORY_LIMIT_READING)
    path = Path(path)
    try:
        found = why_file(path) or (why_contents(path, what, index) if what in ("header", "pixels") else None)
    except MemoryError:
        found = why(Cause.MEMORY_LIMIT_READING)
    log_words(error, is_known=found is not None)
    return found or why(_UNKNOWN[what], message=message_of(error))


def why_file(path: Path) -> Why | None:
    """Why a file cannot be opened; None if it can."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return why(Cause.NOT_A_FILE)
        if status.st_size == 0:
            return why(Cause.FILE_EMPTY)
        with path.open("rb") as file:
            file.read(1)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: a zero in the name
        if path.is_symlink():
            return why(Cause.DEAD_LINK, target=str(path.readlink()))
        return why(Cause.NO_FILE)
    except PermissionError:
        return why(Cause.NO_PERMISSION)
    except OSError as error:
        return why(Cause.FILE_ERROR, error=str(error.strerror))
    return None


def why_contents(path: Path, what: What = "header", index: int = 0) -> Why | None:
    """What is wrong with the contents of a file that can be opened; None if nothing is found."""
    ending = path.suffix.lower()
    if h5py.is_hdf5(path) or ending in _HDF5_ENDINGS:
        return why_hdf5(path, is_pixels=what == "pixels", index=index)
    if ending in _PACKED:
        try:
            with _PACKED[ending](path, "rb") as file:
                while file.read(1 << 20):
                    pass
        except (OSError, EOFError, zlib.error):
            return why(Cause.PACKED_DAMAGED, ending=ending)
    return why(Cause.PIXELS_DAMAGED) if _is_shorter_than_promised(path) else None


def _is_shorter_than_promised(path: Path) -> bool:
    """Whether a CBF or SMV image has fewer bytes than its header says."""
    with _PACKED.get(path.suffix.lower(), open)(path, "rb") as file:
        start = file.read(1 << 16)
        promised = _cbf_bytes(start) or _smv_bytes(start)
        if promised is None:
            return start.startswith(b"###CBF") and len(start) < 1 << 16  # the end of the header is missing
        file.seek(promised - 1)
        return not file.read(1)


_CBF_BINARY = b"\x0c\x1a\x04\xd5"


def _cbf_bytes(start: bytes) -> int | None:
    header, mark, _ = start.partition(_CBF_BINARY)
    size = _number_after(header, b"X-Binary-Size:")
    return len(header) + len(mark) + size if mark and size else None


def _smv_bytes(start: bytes) -> int | None:
    if not start.startswith(b"{"):
        return None
    header, fast, slow = (_number_after(start, name) for name in (b"HEADER_BYTES=", b"SIZE1=", b"SIZE2="))
    if not (header and fast and slow):
        return None
    n_bytes = 4 if any(kind in start for kind in (b"TYPE=long_integer", b"TYPE=signed_long", b"TYPE=float")) else 2
    return header + fast * slow * n_bytes


def _number_after(text: bytes, name: bytes) -> int | None:
    digits = text.partition(name)[2].split(b"\n")[0].strip(b" ;\r\t")
    return int(digits) if digits.isdigit() else None
