"""What flows: the frame, what became of it, and the lattices found on it.

Units are in the names (``_A`` Angstrom, ``_deg``, ``_mm``, ``_px``, ``_s``); a name without one has none.
A :class:`FrameResult` is one line of JSON in a run's ledger, ``frames.jsonl``.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec

FORMAT_VERSION = 1

# limits beyond which nothing is meant: a record that says more is damaged
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Number = Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]
Time = Annotated[float, msgspec.Meta(ge=0, le=1e11)]  # s since the epoch
Length = Annotated[float, msgspec.Meta(gt=0, lt=1e5)]  # of an axis (A)
Angle = Annotated[float, msgspec.Meta(gt=0, lt=180)]  # between axes (degrees)

Outcome = Literal[
    "integrated",
    "failed_import",
    "failed_triage",
    "too_many_spots",
    "failed_spotfinding",
    "failed_indexing",
    "failed_refinement",
    "failed_integration",
    "failed_filter",
    "crashed",
    "timed_out",
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
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
    index: Count | None = None

    def __str__(self) -> str:
        """Return the frame as people and list files write it: ``path`` or ``path#N`` with N counted from 1."""
        return self.path if self.index is None else f"{self.path}#{self.index + 1}"


class Lattice(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One crystal lattice on a frame, as refined and integrated."""

    bravais: str  # Bravais symbol, e.g. "tP"
    space_group: str  # Hermann-Mauguin symbol, e.g. "P 43 21 2"
    unit_cell: tuple[Length, Length, Length, Angle, Angle, Angle]  # A, A, A, deg, deg, deg
    unit_cell_esd: tuple[Number, Number, Number, Number, Number, Number] | None = None
    a_matrix: tuple[
        Number, Number, Number, Number, Number, Number, Number, Number, Number
    ]  # reciprocal setting A*, 1/A, by rows
    n_indexed: Count
    n_integrated: Count = 0
    n_strong: Count = 0  # integrated reflections with I/sigma above data_selection.image_triage.strong_sigma
    rmsd_px: Number | None = None
    d_min_A: Number | None = None  # highest resolution to which the lattice was integrated
    d_max_A: Number | None = None
    wilson_b_A2: Number | None = None
    mosaicity_deg: Number | None = None  # half-width, the convention of DIALS
    domain_size_A: Number | None = None
    beam_centre_mm: tuple[Number, Number] | None = None
    beam_centre_px: tuple[Number, Number] | None = None  # fast, slow
    distance_mm: Number | None = None
    wavelength_A: Number | None = None
    pixel_size_mm: Number | None = None
    files: dict[str, str] = {}  # what -> path relative to the run folder, e.g. {"pickle": "final/int_x.pickle"}


class GridPoint(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """What one combination of spot-finding settings led to, in a grid search."""

    area: Count  # least number of pixels of a spot
    height: Count  # spot height
    signal: Count  # signal height
    n_spots: Count
    n_indexed: Count | None = None  # None: no lattice
    mosaicity_deg: Number | None = None  # half mosaicity
    epv_A3: Number | None = None  # Ewald proximal volume (1/A^3)
    reason: str = ""  # why there is no lattice, or why the prefilter drops it
    is_chosen: bool = False


class FrameResult(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """What became of one frame; every input frame ends in exactly one."""

    frame: FrameRef
    name: str  # unique in the run; stem of the frame's files
    outcome: Outcome
    reason: str = ""  # one sentence; empty when integrated
    settings: str = ""  # with which the lattice was found: given lattice, defaults, determined lattice ...
    remarks: list[str] = []  # sentences on its file or header that a user should know, although it was processed
    attempts: list[str] = []  # one sentence for each setting that was tried and did not succeed
    seconds: dict[str, Number] = {}  # stage -> s
    n_spots: Count | None = None  # None: spot finding was not reached
    spots_d_min_A: Number | None = None
    lattices: list[Lattice] = []
    grid: list[GridPoint] = []  # of a grid search, in the order of the search
    files: dict[str, str] = {}  # what -> path relative to the run folder
    finished: Time = 0.0  # s since the epoch
    file: FileId | None = None  # in monitor mode the file of a single image as it was read; None: it was not
    version: int = FORMAT_VERSION


class Settings(msgspec.Struct, frozen=True):
    """One way to look for a lattice: words for people, and what it adds to the target of the run."""

    label: str
    phil: str = ""


class Task(msgspec.Struct, frozen=True):
    """What a worker is asked to do with one frame.

    ``screen`` ends after spot finding; ``scout`` indexes with the first of ``settings`` and keeps nothing; ``process``
    goes all the way with the first of ``settings`` that succeeds.
    """

    kind: Literal["screen", "scout", "process"]
    frame: FrameRef
    name: str
    settings: tuple[Settings, ...] = ()
    more: str = ""  # parameters of the backend beyond the target of the run
    trial: bool = False  # nothing but the record is kept


class Screened(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that has enough spots to be indexed."""

    frame: FrameRef
    name: str
    n_spots: Count


class Scouted(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that was indexed only to determine its lattice."""

    frame: FrameRef
    name: str
    settings: str  # label
    unit_cell: tuple[float, float, float, float, float, float] | None = None  # Niggli cell of the primitive lattice
    multiple: int = 1  # how many times larger the indexed cell was before its empty classes of indices were removed
    n_indexed: Count = 0
    rmsd_px: float = 0.0
    reason: str = ""  # why there is no lattice


Report = Screened | Scouted | FrameResult
