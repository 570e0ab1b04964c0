"""Symmetries that a cell allows, its setting in another space group, and the indexing ambiguities that follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cctbx import crystal, sgtbx, uctbx
from cctbx.sgtbx import bravais_types, cosets, lattice_symmetry

from iota.crystallography.cells import Cell, as_cell, checked_cell

FRAME_DISTORTION_DEG = 2.5  # by which the cell of a single frame may deviate from a symmetry
MEDIAN_DISTORTION_DEG = 0.5  # the same of a median cell
_AMBIGUITY_DISTORTION_DEG = 1.0  # the same where indexing cannot distinguish two orientations


class Symmetry(NamedTuple):
    """A lattice's conventional cell with the highest space group its metric allows."""

    unit_cell: Cell
    space_group: str  # Hermann-Mauguin, without screw axes, e.g. "P 4 2 2"
    bravais: str  # e.g. "tP"
    distortion_deg: float  # largest deviation of the given cell from this symmetry (Le Page)


def metric_symmetries(cell: Sequence[float], max_distortion_deg: float = FRAME_DISTORTION_DEG) -> list[Symmetry]:
    """Symmetries that the metric of a reduced primitive cell allows, the highest first, P 1 last.

    Source: Le Page, J. Appl. Cryst. (1982) 15, 255; metric subgroups of cctbx.

    Raises:
        ParameterError: no crystal can have this cell.
    """
    groups = lattice_symmetry.metric_subgroups(
        crystal.symmetry(unit_cell=checked_cell(cell), space_group_symbol="P1"),
        max_delta=max_distortion_deg,
        enforce_max_delta_for_generated_two_folds=True,
    )
    found = []
    for group in groups.result_groups:
        best = group["best_subsym"]
        space_group = best.space_group().build_derived_acentric_group()
        found.append(
            Symmetry(
                as_cell(best.unit_cell().parameters()),
                str(sgtbx.space_group_info(group=space_group)),
                str(bravais_types.bravais_lattice(group=space_group)),
                float(group["max_angular_difference"]),
            )
        )
    return found


def cell_in_setting_of(cell: Sequence[float], space_group: str, other: str) -> Cell | None:
    """A conventional cell in the setting of another space group; None if that has another Bravais lattice."""
    infos = [sgtbx.space_group_info(symbol) for symbol in (space_group, other)]
    to_reference = [info.change_of_basis_op_to_reference_setting() for info in infos]
    one, two = (bravais_types.bravais_lattice(group=info.reference_setting().group()) for info in infos)
    if one != two:
        return None
    change = to_reference[1].inverse() * to_reference[0]
    return as_cell(uctbx.unit_cell(checked_cell(cell)).change_basis(change).parameters())


def indexing_ambiguities(
    cell: Sequence[float], space_group: str, max_distortion_deg: float = _AMBIGUITY_DISTORTION_DEG
) -> list[str]:
    """Reindexing operators, such as ``y,x,-z``, between orientations that a cell cannot distinguish; often empty.

    There are some where the lattice has a higher symmetry than the crystal, by its point group (as in P 4 or I 2 3) or
    because a cell happens to be that of a higher lattice. They are operators for
    :func:`iota.crystallography.indices.reindexed`.
    """
    own = sgtbx.space_group_info(space_group).group().build_derived_patterson_group()
    symmetry = crystal.symmetry(unit_cell=checked_cell(cell), space_group=own, assert_is_compatible_unit_cell=False)
    to_niggli = symmetry.change_of_basis_op_to_niggli_cell()
    niggli = symmetry.change_basis(to_niggli)
    lattice = lattice_symmetry.group(niggli.unit_cell(), max_delta=max_distortion_deg)
    lattice.expand_inv(sgtbx.tr_vec((0, 0, 0)))
    mine = niggli.space_group().build_derived_laue_group()
    decomposition = cosets.left_decomposition_point_groups_only(g=lattice, h=mine)
    found = []
    for partition in decomposition.partitions[1:]:
        # inverses, because g H is what is here and what operates after reindexing is H
        ways = [str(to_niggli.inverse().apply(x.inverse()).as_xyz()) for x in partition if x.r().determinant() > 0]
        found.append(min(ways, key=lambda way: (len(way), way)))  # all operators of a coset are equivalent
    return found
