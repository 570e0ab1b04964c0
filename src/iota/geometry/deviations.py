"""How far a detector is from where it was taken to be: the numbers, and what is said of them.

These are definitions only: whoever reads a diagnosis need not load what makes one.
"""

from __future__ import annotations

import math

import msgspec

MINIMUM_DIAGNOSED = 18  # lattices, three for each motion: fewer do not tell how uncertain the motions are

DISTANCE = "distance"
SHIFTS = ("shift x", "shift y")
TILTS = ("tilt about x", "tilt about y")


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """How far the detector as a whole is from where it was taken to be, in one direction."""

    name: str
    """shift x, shift y, distance, tilt about x, tilt about y."""
    value: float
    """Found minus used."""
    uncertainty: float
    """Standard uncertainty."""
    unit: str
    """Unit of both: mm or degrees."""
    displacement_px: float
    """By how much it displaces spots, if crystals do not follow (px, rms over the detector)."""
    is_significant: bool
    """Whether it is more than five standard uncertainties."""
    matters: bool
    """Whether it displaces spots, or changes the cell axes, by so much that it should be corrected."""


class PanelDeviation(msgspec.Struct, frozen=True, kw_only=True):
    """How far a panel is displaced within its plane, relative to the detector as a whole."""

    panel: str
    """Name of the panel."""
    shift_px: tuple[float, float]
    """Shift along x, y of the laboratory (px)."""
    shift_uncertainty_px: tuple[float, float]
    """Standard uncertainties of these (px)."""
    rotation_deg: float
    """Rotation about the beam (degrees)."""
    rotation_uncertainty_deg: float
    """Standard uncertainty of the rotation (degrees)."""
    displacement_px: float
    """Displacement of its pixels by both (px, rms)."""
    is_significant: bool
    """Whether one of the three is more than five standard uncertainties."""
    matters: bool
    """Whether the displacement is so large that it should be corrected."""


class Diagnosis(msgspec.Struct, kw_only=True):
    """Whether a detector is where it was taken to be."""

    n_lattices: int
    """Lattices used."""
    n_spots: int
    """Spots used."""
    rmsd_px: float
    """RMSD between observed spots and those predicted with geometry and crystals as they were (px)."""
    rmsd_refined_px: float
    """The same with both refined (px)."""
    distance_mm: float
    """Distance that was used (mm)."""
    is_cell_known: bool
    """Whether the distance is that at which cells are as given; otherwise cells and distance were found together."""
    deviations: list[Deviation]
    """Of the detector as a whole; what cannot be determined is not in the list."""
    panels: list[PanelDeviation] = []
    """Of single panels, if there are several."""
    remarks: list[str] = []
    """Why the uncertainties cannot be trusted; then :attr:`sentence` is empty."""
    sentence: str = ""
    """What is wrong; empty if nothing is, or nothing that is significant and matters."""

    def deviation(self, name: str) -> Deviation | None:
        """Find a deviation of the detector as a whole; None if it could not be determined."""
        return next((one for one in self.deviations if one.name == name), None)

    @property
    def explains_cells(self) -> bool:
        """Whether the distance was compared with that at which cells are as given."""
        return self.is_cell_known and self.deviation(DISTANCE) is not None

    @property
    def better_distance_mm(self) -> float | None:
        """Distance at which cells would be as given (mm); None if it is right or cannot be told."""
        found = self.deviation(DISTANCE)
        is_told = found is not None and found.is_significant and found.matters
        return self.distance_mm + found.value if found is not None and is_told and self.is_cell_known else None


def sentence_of(found: Diagnosis, used: tuple[int, float, float], centre: tuple[int, float, float]) -> str:
    """What is wrong, as one sentence; empty if nothing is."""
    told = {one.name: one for one in found.deviations if one.is_significant and one.matters}
    parts = []
    if told.keys() & set(SHIFTS):
        by_px = math.hypot(centre[1] - used[1], centre[2] - used[2]) if centre[0] == used[0] else None
        off = "elsewhere" if by_px is None else f"{by_px:.1f} px from the one used"
        where = f"{centre[1]:.1f}, {centre[2]:.1f} px (fast, slow"
        parts.append(f"the beam centre is {off}, at {where}{f'; panel {centre[0]}' if centre[0] else ''})")
    parts += [
        f"the detector has a {name.replace('tilt', 'tilt of ' + _with_uncertainty(told[name]))}"
        for name in TILTS
        if name in told
    ]
    displaced = [one for one in found.panels if one.is_significant and one.matters]
    if displaced:
        worst = max(displaced, key=lambda one: one.displacement_px)
        name = worst.panel.rpartition("/")[2]  # those of HDF5 files are paths
        are = "panel is" if len(displaced) == 1 else "panels are"
        parts.append(
            f"{len(displaced)} of {len(found.panels)} {are} displaced relative to the others, {name} the most,"
            f" by {worst.displacement_px:.1f} px"
        )
    better = found.better_distance_mm
    if better is not None:
        parts.append(scale_sentence(found.distance_mm / better, f"{better:.2f}"))
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _with_uncertainty(one: Deviation) -> str:
    return f"{one.value:.2f} ± {max(one.uncertainty, 0.01):.2f}°"


def scale_sentence(factor: float, distance_mm: str | None) -> str:
    """What would explain cells whose axes all differ from the given ones by a factor; without a full stop.

    Args:
        factor: found axes divided by given axes.
        distance_mm: the detector distance at which they would be as given, if known.
    """
    larger, shorter = ("larger", "shorter") if factor > 1 else ("smaller", "longer")
    distance = "a wrong detector distance" if distance_mm is None else f"a detector distance of {distance_mm} mm"
    return (
        f"all cell axes are {100 * abs(factor - 1):.1f} % {larger} than those of the given cell: {distance} would"
        f" explain it, and so would a wavelength {100 * abs(1 - 1 / factor):.1f} % {shorter}"
    )
