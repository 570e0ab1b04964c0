"""Names, labels, units and formats of all columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One number, or one code, for each frame or lattice."""

    name: str
    """In code, in the API and in data frames; ends with the unit."""
    label: str
    """For axes and headings, without the unit."""
    unit: str = ""
    """As people write it."""
    format: str = ".2f"
    """Of one value, as Python's format() takes it."""
    dtype: Literal["u1", "u2", "f4", "f8"] = "f4"
    """Type in numpy."""
    of: Literal["frame", "lattice"] = "lattice"
    """Whether there is one value per frame or per lattice."""
    meaning: str
    """One sentence."""

    @property
    def title(self) -> str:
        """Label with unit, e.g. ``Resolution (Å)``."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def text(self, value: float) -> str:
        """One value as text; empty if it is unknown."""
        return "" if value != value else format(value, self.format)


def _frame(name: str, label: str, unit: str, form: str, dtype: Literal["u1", "u2", "f4", "f8"], meaning: str) -> Column:
    return Column(name=name, label=label, unit=unit, format=form, dtype=dtype, of="frame", meaning=meaning)


def _lattice(name: str, label: str, unit: str, form: str, meaning: str) -> Column:
    return Column(name=name, label=label, unit=unit, format=form, meaning=meaning)


STAGES: Mapping[str, str] = {
    "import": "import",
    "spotfinding": "spot finding",
    "indexing": "indexing",
    "refinement": "refinement",
    "integration": "integration",
}  # as records name them, and for people
_ALL = (
    _frame("outcome", "Outcome", "", ".0f", "u1", "How the frame ended: position in the list of outcomes."),
    _frame("reason", "Reason", "", ".0f", "u2", "Why it is not integrated: position in the list of reasons."),
    _frame("settings", "Settings", "", ".0f", "u2", "Settings of its lattice: position in the list of settings."),
    _frame("remarks", "Remarks", "", ".0f", "u2", "Notes on its file: position in the list of remarks."),
    _frame("finished", "Finished", "s", ".3f", "f8", "When the frame was finished, in seconds since 1970 (UTC)."),
    _frame("seconds", "Time", "s", ".2f", "f4", "Time for all stages of processing."),
    *(
        _frame(f"seconds_{stage}", f"Time, {words}", "s", ".3f", "f4", f"Time for {words}; unknown if not reached.")
        for stage, words in STAGES.items()
    ),
    _frame("n_spots", "Spots", "", ".0f", "f4", "Spots found; unknown if spot finding was not reached."),
    _frame("spots_d_min_A", "Resolution of spots", "Å", ".2f", "f4", "Resolution limit of the spots."),
    _frame("n_lattices", "Lattices", "", ".0f", "u1", "Lattices on the frame."),
    _lattice("d_min_A", "Resolution", "Å", ".2f", "Resolution limit of the integrated lattice."),
    _lattice("n_indexed", "Indexed spots", "", ".0f", "Spots indexed by the lattice."),
    _lattice("n_integrated", "Integrated reflections", "", ".0f", "Reflections that were integrated."),
    _lattice("n_strong", "Strong reflections", "", ".0f", "Integrated reflections with I/σ above strong_sigma."),
    _lattice("rmsd_px", "RMSD (positions)", "px", ".2f", "RMSD between observed and predicted spot positions."),
    _lattice("wilson_b_A2", "Wilson B", "Å²", ".1f", "Wilson B factor."),
    _lattice("half_mosaicity_deg", "Half-width mosaicity", "°", ".3f", "Half-width mosaicity (DIALS convention)."),
    _lattice("domain_size_A", "Domain size", "Å", ".0f", "Size of the mosaic domains."),
    _lattice("beam_fast_px", "Beam centre, fast", "px", ".1f", "Beam centre along the fast axis."),
    _lattice("beam_slow_px", "Beam centre, slow", "px", ".1f", "Beam centre along the slow axis."),
    _lattice("beam_fast_mm", "Beam centre, fast", "mm", ".3f", "Beam centre along the fast axis."),
    _lattice("beam_slow_mm", "Beam centre, slow", "mm", ".3f", "Beam centre along the slow axis."),
    _lattice("distance_mm", "Distance", "mm", ".2f", "Detector distance."),
    _lattice("a_A", "a", "Å", ".2f", "Cell length a."),
    _lattice("b_A", "b", "Å", ".2f", "Cell length b."),
    _lattice("c_A", "c", "Å", ".2f", "Cell length c."),
    _lattice("alpha_deg", "α", "°", ".2f", "Cell angle alpha, between b and c."),
    _lattice("beta_deg", "β", "°", ".2f", "Cell angle beta, between a and c."),
    _lattice("gamma_deg", "γ", "°", ".2f", "Cell angle gamma, between a and b."),
    Column(
        name="symmetry",
        label="Symmetry",
        format=".0f",
        dtype="u2",
        meaning="Bravais lattice and space group: position in the list of symmetries.",
    ),
)
COLUMNS: Mapping[str, Column] = {column.name: column for column in _ALL}
OLD_NAMES: Mapping[str, str] = {"mosaicity_deg": "half_mosaicity_deg"}  # still answered
CELL = ("a_A", "b_A", "c_A", "alpha_deg", "beta_deg", "gamma_deg")
CODES = ("outcome", "reason", "settings", "remarks", "symmetry")  # positions in lists of words
NO_CODE = 65535  # where there is nothing to name
OTHER_CODE = 65534  # where there were too many different words to keep them
OTHER = "(other; see the records)"


def current_name(name: str) -> str:
    """The name of a column that may be called by an old one."""
    return OLD_NAMES.get(name, name)
