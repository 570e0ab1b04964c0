"""Explains in one sentence why an image cannot be read."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from iota.engine.backend.sentences import IN_LOG, NO_MEMORY, log_words
from iota.engine.images.hdf5_problems import DAMAGED as DAMAGED
from iota.engine.images.hdf5_problems import why_hdf5
from iota.hdf5 import h5py
from iota.inputs.hdf5.image_map import TooManyImagesError

What = Literal["header", "pixels", "geometry", "layout"]

_UNKNOWN: dict[What, str] = {
    "header": "The header of the image could not be understood",
    "pixels": "The pixels of the image could not be read",
    "geometry": "The given geometry (image_import, geometry) could not be applied to the detector of this image",
    "layout": "The geometry of the image is not plausible: check distance, wavelength, beam centre and panels",
}
_PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
_HDF5_ENDINGS = {".h5", ".hdf5", ".nxs", ".cxi"}


class ImportFailedError(Exception):
    """The frame cannot be read; the text is a sentence."""


class NoSuchImageError(ImportFailedError):
    """The file holds fewer images."""


@contextlib.contextmanager
def reading(what: What, path: str, index: int = 0) -> Iterator[None]:
    """Turn whatever is raised while an image is read into an ImportFailedError with a sentence.

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


def why_unreadable(error: BaseException, path: str | Path, what: What = "pixels", index: int = 0) -> str:
    """One sentence on why an image, or its header, could not be read.

    The file is examined again: the messages of the libraries do not distinguish a missing filter from a damaged file.

    Args:
        error: what was raised; its words go into the log of the frame.
        path: of the file.
        what: was being read.
        index: of the image in the file.
    """
    if isinstance(error, ImportFailedError):
        return str(error)
    if isinstance(error, TooManyImagesError):
        return f"The file is not opened: {error}"
    if isinstance(error, MemoryError):
        log_words(error)
        return NO_MEMORY
    path = Path(path)
    try:
        found = why_file(path) or (why_contents(path, what, index) if what in ("header", "pixels") else None)
    except MemoryError:
        found = NO_MEMORY
    log_words(error, is_known=found is not None)
    return found or f"{_UNKNOWN[what]}. {IN_LOG}"


def why_file(path: Path) -> str | None:
    """What keeps a file from being opened; None when nothing does."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return "This is not a file."
        if status.st_size == 0:
            return "The file is empty."
        with path.open("rb") as file:
            file.read(1)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: a zero in the name
        if path.is_symlink():
            return f"The file is a link to {path.readlink()}, which does not exist."
        return "There is no such file."
    except PermissionError:
        return "The file may not be read; check its permissions."
    except OSError as error:
        return f"The file cannot be read: {error.strerror}."
    return None


def why_contents(path: Path, what: What = "header", index: int = 0) -> str | None:
    """What is wrong with the contents of a file that can be opened; None when nothing is found."""
    ending = path.suffix.lower()
    if h5py.is_hdf5(path) or ending in _HDF5_ENDINGS:
        return why_hdf5(path, is_pixels=what == "pixels", index=index)
    if ending in _PACKED:
        try:
            with _PACKED[ending](path, "rb") as file:
                while file.read(1 << 20):
                    pass
        except (OSError, EOFError, zlib.error):
            return f"The file is damaged or cut short: it cannot be decompressed ({ending})."
    return DAMAGED if _is_shorter_than_promised(path) else None


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
