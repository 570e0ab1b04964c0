"""Decides which integrated lattices are kept (``cctbx_xfel.filter``)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from iota.crystallography.cells import Cell, cell_text
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

    def objection(self, lattice: Lattice) -> str:
        """Return why the lattice is not kept, as a sentence; empty when it is."""
        if self.crystal_system and crystal_system(lattice.space_group) != self.crystal_system:
            return f"The lattice is {crystal_system(lattice.space_group).lower()}, not {self.crystal_system.lower()}."
        if self.point_group and point_group(lattice.space_group) != point_group(self.point_group):
            return f"The point group is {point_group(lattice.space_group)}, not {point_group(self.point_group)}."
        if self.unit_cell and not self._cell_fits(lattice, self.unit_cell):
            return (
                f"The cell {cell_text(lattice.unit_cell, 1)} differs from {cell_text(self.unit_cell, 1)}"
                f" by more than {100 * self.uc_tolerance:g} %."
            )
        if self.min_reflections is not None and lattice.n_integrated < self.min_reflections:
            return f"{lattice.n_integrated} reflections were integrated; at least {self.min_reflections} are required."
        if self.min_resolution_A is not None and (lattice.d_min_A is None or lattice.d_min_A > self.min_resolution_A):
            reached = "an unknown resolution" if lattice.d_min_A is None else f"{lattice.d_min_A:.2f} A"
            return f"The lattice reaches {reached}; {self.min_resolution_A:g} A or better is required."
        return ""

    def without_reflections(self) -> LatticeFilter:
        """Return the conditions that a lattice can meet before it is integrated."""
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
