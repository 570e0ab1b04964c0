"""The records: a frame, its outcome, its lattices, and the tasks and reports exchanged with workers.

Units are in the names (``_A`` Angstrom, ``_deg``, ``_mm``, ``_px``, ``_s``); a name without one has none.
A :class:`FrameResult` is one line of JSON in a run's ledger, ``frames.jsonl``.  Lines of earlier versions
have some fields under other names, which are read here and converted in :mod:`iota.runs.earlier_records`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from iota.causes import OUTCOMES as OUTCOMES
from iota.causes import Cause, Values, Why
from iota.causes import Outcome as Outcome

FORMAT_VERSION = 2

# limits beyond which nothing is meant: a record that says more is damaged
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Number = Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]
Time = Annotated[float, msgspec.Meta(ge=0, le=1e11)]  # s since the epoch
Length = Annotated[float, msgspec.Meta(gt=0, lt=1e5)]  # of an axis (A)
Angle = Annotated[float, msgspec.Meta(gt=0, lt=180)]  # between axes (degrees)

OUTCOME_WORDS: dict[Outcome, str] = {  # for people; files and programs have the names above
    "integrated": "integrated",
    "failed_import": "failed import",
    "failed_triage": "no diffraction",
    "too_many_spots": "too many spots",
    "failed_spotfinding": "failed spot finding",
    "failed_indexing": "failed indexing",
    "failed_refinement": "failed refinement",
    "failed_integration": "failed integration",
    "failed_filter": "failed filter",
    "crashed": "crashed",
    "timed_out": "timed out",
}
MEANINGS: dict[Outcome, str] = {
    "integrated": "At least one lattice was found and integrated, and passed the filter if one was used.",
    "failed_import": "The image or its header could not be read.",
    "failed_triage": "It has fewer spots than the minimum for a hit: a blank.",
    "too_many_spots": "It has more spots than dispatch.hit_finder.maximum_number_of_reflections allows, usually"
    " from salt, ice or noise. It is not indexed, and counts neither as a hit nor as a blank.",
    "failed_spotfinding": "Spot finding ended with an error.",
    "failed_indexing": "It has enough spots, but no lattice explains them well enough.",
    "failed_refinement": "A lattice was found, but its refinement against the spots failed.",
    "failed_integration": "A lattice was refined, but none of its reflections could be integrated or was significant.",
    "failed_filter": "Lattices were integrated, but none of them meets the criteria of cctbx_xfel.filter.",
    "crashed": "Its process ended without a result: the backend crashed, memory ran out, or its job was lost, twice.",
    "timed_out": "It took longer than mp.frame_timeout allows.",
}
NOT_HITS: tuple[Outcome, ...] = (
    "failed_import",
    "failed_triage",
    "too_many_spots",
    "failed_spotfinding",
    "crashed",
    "timed_out",
)
CAN_RETRY: tuple[Outcome, ...] = ("crashed", "timed_out", "failed_import")  # may end otherwise with the same settings


FileId = tuple[int, int, int]  # inode, time of change (ns since the epoch), size (bytes): whatever its name is


class FrameRef(msgspec.Struct, frozen=True, order=True, gc=False):
    """One still image: a file, and which image in it.

    ``index`` counts from 0 within a multi-image file and is None for a file that holds a single image.
    """

    path: str
    """Path of the image file."""
    index: Count | None = None
    """Index of the image in its file, from 0; None for a file of a single image."""

    def __str__(self) -> str:
        """Return the frame as people and list files write it: ``path`` or ``path#N`` with N counted from 1."""
        return self.path if self.index is None else f"{self.path}#{self.index + 1}"


