"""The record of a refinement of the geometry, ``geometry.json``, and what people are told of it."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from iota.crystallography.cells import Cell, cell_text
from iota.engine.questions import FoundGeometry

SIGNIFICANT = 3.0  # standard uncertainties

Cells = Literal["known", "shared", "free"]
CELL_WORDS: dict[Cells, str] = {
    "known": "as known",
    "shared": "one cell refined for all lattices",
    "free": "a cell refined for each lattice",
}


class RefinedParameter(msgspec.Struct, kw_only=True):
    """A parameter of the detector."""

    name: str
    """What it is, e.g. shift x."""
    level: int
    """Level of the hierarchy; 0 is the whole detector."""
    group: str
    """Name of the group of panels or of the panel."""
    change: float
    """Change."""
    uncertainty: float | None
    """Standard uncertainty of the change; None if it could not be determined."""
    unit: str
    """Unit of both."""
    is_significant: bool
    """Whether the change is more than three times the uncertainty."""


class Evidence(msgspec.Struct, kw_only=True):
    """Distances between observed and predicted spots, with the orientation of each lattice refined in either geometry.

    The cell of each lattice is refined, too, as when images are processed, unless it is said that it is known.
    """

    n_lattices: int
    """Lattices."""
    n_spots: int
    """Spots."""
    rmsd_before_px: float
    """RMSD with the geometry of the files (px)."""
    rmsd_after_px: float
    """RMSD with the refined geometry (px)."""


class Place(msgspec.Struct, kw_only=True):
    """Where a detector is."""

    distance_mm: float
    """Distance from the sample along the beam (mm)."""
    beam_centre_px: tuple[float, float]
    """Where the beam meets its panel, or in a gap the plane of the first panel: fast, slow (px)."""


class GeometryRefinement(msgspec.Struct, kw_only=True):
    """``geometry.json``: what was refined, from what, by how much, and the evidence."""

    source: list[str]
    """Run folder, or files."""
    started: float
    """Start (s since the epoch)."""
    versions: dict[str, str]
    """Program -> version."""
    levels: list[int]
    """Levels of the hierarchy that were refined."""
    cells: Cells
    """How unit cells were treated."""
    unit_cell: tuple[float, ...]
    """The known cell, or else the median of the refined cells (A, degrees)."""
    space_group: str
    """Space group of the lattices."""
    before: Place
    """The geometry of the files."""
    after: Place
    """The refined geometry."""
    fit: Evidence
    """All lattices, with the geometry refined from them."""
    test: Evidence
    """The same lattices, each with a geometry refined without one fifth of the images, of which its own is one."""
    test_known: Evidence | None = None
    """The same with the known cell instead of refined cells."""
    n_frames: int
    """Images of these lattices."""
    n_available: int
    """Lattices that could have been used; fewer are if there are more than geometry.max_lattices."""
    n_rejected: int
    """Spots that were rejected as outliers."""
    parameters: list[RefinedParameter] = []
    """Parameters of the detector."""
    held: list[str] = []
    """A sentence for each motion that could not be determined and was held."""
    left_out: dict[str, int] = {}
    """Why -> lattices."""
    largest_shift_px: float = 0.0
    """Largest displacement of spots that the new geometry makes, over the detector (px)."""
    panel_shift_rms_px: float | None = None
    """RMS displacement of panels relative to each other (px); None for a single panel."""
    files: dict[str, str] = {}
    """File -> what it is."""
    remarks: list[str] = []
    """Sentences worth knowing."""

    @property
    def is_better(self) -> bool:
        """Whether lattices agree better with a geometry that was refined without them than with that of the files.

        With a known cell, agreement with and without it counts alike: the first shows a wrong distance only, and hides
        small motions in the variation of the crystals.
        """
        tests = [test for test in (self.test, self.test_known) if test is not None]
        return math.prod(test.rmsd_after_px for test in tests) < math.prod(test.rmsd_before_px for test in tests)


class GeometrySearch(msgspec.Struct, kw_only=True):
    """``geometry_search.json``: beam centre and distance that were found with the spots of hits, before indexing."""

    source: list[str]
    """Run folder."""
    started: float
    """Start (s since the epoch)."""
    versions: dict[str, str]
    """Program -> version."""
    unit_cell: Cell | None
    """The known cell (A, degrees); None if there is none."""
    space_group: str | None
    """Its space group."""
    n_lattices: int
    """Lattices of the consensus of the run."""
    n_available: int
    """Hits of the run."""
    result: FoundGeometry
    """What was found."""
    files: dict[str, str] = {}
    """File -> what it is."""
    remarks: list[str] = []
    """Sentences worth knowing."""


def search_facts(record: GeometrySearch) -> list[tuple[str, str]]:
    """What was found by a search and how reliable it is, as names and sentences."""
    found = record.result
    left_out = ", ".join(f"{number:,} {reason}" for reason, number in found.left_out.items())
    chosen = f" of {record.n_available:,}" if record.n_available > found.n_frames else ""
    facts = [
        ("Hits", f"{found.n_hits:,}{chosen} with enough spots" + (f"; excluded: {left_out}" if left_out else "")),
        ("Search", found.sentence),
    ]
    if found.changed:
        before_px, after_px = _pair(found.beam_centre_before_px), _pair(found.beam_centre_after_px)
        esd = "" if found.shift_esd_px is None else f" ± {max(0.01, *found.shift_esd_px):.2f}"
        facts += [
            ("Method", found.method),
            ("Distance", f"{found.distance_before_mm:.3f} → {found.distance_after_mm:.3f} mm"),
            ("Beam centre", f"{before_px} → {after_px}{esd} px (fast, slow)"),
        ]
    return facts + [("Note", sentence) for sentence in record.remarks]


def geometry_facts(record: GeometryRefinement) -> list[tuple[str, str]]:
    """What was refined and how reliable it is, as names and sentences."""
    before, after, fit, test = record.before, record.after, record.fit, record.test
    excluded = ", ".join(f"{number:,} {reason}" for reason, number in record.left_out.items())
    chosen = f" of {record.n_available:,}" if record.n_available > fit.n_lattices else ""
    facts = [
        (
            "Lattices",
            f"{fit.n_lattices:,}{chosen} on {record.n_frames:,} images"
            + (f"; excluded: {excluded}" if excluded else ""),
        ),
        ("Crystal", f"{record.space_group}, {cell_text(record.unit_cell)} (Å, °); {CELL_WORDS[record.cells]}"),
        ("Distance", f"{before.distance_mm:.3f} → {after.distance_mm:.3f} mm"),
        ("Beam centre", f"{_pair(before.beam_centre_px)} → {_pair(after.beam_centre_px)} px (fast, slow)"),
        ("Spots", f"moved by up to {record.largest_shift_px:.2f} px"),
    ]
    if record.panel_shift_rms_px is not None:
        facts.append(("Panels", f"moved by {record.panel_shift_rms_px:.2f} px relative to each other (RMS)"))
    facts.append(("RMSD", f"{_evidence(fit)} for {fit.n_spots:,} spots"))
    facts.append(("RMSD, test", f"{_evidence(test)} if the images are not used for the refinement (in fifths)"))
    if record.test_known is not None:
        facts.append(("", f"{_evidence(record.test_known)} with the known cell instead of refined cells"))
    return facts + [("Note", sentence) for sentence in (*record.held, *record.remarks)]


def _pair(values: tuple[float, float]) -> str:
    return f"{values[0]:.2f}, {values[1]:.2f}"


def _evidence(evidence: Evidence) -> str:
    return f"{evidence.rmsd_before_px:.3f} → {evidence.rmsd_after_px:.3f} px"
