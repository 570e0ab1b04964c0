"""The record of an export, ``export.json``: its contents, source and program versions."""

from __future__ import annotations

import msgspec


class ExportedFile(msgspec.Struct, frozen=True):
    """An exported file: its kind, and how many items it contains."""

    name: str
    what: str
    n_bytes: int


class Export(msgspec.Struct, kw_only=True):
    """``export.json``: what was written, from what, and with what."""

    run: str
    started: float  # s since the epoch
    versions: dict[str, str]
    formats: list[str]
    n_frames: int = 0  # integrated ones
    n_lattices: int = 0
    n_chunks: int = 0  # images in the stream
    left_out: dict[str, int] = {}  # why -> lattices
    space_group: str
    unit_cell: tuple[float, ...]
    files: list[ExportedFile] = []
    remarks: list[str] = []
