"""Miller indices: the asymmetric unit, unique reflections, reindexing, resolution, and packing into integers.

Indices are integers `[n, 3]`. Friedel mates are one reflection everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from cctbx import crystal, miller, sgtbx, uctbx
from cctbx.array_family import flex

from iota.crystallography.cells import Floats, checked_cell

Ints = npt.NDArray[np.integer[Any]]
Ints64 = npt.NDArray[np.int64]

_BITS = 21  # of a packed index, so that three fill 63 bits
_OFFSET = 1 << (_BITS - 1)


def hkl_from_flex(indices: Any) -> npt.NDArray[np.int32]:
    """Miller indices of cctbx as an array, `[n, 3]`."""
    hkl: npt.NDArray[np.int32] = indices.as_vec3_double().as_double().as_numpy_array().astype(np.int32)
    return hkl.reshape(-1, 3)


def flex_from_hkl(hkl: Ints) -> Any:
    """Miller indices `[n, 3]` as an array of cctbx."""
    columns = np.asarray(hkl).reshape(-1, 3).T
    return flex.miller_index(*(flex.int(np.ascontiguousarray(column, dtype=np.intc)) for column in columns))


def packed_from_hkl(hkl: Ints) -> Ints64:
    """One integer for each index `[n, 3]`, in the same order as the indices: `[n]`.

    Raises:
        ValueError: an index is not between -1,048,576 and 1,048,575.
    """
    shifted = np.asarray(hkl).astype(np.int64) + _OFFSET
    if shifted.size and (shifted.min() < 0 or shifted.max() >= 2 * _OFFSET):
        raise ValueError("A Miller index is beyond a million, which no crystal has.")
    packed: Ints64 = (shifted[:, 0] << (2 * _BITS)) | (shifted[:, 1] << _BITS) | shifted[:, 2]
    return packed


def hkl_from_packed(packed: Ints64) -> Ints64:
    """The indices `[n, 3]` that were packed by :func:`packed_from_hkl`."""
    mask = 2 * _OFFSET - 1
    shifted: Ints64 = np.stack([packed >> (2 * _BITS), (packed >> _BITS) & mask, packed & mask], axis=1)
    return np.asarray(shifted - _OFFSET)


def positions_of(packed: Ints64, among: Ints64) -> npt.NDArray[np.intp]:
    """Where packed indices `[n]` are in an array of sorted ones `[m]`, -1 for those that are not: `[n]`."""
    if not len(among):
        return np.full(len(packed), -1, dtype=np.intp)
    places = np.minimum(np.searchsorted(among, packed), len(among) - 1)
    found: npt.NDArray[np.intp] = np.where(among[places] == packed, places, -1)
    return found


def hkl_in_asymmetric_unit(hkl: Ints, space_group: str | Any) -> npt.NDArray[np.int32]:
    """The equivalent of each index `[n, 3]` in the asymmetric unit of a space group, `[n, 3]`.

    Args:
        hkl: Miller indices.
        space_group: a symbol, or a space group of cctbx.
    """
    mapped = flex_from_hkl(hkl)
    miller.map_to_asu(_group(space_group).type(), False, mapped)
    return hkl_from_flex(mapped)


def are_absent(hkl: Ints, group: Any) -> npt.NDArray[np.bool_]:
    """Whether indices `[n, 3]` are systematically absent in a space group of cctbx, `[n]`."""
    return np.asarray(group.is_sys_absent(flex_from_hkl(hkl)).as_numpy_array(), dtype=bool)


def reciprocal_metric(cell: Sequence[float]) -> Floats:
    """Metric tensor of the reciprocal lattice (1/A^2), `[3, 3]`."""
    xx, yy, zz, xy, xz, yz = uctbx.unit_cell(checked_cell(cell)).reciprocal_metrical_matrix()
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def d_spacings_A(hkl: Ints, cell: Sequence[float]) -> Floats:
    """Resolution of indices `[n, 3]` (A), `[n]`; infinite for 0 0 0."""
    squares = np.einsum("ni,ij,nj->n", hkl, reciprocal_metric(cell), hkl, optimize=True)
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / np.sqrt(np.maximum(squares, 0.0)))


def possible_reflections(
    cell: Sequence[float], space_group: str | Any, d_min_A: float
) -> tuple[npt.NDArray[np.int32], Floats]:
    """All unique reflections that are not absent, to a resolution: their indices `[n, 3]`, and resolution (A) `[n]`.

    Args:
        cell: in the setting of the space group.
        space_group: a symbol, or a space group of cctbx.
        d_min_A: highest resolution (A).

    Raises:
        ParameterError: no crystal can have this cell.
    """
    symmetry = crystal.symmetry(
        unit_cell=checked_cell(cell), space_group=_group(space_group), assert_is_compatible_unit_cell=False
    )
    possible = miller.build_set(symmetry, anomalous_flag=False, d_min=d_min_A)
    return hkl_from_flex(possible.indices()), possible.d_spacings().data().as_numpy_array()


def _group(space_group: str | Any) -> Any:
    return sgtbx.space_group_info(space_group).group() if isinstance(space_group, str) else space_group


class UniqueReflections(NamedTuple):
    """The possible reflections of a crystal, and which of them given indices are."""

    hkl: npt.NDArray[np.int32]  # in the asymmetric unit, `[n, 3]`
    d_A: Floats  # `[n]`
    numbers: npt.NDArray[np.intp]  # of the given indices; -1: absent, or beyond the resolution; `[m]`


def unique_reflections(cell: Sequence[float], space_group: str, d_min_A: float, hkl: Ints) -> UniqueReflections:
    """All unique reflections that are not absent, to a resolution, and which of them given indices are.

    Args:
        cell: in the setting of the space group (A, degrees).
        space_group: Hermann-Mauguin symbol.
        d_min_A: highest resolution (A).
        hkl: Miller indices, `[m, 3]`.

    Raises:
        ParameterError: no crystal can have this cell.
        ValueError: an index is beyond a million.
    """
    unique, d_A = possible_reflections(cell, space_group, d_min_A)
    packed = packed_from_hkl(unique)
    order = np.argsort(packed)
    places = positions_of(packed_from_hkl(hkl_in_asymmetric_unit(hkl, space_group)), packed[order])
    return UniqueReflections(unique, d_A, np.where(places >= 0, order[places], -1) if len(order) else places)


def reindexed(hkl: Ints, operator: str) -> npt.NDArray[np.int32]:
    """Miller indices `[n, 3]` after a reindexing operator, given as ``y,x,-z``, `[n, 3]`."""
    return hkl_from_flex(sgtbx.change_of_basis_op(operator).apply(flex_from_hkl(hkl)))
