"""Questions answered by processes with DIALS, for programs without it: forms, reports, the server."""

from __future__ import annotations

from typing import Any

import msgspec

from iota.crystallography.cells import Cell
from iota.geometry.deviations import Diagnosis
from iota.params.forms import Definitions
from iota.processes.question import Question
from iota.records import FrameRef

DEFINITIONS = Question(
    f"{__package__}.backend.definitions:definitions",
    type(None),
    Definitions,
    "Loading DIALS",
    seconds=180,  # a cold network file system needs most of it
    advice="Run iota.doctor to find out why.",
)


class CountReflections(msgspec.Struct, frozen=True):
    """Count the reflections of a run that are not yet counted, for some seconds."""

    folder: str


class CountedReflections(msgspec.Struct, frozen=True):
    """The counts are in the run folder."""

    is_all: bool  # of what there was


COUNT_REFLECTIONS = Question(
    f"{__package__}.merging.miller_counts:count_reflections",
    CountReflections,
    CountedReflections,
    "Counting reflections",
    seconds=300,
    nice=10,  # a run on the same cores goes first
)


class IndexedFrame(msgspec.Struct, frozen=True):
    """Files of a frame, and which of its lattices are wanted."""

    frame: FrameRef
    experiments: str
    indexed: str
    numbers: tuple[int, ...]


class DiagnoseGeometry(msgspec.Struct, frozen=True):
    """Find out whether the detector is where it was taken to be."""

    frames: list[IndexedFrame]
    known_cell: Cell | None


DIAGNOSE_GEOMETRY = Question(
    f"{__package__}.geometry.diagnosis:diagnose_geometry",
    DiagnoseGeometry,
    Diagnosis,
    "Checking the geometry",
    seconds=120,
)


class ImageRequest(msgspec.Struct, frozen=True):
    """A request about an image: a method of :class:`iota.engine.viewer.pixels.Pixels`."""

    do: str
    given: dict[str, Any] = {}


PIXELS = Question(
    f"{__package__}.viewer.pixels:answer",
    ImageRequest,
    msgspec.Raw,  # pages read it
    "Processing the image",
    seconds=60,
    advice="The server is still running; other images can be opened.",
)
