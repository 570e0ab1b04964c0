"""Reads parts of a run's log: its end, new lines, matching lines."""

from __future__ import annotations

from pathlib import Path

import msgspec

_MAX_LINES = 500
_BLOCK = 1 << 20


class LogText(msgspec.Struct, frozen=True):
    """Part of a log, in complete lines, from ``start`` to ``end`` (bytes)."""

    text: str
    """The lines."""
    start: int
    """Where the text begins in the log (bytes)."""
    end: int
    """Where it ends (bytes)."""


class LogLines(msgspec.Struct, frozen=True):
    """Lines of a log that contain a text: the last 500; ``n_more`` earlier ones are omitted."""

    lines: list[str]
    """The lines."""
    n_more: int
    """Number of matching lines before these, which are omitted."""


def read_end(path: Path, n_bytes: int = 65536) -> LogText:
    """The end of a log; empty where there is none."""
    return _read(path, None, n_bytes)


def read_since(path: Path, start: int, n_bytes: int = 1 << 18) -> LogText:
    """What came after ``start`` (bytes), whole lines only; when more came than ``n_bytes``, the end of it."""
    part = _read(path, start, n_bytes)
    return part if part.end >= start else read_end(path)  # the log was replaced


def search(path: Path, text: str) -> LogLines:
    """Lines that hold a text, small letters or capitals; the last 500 of them."""
    wanted = text.lower().encode(errors="surrogateescape")
    found: list[bytes] = []
    n_dropped = 0
    try:
        with path.open("rb") as file:
            for line in file:
                if wanted in line.lower():
                    found.append(line)
                    if len(found) >= 2 * _MAX_LINES:
                        n_dropped += _MAX_LINES
                        del found[:_MAX_LINES]
    except OSError:
        return LogLines([], 0)
    n_dropped += max(0, len(found) - _MAX_LINES)
    return LogLines([_text(line).rstrip("\n") for line in found[-_MAX_LINES:]], n_dropped)


def _read(path: Path, start: int | None, n_bytes: int) -> LogText:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            begin = max(0, size - n_bytes) if start is None or size - start > n_bytes else start
            if begin > size:
                return LogText("", 0, 0)
            file.seek(begin)
            data = file.read(size - begin)
    except OSError:
        return LogText("", 0, 0)
    end = data.rfind(b"\n") + 1
    first = data.find(b"\n") + 1 if begin and begin != start else 0  # of a line that began before
    return LogText(_text(data[first:end]), begin + first, begin + end)


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
