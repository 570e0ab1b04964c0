"""Whether an image file is still being written, judged by its content: declared sizes and end marks.

A program that copies slowly may pause for any time, so a size that has not changed for a while proves nothing.
Formats: CBF (X-Binary-Size and the closing boundary), SMV (HEADER_BYTES, SIZE1, SIZE2, TYPE), MarCCD (frame header at
byte 1024), pickle (its last opcode), gzip (RFC 1952: length of the content at the end), bzip2 (mark at the end).
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from typing import Literal

State = Literal["complete", "incomplete", "unknown"]

_HEAD_BYTES = 8192
_LONG_HEAD_BYTES = 262_144  # of a full imgCIF header
_CBF_MAGIC = b"###CBF"
_CBF_DATA_MARK = b"\x0c\x1a\x04\xd5"
_CBF_END = b"--CIF-BINARY-FORMAT-SECTION----"
_CBF_SIZE = re.compile(rb"X-Binary-Size:\s*([0-9]+)", re.IGNORECASE)
_SMV_FIELD = re.compile(rb"(HEADER_BYTES|SIZE1|SIZE2|TYPE)\s*=\s*([A-Za-z0-9_]+)")
_SMV_PIXEL_BYTES = {b"unsigned_short": 2, b"short": 2, b"unsigned_int": 4, b"unsigned_long": 4, b"long": 4, b"float": 4}
_SLACK_BYTES = 65_536  # what may follow the pixels: padding, and a line or two
_GZIP_MAGIC = b"\x1f\x8b"
_BZIP2_MAGIC = b"BZh"
_BZIP2_END = 0x177245385090  # 48 bits, then 32 of checksum, then up to 7 to fill the byte


def state_of(fd: int, name: str, size: int, *, thorough: bool = False) -> State:
    """Whether an open file of ``size`` bytes is complete; unknown if only time can tell.

    Costs one or two short reads. ``thorough`` unpacks a gzip file of unknown content to its end (some 10 ms per MB).
    """
    if size == 0:
        return "incomplete"
    head = os.pread(fd, _HEAD_BYTES, 0)
    if head.startswith(_GZIP_MAGIC):
        return _state_of_gzip(fd, head, size, thorough)
    if head.startswith(_BZIP2_MAGIC):
        return _state_of_bzip2(fd, size)
    if name.lower().endswith((".gz", ".bz2")):
        return "incomplete" if size < 3 else "unknown"
    if head.startswith(_CBF_MAGIC) or _CBF_MAGIC.startswith(head):
        return _state_of_cbf(fd, head, size)
    if name.lower().endswith(".pickle"):
        return "unknown" if os.pread(fd, 1, size - 1) == b"." else "incomplete"
    least = _smv_bytes(head) or _marccd_bytes(head)
    if least is not None:
        return "complete" if size >= least else "incomplete"
    begun = (head.startswith(b"{") and size < 512) or (head[:4] == b"II*\0"[: len(head)] and size < 4096)
    return "incomplete" if begun else "unknown"


def _state_of_cbf(fd: int, head: bytes, size: int) -> State:
    if _CBF_DATA_MARK not in head and len(head) < size:
        head = os.pread(fd, _LONG_HEAD_BYTES, 0)
    if _CBF_DATA_MARK not in head:
        return "incomplete" if size < _LONG_HEAD_BYTES else "unknown"
    end = _cbf_data_end(head)
    if end is None:
        return "unknown"
    closing = os.pread(fd, _HEAD_BYTES, end) if end < size else b""
    return "complete" if _CBF_END in closing else "incomplete"


def _cbf_data_end(head: bytes) -> int | None:
    """Return where the pixels of a CBF end, in bytes from its beginning."""
    mark = head.find(_CBF_DATA_MARK)
    declared = _CBF_SIZE.search(head, 0, mark) if mark >= 0 else None
    return mark + len(_CBF_DATA_MARK) + int(declared[1]) if declared else None


def _smv_bytes(head: bytes) -> int | None:
    """Return the minimum size of an SMV file with this header."""
    if not head.startswith(b"{"):
        return None
    fields = {match[1]: match[2] for match in _SMV_FIELD.finditer(head)}
    try:
        pixels = int(fields[b"SIZE1"]) * int(fields[b"SIZE2"])
        return int(fields[b"HEADER_BYTES"]) + pixels * _SMV_PIXEL_BYTES[fields[b"TYPE"].lower()]
    except (KeyError, ValueError):
        return None


def _marccd_bytes(head: bytes) -> int | None:
    """Return the minimum size of a MarCCD file with this header: TIFF, frame header, pixels."""
    if not head.startswith(b"II*\0") or len(head) < 4096 or head[1028:1031] != b"MMX":
        return None
    n_fast, n_slow, pixel_bytes = struct.unpack_from("<3I", head, 1024 + 80)
    return 4096 + int(n_fast) * int(n_slow) * int(pixel_bytes)


def _state_of_gzip(fd: int, head: bytes, size: int, thorough: bool) -> State:
    """Compare the length that gzip writes at the very end with the one that the image's own header promises."""
    if size < 18:  # header and trailer alone
        return "incomplete"
    try:
        inner = zlib.decompressobj(wbits=31).decompress(head, _LONG_HEAD_BYTES)
    except zlib.error:
        return "unknown"
    least = _cbf_data_end(inner) or _smv_bytes(inner) or _marccd_bytes(inner)
    length = int.from_bytes(os.pread(fd, 4, size - 4), "little")
    if least is not None and least % 2**32 <= length <= least % 2**32 + _SLACK_BYTES:
        return "complete"
    if thorough:  # also for a file of several members, where the length is that of the last
        return "complete" if _unpacks_to_its_end(fd) else "incomplete"
    return "unknown" if least is None else "incomplete"


def _unpacks_to_its_end(fd: int) -> bool:
    offset, stream = 0, zlib.decompressobj(wbits=31)
    try:
        while piece := os.pread(fd, 2**20, offset):
            offset += len(piece)
            while piece:
                stream.decompress(piece)
                piece = stream.unused_data
                if stream.eof and piece.lstrip(b"\0"):
                    stream = zlib.decompressobj(wbits=31)
                elif stream.eof:
                    break
    except zlib.error:
        return False
    return stream.eof


def _state_of_bzip2(fd: int, size: int) -> State:
    tail = int.from_bytes(os.pread(fd, 11, max(0, size - 11)), "big")
    ends = any((tail >> (32 + fill)) & (2**48 - 1) == _BZIP2_END for fill in range(8))
    return "complete" if ends else "incomplete"
