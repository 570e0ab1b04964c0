"""Writes the files of an export to CrystFEL, frame by frame: stream, geometry, cell."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

import iota
from iota.engine.exports import crystfel_stream as crystfel
from iota.engine.exports.crystfel_cell import cell_file_text
from iota.engine.exports.crystfel_geometry import data_lines, geometry_of, geometry_text
from iota.engine.exports.given_geometry import GivenGeometry
from iota.exports.record import Export
from iota.records import FrameRef


class ExportedFrame(NamedTuple):
    """A frame to be written, and its lattices; kept for all frames, so it is small."""

    ref: FrameRef
    name: str
    lattices: tuple[int, ...]  # none: it was not integrated
    files: tuple[str, str, str]  # experiments, reflections, spots; empty where there are none
    is_hit: bool


class StreamWriter:
    """Writes ``run.stream``, ``run.geom`` and ``run.cell``.

    The geometry is that given to the run, or else that of the first image.
    """

    def __init__(self, folder: Path, export: Export, open_files: ExitStack, given: GivenGeometry | None) -> None:
        self._given = given
        self.n_chunks = 0
        self._folder = folder
        self._export = export
        self._open_files = open_files
        self._file: IO[str] | None = None
        self._reference: Any = None
        self._blanks: list[ExportedFrame] = []  # before the first image with a geometry

    def add(self, frame: ExportedFrame, data: Any | None) -> None:
        """Write the chunk of a frame; one without data is blank."""
        if data is None:
            self._blanks.append(frame)
            if self._file is not None:
                self._write_blanks()
            return
        geometry = geometry_of(data.experiments[0], self._given.places if self._given else ())
        if self._file is None:
            self._reference = geometry
            self._begin(frame.ref)
        header = self._header(frame)
        assert self._file is not None
        self._file.write(crystfel.chunk(header, data, geometry, self._reference))

    def _begin(self, first: FrameRef) -> None:
        if self._given is not None and len(self._given.places) == len(self._reference.panels):
            geometry = self._given.text_for(self._reference)
        else:
            ends = (
                self._reference.levels[0],
                self._reference.levels[-1],
            )  # all groups of many panels take too much room
            geometry = geometry_text(self._reference._replace(levels=ends), data_lines(first))
        cell = cell_file_text(self._export.unit_cell, self._export.space_group)
        for name, text in (("run.geom", geometry), ("run.cell", cell)):
            (self._folder / name).write_text(text, encoding="utf-8")
        self._file = self._open_files.enter_context(
            (self._folder / "run.stream").open("w", encoding="utf-8", errors="surrogateescape")
        )
        command = shlex.join(["iota.export", self._export.run])
        self._file.write(crystfel.stream_head(iota.__version__, command, geometry, cell))
        self._write_blanks()

    def _write_blanks(self) -> None:
        assert self._file is not None
        for frame in self._blanks:
            self._file.write(crystfel.blank_chunk(self._header(frame), self._reference))
        self._blanks = []

    def _header(self, frame: ExportedFrame) -> crystfel.Header:
        self.n_chunks += 1
        event = self._given.event(frame.ref) if self._given else ""
        return crystfel.Header(frame.ref, self.n_chunks, frame.is_hit, event)
