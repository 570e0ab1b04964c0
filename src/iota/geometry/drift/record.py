"""How a detector moved during a run: the numbers, and what is said of them.

These are definitions only: whoever reads them need not load what measures a drift.
"""

from __future__ import annotations

from bisect import bisect_right

import msgspec

from iota.geometry.deviations import DISTANCE, SHIFTS

_MOSTLY = 0.8  # of the whole change, from the first block to the last

MINIMUM_FOR_DRIFT = 100  # lattices: four blocks of 25


class DriftBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Lattices that follow each other in time."""

    first: float
    """Time of the first lattice; for a run, the number of its image, from 1, in the order of the input."""
    last: float
    """Time of the last lattice."""
    n_lattices: int
    """Lattices used."""


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How one coordinate of the detector changed during a run, relative to its mean."""

    name: str
    """shift x, shift y or distance."""
    measured_mm: list[float]
    """Mean of each block."""
    uncertainty_mm: list[float]
    """Standard uncertainty of each mean, from the scatter between lattices."""
    followed_mm: list[float]
    """The simplest course that explains the blocks, made of straight lines and steps; zero if nothing changes."""
    change_mm: float
    """Difference between the highest and the lowest value of the course that is followed."""
    displacement_px: float
    """By how much this displaces spots (px, rms over the detector)."""
    gain: float
    """Chi-squared of a constant minus that of the course that is followed."""
    is_significant: bool
    """Whether the gain exceeds 25 (5 standard uncertainties)."""
    matters: bool
    """Whether spots are displaced by so much that parts of the run should have geometries of their own."""

    @property
    def direction(self) -> str:
        """Whether it increases or decreases from the first block to the last, or varies."""
        net_mm = self.followed_mm[-1] - self.followed_mm[0]
        if abs(net_mm) < _MOSTLY * self.change_mm:
            return "varies"
        return "increases" if net_mm > 0 else "decreases"


class GeometryPart(msgspec.Struct, kw_only=True):
    """A part of a run that should be processed with one geometry."""

    first: float
    """Time of its first lattice; it ends where the next one begins."""
    n_lattices: int
    """Lattices used."""
    shift_mm: tuple[float, float, float]
    """Shift along x and y, and change of the distance, relative to the mean geometry of the run."""
    file: str = ""
    """Reference geometry (.expt) of this part, if it was written."""


class GeometryDrift(msgspec.Struct, kw_only=True):
    """How a detector moved during a run."""

    n_lattices: int
    """Lattices used."""
    distance_mm: float
    """Distance that was used (mm)."""
    is_cell_known: bool = False
    """Whether the mean distance is that at which cells are as given; otherwise they are as they were found."""
    mean_mm: dict[str, float] = {}
    """Coordinate -> by how much its mean differs from the geometry that was used (mm)."""
    blocks: list[DriftBlock]
    """Parts of the run with equal numbers of lattices, in the order of time."""
    courses: list[Course]
    """One for each coordinate."""
    parts: list[GeometryPart] = []
    """Parts of the run with a geometry each; empty if one geometry is enough."""
    remarks: list[str] = []
    """What limits the result."""
    sentence: str = ""
    """What moves; empty if nothing does that is significant and matters."""

    def course(self, name: str) -> Course | None:
        """The course of a coordinate; None if it could not be measured."""
        return next((one for one in self.courses if one.name == name), None)

    def part_at(self, time: float) -> GeometryPart | None:
        """The part of the run to which a time belongs; None if one geometry is enough."""
        if not self.parts:
            return None
        return self.parts[max(0, bisect_right([part.first for part in self.parts], time) - 1)]


def drift_sentence(drift: GeometryDrift) -> str:
    """What moves during the run, as one sentence; empty if nothing does."""
    told = {one.name: one for one in drift.courses if one.is_significant and one.matters}
    said = []
    if told.keys() & set(SHIFTS):
        axes = [one for name in SHIFTS if (one := drift.course(name)) is not None and name in told]
        changes = " and ".join(f"{one.change_mm:.2f} mm along {one.name[-1]}" for one in axes)
        said.append(f"the beam centre moves during the run, by {changes}")
    if DISTANCE in told:
        one = told[DISTANCE]
        percent = 100.0 * one.change_mm / drift.distance_mm
        said.append(
            f"the detector distance {one.direction} by {one.change_mm:.2f} mm ({percent:.2f} %) during the run"
            " (a change of the wavelength, or of all cell axes, by as many percent would explain it as well)"
        )
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
