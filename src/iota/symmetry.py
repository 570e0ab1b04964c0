"""Unit cells, lattices, space groups, indexing ambiguities and Miller indices, via cctbx.

A cell is six numbers, a b c (A) alpha beta gamma (degrees).  Niggli reduction jumps between equivalent settings when
parameters are noisy, so cells are compared through the unimodular transformations between them, never by their
parameters alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from cctbx import crystal, miller, sgtbx, uctbx
from cctbx.array_family import flex
from cctbx.sgtbx import bravais_types, cosets, lattice_symmetry

from iota.errors import ParameterError

Cell = tuple[float, float, float, float, float, float]

LENGTH_TOLERANCE = 0.03  # relative; two frames of one crystal form
ANGLE_TOLERANCE_DEG = 2.5


class Symmetry(NamedTuple):
    """A lattice's conventional cell with the highest space group its metric allows."""

    unit_cell: Cell
    space_group: str  # Hermann-Mauguin, without screw axes, e.g. "P 4 2 2"
    bravais: str  # e.g. "tP"
    distortion_deg: float  # largest deviation of the given cell from this symmetry (Le Page)


def cell_from_text(text: str) -> Cell:
    """Read six numbers separated by blanks or commas.

    Raises:
        ParameterError: not six numbers, or no cell can have them.
    """
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
        if len(numbers) != 6:
            raise ValueError
        return _as_cell(uctbx.unit_cell(numbers))
    except (ValueError, RuntimeError) as error:
        raise ParameterError(
            f"{text!r} is not a unit cell: six numbers are needed, a b c in Angstrom and three angles in degrees."
        ) from error


def cell_text(cell: Sequence[float], digits: int = 2) -> str:
    """Write a cell as people do, e.g. ``58.40 58.40 152.20 90.00 90.00 90.00``."""
    return " ".join(f"{value:.{digits}f}" for value in cell)


def _as_cell(unit_cell: Any) -> Cell:
    a, b, c, alpha, beta, gamma = (float(value) for value in unit_cell.parameters())
    return (a, b, c, alpha, beta, gamma)


def volume(cell: Sequence[float]) -> float:
    """Volume of a cell (A^3)."""
    return float(uctbx.unit_cell(tuple(cell)).volume())


def asymmetric_unit_volume(cell: Sequence[float], space_group: str) -> float:
    """Volume of the asymmetric unit (A^3)."""
    return volume(cell) / int(sgtbx.space_group_info(space_group).group().order_z())


def primitive_niggli(cell: Sequence[float], space_group: str = "P 1") -> Cell:
    """Niggli cell of the primitive lattice of a cell in a possibly centred space group."""
    symmetry = crystal.symmetry(
        unit_cell=tuple(cell), space_group_symbol=space_group, assert_is_compatible_unit_cell=False
    )
    return _as_cell(symmetry.primitive_setting().unit_cell().niggli_cell())


@lru_cache(maxsize=64)
def primitive_basis(space_group: str) -> npt.NDArray[np.float64]:
    """Vectors of a primitive basis in the basis of the conventional cell, by columns, `[3, 3]`."""
    to_primitive = sgtbx.space_group_info(space_group).group().z2p_op()
    return np.array(to_primitive.c_inv().r().as_double(), dtype=float).reshape(3, 3)


def setting_like(
    reference: Sequence[float],
    niggli: Sequence[float],
    length_tolerance: float = LENGTH_TOLERANCE,
    angle_tolerance_deg: float = ANGLE_TOLERANCE_DEG,
) -> Cell | None:
    """The equivalent setting of a primitive cell that lies closest to the reference; None when the lattices differ.

    The tolerances hold for each length (relative) and each angle (degrees).
    """
    if abs(volume(niggli) / volume(reference) - 1.0) > 3.5 * length_tolerance:
        return None
    flipped = [c for c in _sign_changes(niggli) if _is_near(c, reference, length_tolerance, angle_tolerance_deg)]
    if flipped:  # nearly always; the search below takes 4 ms
        return min(flipped, key=lambda cell: _distance(cell, reference))
    other, wanted = uctbx.unit_cell(tuple(niggli)), uctbx.unit_cell(tuple(reference))
    operations = wanted.similarity_transformations(other, length_tolerance, angle_tolerance_deg, 1)
    candidates = [_as_cell(other.change_basis(operation)) for operation in operations]
    return min(candidates, key=lambda cell: _distance(cell, reference), default=None)


