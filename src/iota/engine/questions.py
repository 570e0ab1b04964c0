"""Questions answered by processes with DIALS, for programs without it: forms, reports, the server."""

from __future__ import annotations

from typing import Any

import msgspec

from iota.crystallography.cells import Cell
from iota.geometry.deviations import Diagnosis
from iota.geometry.drift.record import GeometryDrift
from iota.geometry.search import DISTANCE_RANGE, RADIUS_PX
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
    time: float | None = None
    """Time of the experiment, or any other number by which frames are ordered."""


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
    nice=10,  # workers go first
)


class MeasureDrift(msgspec.Struct, frozen=True):
    """Measure how the detector moved during a run."""

    frames: list[IndexedFrame]
    """Frames whose times are known; the lattices that are wanted are of one crystal form."""
    known_cell: Cell | None = None
    """In the setting of the lattices (A, degrees)."""
    write_to: str = ""
    """Folder into which a reference geometry (.expt) is written for each part of the run that needs its own."""


MEASURE_DRIFT = Question(
    f"{__package__}.geometry.drift:answer_drift",
    MeasureDrift,
    GeometryDrift,
    "Checking the geometry for drift",
    seconds=300,
    nice=10,
)


class HitFrame(msgspec.Struct, frozen=True):
    """A frame with diffraction, and the files of its spots if they were kept; otherwise its spots are found again."""

    frame: FrameRef
    experiments: str = ""
    strong: str = ""


class SearchGeometry(msgspec.Struct, frozen=True):
    """Search for beam centre and distance with the spots of hits that cannot be indexed."""

    frames: list[HitFrame]
    target: str
    """Parameters of the backend with which the frames are processed."""
    output: str
    """Path of the reference geometry, an ``.expt`` file; it is written if the geometry is another one."""
    known_cell: Cell | None = None
    """Of the crystals (A, degrees), in the setting of the space group."""
    space_group: str | None = None
    radius_px: float = RADIUS_PX
    """Largest shift of the beam centre."""
    distance_range: float = DISTANCE_RANGE
    """Largest error of the distance, as a fraction."""


class FoundGeometry(msgspec.Struct, kw_only=True):
    """What the search for beam centre and distance found."""

    found: bool
    """Whether beam centre and, if determined, distance are known now."""
    changed: bool
    """Whether they differ from those of the files by more than the uncertainty; then the reference was written."""
    sentence: str
    """What was found, or why nothing was."""
    method: str
    """How it was found."""
    n_frames: int
    """Frames that were looked at."""
    n_hits: int
    """Frames with enough spots."""
    n_indexed: int
    """Frames that have the lattice that was found; 0 if only the centre was."""
    ratio: float
    """Score of the beam centre by that of the next best one; about 1 without a lattice."""
    shift_px: tuple[float, float] = (0.0, 0.0)
    """Shift of the detector along x and y of the laboratory (px)."""
    shift_esd_px: tuple[float, float] | None = None
    """Its standard uncertainty (px); None if nothing was found."""
    distance_factor: float | None = None
    """True distance by that of the files; None if it was not determined."""
    distance_esd: float | None = None
    """Standard uncertainty of this factor."""
    move_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Shift of the detector in the laboratory (mm)."""
    distance_before_mm: float
    """Distance in the files (mm)."""
    distance_after_mm: float
    """Distance after the shift (mm)."""
    beam_centre_before_px: tuple[float, float]
    """Beam centre in the files, on the panel that the beam hits: fast, slow (px)."""
    beam_centre_after_px: tuple[float, float]
    """Beam centre after the shift: fast, slow (px)."""
    left_out: dict[str, int] = {}
    """Why -> frames that could not be used."""


SEARCH_GEOMETRY = Question(
    f"{__package__}.geometry.search:search_geometry",
    SearchGeometry,
    FoundGeometry,
    "Searching for the beam centre",
    seconds=900,  # 60 frames of 16 megapixels from a slow disk
    counted="hits",
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
