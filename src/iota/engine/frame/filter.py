"""Decides which integrated lattices are kept (``cctbx_xfel.filter``)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from iota.causes import Cause, Why, why
from iota.crystallography.cells import Cell
from iota.crystallography.lattices import closest_setting, niggli_cell
from iota.crystallography.nearness import Tolerance, is_within_fraction
from iota.crystallography.space_groups import crystal_system, point_group
from iota.records import Lattice


@dataclass(frozen=True)
class LatticeFilter:
    """Conditions on a lattice; None means no condition.

    ``uc_tolerance`` is a fraction of each length and each angle of the cell that a lattice is compared with.
    """

    crystal_system: str | None = None
    point_group: str | None = None
    unit_cell: Cell | None = None
    uc_tolerance: float = 0.05
    min_reflections: int | None = None
    min_resolution_A: float | None = None

    def objection(self, lattice: Lattice) -> Why | None:
        """Return why the lattice is rejected; None if it is kept."""
        if self.crystal_system and crystal_system(lattice.space_group) != self.crystal_system:
            found = crystal_system(lattice.space_group).lower()
            return why(Cause.OTHER_CRYSTAL_SYSTEM, found=found, wanted=self.crystal_system.lower())
        if self.point_group and point_group(lattice.space_group) != point_group(self.point_group):
            found, wanted = point_group(lattice.space_group), point_group(self.point_group)
            return why(Cause.OTHER_POINT_GROUP, found=found, wanted=wanted)
        if self.unit_cell and not self._cell_fits(lattice, self.unit_cell):
            return why(
                Cause.OTHER_CELL,
                unit_cell=lattice.unit_cell,
                wanted_cell=self.unit_cell,
                tolerance_percent=100 * self.uc_tolerance,
            )
        if self.min_reflections is not None and lattice.n_integrated < self.min_reflections:
            return why(Cause.TOO_FEW_REFLECTIONS, n_integrated=lattice.n_integrated, minimum=self.min_reflections)
        if self.min_resolution_A is not None and (lattice.d_min_A is None or lattice.d_min_A > self.min_resolution_A):
            if lattice.d_min_A is None:
                return why(Cause.RESOLUTION_UNKNOWN, wanted_d_min_A=self.min_resolution_A)
            return why(Cause.RESOLUTION_TOO_LOW, d_min_A=lattice.d_min_A, wanted_d_min_A=self.min_resolution_A)
        return None

    def without_reflections(self) -> LatticeFilter:
        """Return the conditions that can be checked before integration."""
        return replace(self, min_reflections=None, min_resolution_A=None)

    def _cell_fits(self, lattice: Lattice, wanted: Cell) -> bool:
        if is_within_fraction(lattice.unit_cell, wanted, self.uc_tolerance):
            return True
        # the same lattice in another setting, e.g. with axes exchanged
        primitive = niggli_cell(lattice.unit_cell, lattice.space_group)
        centring = lattice.space_group[0] + " 1"
        reference = niggli_cell(
            wanted, centring if centring in ("P 1", "A 1", "B 1", "C 1", "I 1", "F 1", "R 1") else "P 1"
        )
        widest = Tolerance(self.uc_tolerance, self.uc_tolerance * max(reference[3:]))
        setting = closest_setting(primitive, reference, widest)
        return setting is not None and is_within_fraction(setting, reference, self.uc_tolerance)