def _sign_changes(cell: Sequence[float]) -> list[Cell]:
    """Four settings of one lattice that differ in the signs of their axes."""
    a, b, c, alpha, beta, gamma = cell
    return [
        (a, b, c, alpha, beta, gamma),
        (a, b, c, alpha, 180 - beta, 180 - gamma),
        (a, b, c, 180 - alpha, beta, 180 - gamma),
        (a, b, c, 180 - alpha, 180 - beta, gamma),
    ]


def _is_near(cell: Cell, reference: Sequence[float], length_tolerance: float, angle_tolerance_deg: float) -> bool:
    return all(abs(x / y - 1.0) <= length_tolerance for x, y in zip(cell[:3], reference[:3], strict=True)) and all(
        abs(x - y) <= angle_tolerance_deg for x, y in zip(cell[3:], reference[3:], strict=True)
    )


def _distance(cell: Sequence[float], reference: Sequence[float]) -> float:
    lengths = [abs(x / y - 1.0) for x, y in zip(cell[:3], reference[:3], strict=True)]
    angles = [abs(x - y) / 180.0 for x, y in zip(cell[3:], reference[3:], strict=True)]
    return sum(lengths) + sum(angles)


def same_lattice(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether two primitive cells describe one lattice within the tolerances of one crystal form."""
    return setting_like(first, second) is not None


def median_cell(cells: Sequence[Sequence[float]] | npt.NDArray[np.float64]) -> Cell:
    """Median of each parameter of cells in one setting, `[n, 6]`."""
    a, b, c, alpha, beta, gamma = (float(value) for value in np.median(np.asarray(cells, dtype=float), axis=0))
    return (a, b, c, alpha, beta, gamma)


def symmetries(cell: Sequence[float], max_distortion_deg: float = 2.5) -> list[Symmetry]:
    """Symmetries that the metric of a primitive cell allows, the highest first, P 1 last.

    Source: Le Page, J. Appl. Cryst. (1982) 15, 255; metric subgroups of cctbx.
    """
    groups = lattice_symmetry.metric_subgroups(
        crystal.symmetry(unit_cell=tuple(cell), space_group_symbol="P1"),
        max_delta=max_distortion_deg,
        enforce_max_delta_for_generated_two_folds=True,
    )
    found = []
    for group in groups.result_groups:
        best = group["best_subsym"]
        space_group = best.space_group().build_derived_acentric_group()
        found.append(
            Symmetry(
                _as_cell(best.unit_cell()),
                str(sgtbx.space_group_info(group=space_group)),
                str(bravais_types.bravais_lattice(group=space_group)),
                float(group["max_angular_difference"]),
            )
        )
    return found


def unique_reflections(
    cell: Sequence[float], space_group: str, d_min_A: float, hkl: npt.NDArray[np.integer[Any]]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """All unique reflections that are not absent, Friedel mates as one, and which of them given indices are.

    Returns:
        Miller indices in the asymmetric unit `[n, 3]`, their resolution (A) `[n]`, and for each of ``hkl`` `[m, 3]` the
        number of its unique reflection, -1 where it is absent or beyond the resolution, `[m]`.
    """
    symmetry = crystal.symmetry(
        unit_cell=tuple(cell), space_group_symbol=space_group, assert_is_compatible_unit_cell=False
    )
    possible = miller.build_set(symmetry, anomalous_flag=False, d_min=d_min_A)
    unique = possible.indices().as_vec3_double().as_double().as_numpy_array().reshape(-1, 3).astype(np.int32)
    d_A = possible.d_spacings().data().as_numpy_array()
    given = flex.miller_index(*(flex.int(np.ascontiguousarray(column, dtype=np.int32)) for column in np.asarray(hkl).T))
    miller.map_to_asu(symmetry.space_group().type(), False, given)
    mapped = given.as_vec3_double().as_double().as_numpy_array().reshape(-1, 3).astype(np.int64)
    reach = int(max(np.abs(unique).max(initial=0), np.abs(mapped).max(initial=0))) + 1
    keys, wanted = (
        ((x + reach) @ np.array([4 * reach * reach, 2 * reach, 1])) for x in (unique.astype(np.int64), mapped)
    )
    order = np.argsort(keys)
    place = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    return unique, d_A, np.where(keys[order][place] == wanted, order[place], -1)


@lru_cache(maxsize=1000)
def is_space_group(symbol: str) -> bool:
    """Whether a symbol is that of a space group."""
    try:
        sgtbx.space_group_info(symbol)
    except RuntimeError:
        return False
    return True


def bravais_symbol(space_group: str) -> str:
    """Bravais symbol of a space group, e.g. ``tP``; ``hR`` in both settings of rhombohedral groups."""
    info = sgtbx.space_group_info(space_group)
    if info.group().match_tabulated_settings().extension() == "R":
        info = info.reference_setting()
    return str(bravais_types.bravais_lattice(group=info.group()))


def in_setting_of(cell: Sequence[float], space_group: str, other: str) -> Cell | None:
    """A conventional cell in the setting of another space group; None where that has another Bravais lattice."""
    infos = [sgtbx.space_group_info(symbol) for symbol in (space_group, other)]
    to_reference = [info.change_of_basis_op_to_reference_setting() for info in infos]
    one, two = (bravais_types.bravais_lattice(group=info.reference_setting().group()) for info in infos)
    if one != two:
        return None
    return _as_cell(uctbx.unit_cell(tuple(cell)).change_basis(to_reference[1].inverse() * to_reference[0]))


def crystal_system(space_group: str) -> str:
    """Crystal system of a space group, e.g. ``Tetragonal``."""
    return str(sgtbx.space_group_info(space_group).group().crystal_system())


_GENERIC = (10.0, 11.3, 12.9, 81.0, 93.0, 104.0)  # a cell that has no symmetry


def cell_problem(cell: Sequence[float], space_group: str) -> str | None:
    """A sentence if the cell is incompatible with the space group (beyond 1 % and 1 degree); None if it is compatible.

    It gives the constraints of the space group in its setting, and the same lattice with axes that would fit.
    """
    info = sgtbx.space_group_info(space_group)
    if info.group().is_compatible_unit_cell(uctbx.unit_cell(tuple(cell))):
        return None
    rule = _cell_rule(info.group())
    said = f"The cell {_short(cell)} does not fit {info}{f', which needs {rule}' if rule else ''}."
    axes, symbol = _other_axes(cell, info), _other_setting(cell, info)
    if axes:
        said += f" The cell {' or '.join(_short(other) for other in axes)} would fit."
    return f"{said} With {symbol} the cell would fit as it is." if symbol else said


def _short(cell: Sequence[float]) -> str:
    return " ".join(f"{round(value, 2):g}" for value in cell)


def _cell_rule(group: Any) -> str:
    """The constraints of a space group on a cell in its setting, such as ``a = b and α = β = 90°, γ = 120°``."""
    a, b, c, alpha, beta, gamma = _as_cell(group.average_unit_cell(uctbx.unit_cell(_GENERIC)))
    rules = _equal({"a": a, "b": b, "c": c})
    angles = {"α": alpha, "β": beta, "γ": gamma}
    for fixed in (90, 120):
        names = [name for name, angle in angles.items() if abs(angle - fixed) < 1e-3]
        rules += [f"{' = '.join(names)} = {fixed}°"] if names else []
        angles = {name: angle for name, angle in angles.items() if name not in names}
    rules += _equal(angles)
    return " and ".join([", ".join(rules[:-1]), rules[-1]] if len(rules) > 1 else rules)


def _equal(values: dict[str, float]) -> list[str]:
    """Those of the named values that are equal, as ``a = b``; each named once."""
    groups: list[list[str]] = []
    for name, value in values.items():
        same = next((group for group in groups if abs(values[group[0]] - value) < 1e-3), None)
        if same is None:
            groups.append([name])
        else:
            same.append(name)
    return [" = ".join(group) for group in groups if len(group) > 1]


def _other_setting(cell: Sequence[float], info: Any) -> str | None:
    """The symbol of a rhombohedral group in its other setting where the cell is of that, such as ``R 3 :R``."""
    setting = info.group().match_tabulated_settings()
    if setting.extension() not in ("H", "R"):
        return None
    other = sgtbx.space_group_info(f"{setting.hermann_mauguin()} :{'R' if setting.extension() == 'H' else 'H'}")
    return str(other) if other.group().is_compatible_unit_cell(uctbx.unit_cell(tuple(cell))) else None


_MOST_CHOICES = 2  # of axes that are named


def _other_axes(cell: Sequence[float], info: Any) -> list[Cell]:
    """The same lattice in axes that fit: in another order, or turned from rhombohedral ones or the usual setting."""
    found: list[Cell] = []
    given = tuple(cell)
    orders = [(*(given[k] for k in order), *(given[3 + k] for k in order)) for order in permutations(range(3))]
    to_others = (info.change_of_basis_op_to_primitive_setting(), info.change_of_basis_op_to_reference_setting())
    turned = [uctbx.unit_cell(given).change_basis(to_other.inverse()) for to_other in to_others]
    for candidate in [*(uctbx.unit_cell(order) for order in orders), *turned]:
        if info.group().is_compatible_unit_cell(candidate):
            fitting = _as_cell(candidate)
            if not any(np.allclose(fitting, other, rtol=0.01) for other in found):
                found.append(fitting)
    return found[:_MOST_CHOICES]


def point_group(space_group: str) -> str:
    """Point group of a space group, e.g. ``P 4 2 2`` for P 43 21 2 and for I 4 2 2."""
    group = sgtbx.space_group_info(space_group).group().build_derived_point_group()
    return str(sgtbx.space_group_info(group=group))


def without_screw_axes(space_group: str) -> str:
    """Space group with rotations in place of screw axes, in its setting and with its centring: ``I 4`` for I 41."""
    group = sgtbx.space_group_info(space_group).group().build_derived_reflection_intensity_group(anomalous_flag=True)
    return str(sgtbx.space_group_info(group=group))


def point_group_order(space_group: str) -> int:
    """Number of operations of the point group, without those of the lattice."""
    return int(sgtbx.space_group_info(space_group).group().order_p())


def indexing_ambiguities(cell: Sequence[float], space_group: str, max_distortion_deg: float = 1.0) -> list[str]:
    """Other ways to index a crystal that its cell cannot tell apart, such as ``y,x,-z``; none for most crystals.

    There are some where the lattice has a higher symmetry than the crystal, by its point group (as in P 4 or I 2 3) or
    because a cell happens to be that of a higher lattice. They are operators for :func:`reindexed`.
    """
    own = sgtbx.space_group_info(space_group).group().build_derived_patterson_group()
    symmetry = crystal.symmetry(unit_cell=tuple(cell), space_group=own, assert_is_compatible_unit_cell=False)
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
        found.append(min(ways, key=lambda way: (len(way), way)))  # all ways of a coset come to the same
    return found


def reindexed(hkl: npt.NDArray[np.integer[Any]], way: str) -> npt.NDArray[np.int32]:
    """Miller indices `[n, 3]` in another way of indexing, given as ``y,x,-z``."""
    given = flex.miller_index(*(flex.int(np.ascontiguousarray(column, dtype=np.int32)) for column in np.asarray(hkl).T))
    other = sgtbx.change_of_basis_op(way).apply(given)
    new: npt.NDArray[np.int32] = np.array(other.as_vec3_double().parts(), dtype=np.int32).T
    return new


@lru_cache(maxsize=8)
def hermite_matrices(index: int) -> tuple[npt.NDArray[np.int64], ...]:
    """All sublattices of an index as Hermite normal forms, each `[3, 3]` (Santoro & Mighell, Acta Cryst. A28, 284)."""
    found = []
    for p, q in product(range(1, index + 1), repeat=2):
        if index % (p * q):
            continue
        r = index // (p * q)
        for x, y, z in product(range(q), range(r), range(r)):
            found.append(np.array([[p, x, y], [0, q, z], [0, 0, r]]))
    return tuple(found)


def multiple_of(small: Sequence[float], large: Sequence[float], max_index: int = 4) -> int | None:
    """How many times ``large`` is the super-cell of ``small``; None when it is not, 1 when both are one lattice.

    Both are primitive cells.  Indices up to ``max_index`` are looked for.
    """
    ratio = volume(large) / volume(small)
    index = round(ratio)
    if not 1 <= index <= max_index or abs(ratio / index - 1.0) > 3.5 * LENGTH_TOLERANCE:
        return None
    rows = np.array(uctbx.unit_cell(tuple(small)).orthogonalization_matrix()).reshape(3, 3).T  # basis vectors by rows
    for matrix in hermite_matrices(index):
        if same_lattice(_niggli_of_basis(matrix @ rows), primitive_niggli(large)):
            return index
    return None


def _niggli_of_basis(rows: npt.NDArray[np.float64]) -> Cell:
    lengths = np.linalg.norm(rows, axis=1)
    unit = rows / lengths[:, None]
    angles = np.degrees(np.arccos(np.clip([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]], -1, 1)))
    return _as_cell(uctbx.unit_cell((*lengths, *angles)).niggli_cell())


def true_sublattice(
    miller_indices: npt.NDArray[np.int64], cell: Sequence[float], max_share: float = 0.12, max_index: int = 3
) -> tuple[Cell, int]:
    """Reduce the cell of an indexed frame when its indices show that it is a multiple of the true one.

    In a super-cell of index n the indices of all true reflections obey a congruence, p.h = 0 (mod n); of n classes all
    but one stay empty, apart from the odd spot that fits by accident.

    Args:
        miller_indices: indices of the spots, `[n_spots, 3]`.
        cell: primitive cell in which they were indexed.
        max_share: largest share of spots that may lie in the classes that a super-cell leaves empty.
        max_index: largest multiple that is looked for at a time; reduction goes on until none is found.

    Returns:
        The Niggli cell of the true lattice, and the volume multiple that was taken out (1 when none).
    """
    rows = np.array(uctbx.unit_cell(tuple(cell)).orthogonalization_matrix()).reshape(3, 3).T
    hkl = np.asarray(miller_indices, dtype=np.int64)
    total = 1
    while len(hkl) >= 20:
        for n in range(max_index, 1, -1):
            plane = next((p for p in _congruences(n) if np.mean((hkl @ p) % n != 0) <= max_share), None)
            if plane is not None:
                # direct vectors of the finer lattice: rows plus their combination plane/n
                finer = np.vstack([rows, (plane @ rows) / n])
                rows_new = _basis_of(finer, volume_of=abs(np.linalg.det(rows)) / n)
                kept = (hkl @ plane) % n == 0
                hkl = np.rint(hkl[kept] @ np.linalg.inv(rows).T @ rows_new.T).astype(np.int64)
                rows, total = rows_new, total * n
                break
        else:
            break
    return _niggli_of_basis(rows), total


@lru_cache(maxsize=4)
def _congruences(n: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Vectors p modulo n, one for each sublattice p.h = 0 (mod n) of prime index n, each `[3]`."""
    vectors = []
    for p in product(range(n), repeat=3):
        leading = next((x for x in p if x), 0)
        if leading == 1:  # the others are multiples of one of these
            vectors.append(np.array(p))
    return tuple(vectors)


def _basis_of(vectors: npt.NDArray[np.float64], volume_of: float) -> npt.NDArray[np.float64]:
    """Three of four vectors that span the lattice they generate, `[3, 3]` by rows, of the given volume (A^3)."""
    best = min(
        (np.delete(vectors, k, axis=0) for k in range(len(vectors))),
        key=lambda rows: abs(abs(np.linalg.det(rows)) - volume_of),
    )
    return np.asarray(best)
