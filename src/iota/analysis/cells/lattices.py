"""Groups primitive cells of scouted frames by lattice, to determine that of an unknown crystal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iota.crystallography.cells import Cell, median_cell, volume_A3
from iota.crystallography.lattices import closest_setting
from iota.crystallography.multiples import supercell_index


@dataclass
class LatticeGroup:
    """Frames whose primitive cells are one lattice."""

    cells: dict[str, Cell]  # name of the frame -> primitive cell, all in the setting of the first

    @property
    def members(self) -> list[str]:
        """Names of the frames."""
        return list(self.cells)

    @property
    def unit_cell(self) -> Cell:
        """Median primitive cell."""
        return median_cell(list(self.cells.values()))

    def __len__(self) -> int:
        return len(self.cells)


def group_lattices(cells: Iterable[tuple[str, Cell]]) -> list[LatticeGroup]:
    """Group primitive cells by lattice, the largest group first; of equal ones the smaller volume first.

    A frame may give several cells; it counts once in each group.  The groups do not depend on the order of the cells
    unless lattices overlap within the tolerances.

    Args:
        cells: name of the frame and Niggli cell.
    """
    groups: list[LatticeGroup] = []
    for name, cell in sorted(cells, key=lambda item: (volume_A3(item[1]), item[0])):
        for group in groups:
            setting = closest_setting(cell, next(iter(group.cells.values())))
            if setting is not None:
                group.cells.setdefault(name, setting)
                break
        else:
            groups.append(LatticeGroup({name: cell}))
    return sorted(groups, key=lambda group: (-len(group), volume_A3(group.unit_cell)))


def supporters(group: LatticeGroup, groups: Sequence[LatticeGroup]) -> set[str]:
    """Names of the frames that have this lattice, or a super- or sublattice of it, of index 2 to 4."""
    cell = group.unit_cell
    relatives = [
        other for other in groups if supercell_index(cell, other.unit_cell) or supercell_index(other.unit_cell, cell)
    ]
    return {name for other in relatives for name in other.cells}.union(group.cells)


def sub_lattices(group: LatticeGroup, others: Sequence[LatticeGroup]) -> list[LatticeGroup]:
    """Those of other groups of which ``group`` is a supercell, the smallest volume first."""
    smaller = [other for other in others if (supercell_index(other.unit_cell, group.unit_cell) or 1) > 1]
    return sorted(smaller, key=lambda other: volume_A3(other.unit_cell))