class Lattice(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One crystal lattice on a frame, as refined and integrated."""

    bravais: str
    """Bravais symbol, e.g. tP."""
    space_group: str
    """Hermann-Mauguin symbol, e.g. P 43 21 2."""
    unit_cell: tuple[Length, Length, Length, Angle, Angle, Angle]
    """a, b, c (A), alpha, beta, gamma (degrees)."""
    unit_cell_esd: tuple[Number, Number, Number, Number, Number, Number] | None = None
    """Standard uncertainties of the cell (A, degrees)."""
    a_matrix: tuple[Number, Number, Number, Number, Number, Number, Number, Number, Number]
    """Reciprocal setting A* by rows (1/A), in the laboratory frame of dxtbx."""
    n_indexed: Count
    """Indexed spots."""
    n_integrated: Count = 0
    """Integrated reflections."""
    n_strong: Count = 0
    """Integrated reflections with I/sigma above data_selection.image_triage.strong_sigma."""
    rmsd_px: Number | None = None
    """RMSD between observed and predicted spot positions (px)."""
    d_min_A: Number | None = None
    """Highest resolution to which the lattice was integrated (A)."""
    d_max_A: Number | None = None
    """Lowest resolution of an integrated reflection (A)."""
    wilson_b_A2: Number | None = None
    """Wilson B factor (A^2)."""
    half_mosaicity_deg: Number | None = None
    """Half-width mosaicity, the convention of DIALS (degrees)."""
    domain_size_A: Number | None = None
    """Mosaic domain size (A)."""
    beam_centre_mm: tuple[Number, Number] | None = None
    """Position at which the beam hits its panel, or in a gap the plane of the first panel: fast, slow (mm)."""
    beam_centre_px: tuple[Number, Number] | None = None
    """The same in pixels: fast, slow (px); 0.5 is the centre of the first pixel."""
    distance_mm: Number | None = None
    """Distance from the sample to the plane of the first panel (mm)."""
    wavelength_A: Number | None = None
    """Wavelength (A)."""
    pixel_size_mm: Number | None = None
    """Size of a pixel (mm)."""
    files: dict[str, str] = {}
    """Kind -> path relative to the run folder, e.g. {"pickle": "final/int_x.pickle"}."""
    old_mosaicity_deg: Number | None = msgspec.field(default=None, name="mosaicity_deg")
    """Name of half_mosaicity_deg in version 1."""

    @property
    def mosaicity_deg(self) -> float | None:
        """Old name of ``half_mosaicity_deg``."""
        return self.half_mosaicity_deg


class _Explained(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """Something that may have failed, with the cause."""

    cause: Cause | None = None  # None: it succeeded
    values: Values = {}  # of the cause, by the names in its sentence
    old_reason: str = msgspec.field(default="", name="reason")  # a sentence in version 1

    @property
    def reason(self) -> str:
        """One sentence, made from cause and values; empty if there is no cause."""
        return "" if self.cause is None else self.cause.sentence(self.values)

    def explain(self, why: Why | None) -> None:
        """Set cause and values."""
        self.cause, self.values = (None, {}) if why is None else (why.cause, why.values)


class GridPoint(_Explained, kw_only=True, omit_defaults=True, gc=False):
    """Result of one combination of spot-finding settings in a grid search.

    Its cause says why there is no lattice, or why the prefilter rejects it.
    """

    area: Count  # least number of pixels of a spot
    height: Count  # spot height
    signal: Count  # signal height
    n_spots: Count
    n_indexed: Count | None = None  # None: no lattice
    half_mosaicity_deg: Number | None = None
    epv_per_A3: Number | None = None  # Ewald proximal volume (1/A^3)
    is_chosen: bool = False
    old_mosaicity_deg: Number | None = msgspec.field(default=None, name="mosaicity_deg")  # names in version 1
    old_epv_A3: Number | None = msgspec.field(default=None, name="epv_A3")

    @property
    def mosaicity_deg(self) -> float | None:
        """Old name of ``half_mosaicity_deg``."""
        return self.half_mosaicity_deg

    @property
    def epv_A3(self) -> float | None:
        """Old name of ``epv_per_A3``."""
        return self.epv_per_A3


class FrameResult(_Explained, kw_only=True, omit_defaults=True, gc=False):
    """The record of one frame; every input frame has exactly one."""

    frame: FrameRef
    """The image."""
    name: str
    """Unique in the run; stem of the frame's files."""
    outcome: Outcome
    """The outcome."""
    settings: str = ""
    """Settings with which the lattice was found: given lattice, defaults, determined lattice ..."""
    remarks: list[str] = []
    """Sentences about its file or header for the user, although it was processed."""
    attempts: list[str] = []
    """One sentence for each setting that was tried without success."""
    seconds: dict[str, Number] = {}
    """Stage -> time (s)."""
    n_spots: Count | None = None
    """Number of spots; None: spot finding was not reached."""
    spots_d_min_A: Number | None = None
    """Resolution within which 95 % of the spots lie (A)."""
    lattices: list[Lattice] = []
    """All lattices found."""
    grid: list[GridPoint] = []
    """Points of a grid search, in the order of the search."""
    files: dict[str, str] = {}
    """Kind -> path relative to the run folder."""
    finished: Time = 0.0
    """When it was finished (s since the epoch)."""
    file: FileId | None = None
    """In monitor mode, the file of a single image as it was read; otherwise None."""
    version: int = 1
    """Version of the line in the ledger, which always gives it from version 2 on."""


class Settings(msgspec.Struct, frozen=True):
    """Settings for indexing: a label, and the parameters that they add to the target of the run."""

    label: str
    """Words for people."""
    phil: str = ""
    """What it adds to the target of the run."""


class Task(msgspec.Struct, frozen=True):
    """What a worker is asked to do with one frame.

    ``screen`` ends after spot finding; ``scout`` indexes with the first of ``settings`` and keeps nothing; ``process``
    goes all the way with the first of ``settings`` that succeeds.
    """

    kind: Literal["screen", "scout", "process"]
    """How far to go."""
    frame: FrameRef
    """The image."""
    name: str
    """Name of the frame in the run."""
    settings: tuple[Settings, ...] = ()
    """To be tried in turn."""
    more: str = ""
    """Parameters of the backend beyond the target of the run."""
    trial: bool = False
    """Whether nothing but the record is kept."""


class Screened(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that has enough spots to be indexed."""

    frame: FrameRef
    """The image."""
    name: str
    """Name of the frame in the run."""
    n_spots: Count
    """Number of spots."""


class Scouted(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that was indexed only to determine its lattice."""

    frame: FrameRef
    """The image."""
    name: str
    """Name of the frame in the run."""
    settings: str
    """Label of the settings."""
    unit_cell: tuple[float, float, float, float, float, float] | None = None
    """Niggli cell of the primitive lattice (A, degrees); None: there is no lattice."""
    multiple: int = 1
    """How many times larger the indexed cell was before its empty classes of indices were removed."""
    n_indexed: Count = 0
    """Indexed spots."""
    rmsd_px: float = 0.0
    """RMSD between observed and predicted spot positions (px)."""
    reason: str = ""
    """Why there is no lattice."""


Report = Screened | Scouted | FrameResult
