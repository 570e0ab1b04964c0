"""Cells as lattices: reduction, whether two are the same lattice, and the setting that is closest to another cell.

Niggli reduction switches between equivalent settings if parameters are noisy, so cells are compared using the
unimodular transformations between them, never by their parameters alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import permutations

import numpy as np
from cctbx import sgtbx, uctbx

from iota.crystallography.cells import Cell, Floats, as_cell, basis_from_cell, cell_from_basis, checked_cell, volume_A3
from iota.crystallography.nearness import ONE_LATTICE, Tolerance, are_near, is_near, squared_distances

_SHORTER = 1.0 - 1e-9  # a vector is replaced by one whose squared length is less than this times its own
_MAX_STEPS = 1000  # of shortening; some ten are enough, as each about halves a vector


def niggli_cell(cell: Sequence[float], space_group: str = "P 1") -> Cell:
    """Niggli cell of the primitive lattice of a cell in a possibly centred space group.

    Raises:
        ParameterError: no crystal can have this cell; see :func:`iota.crystallography.cells.is_possible_cell`.
    """
    return niggli_cell_of_basis(primitive_basis(space_group).T @ basis_from_cell(checked_cell(cell)))


def niggli_cell_of_basis(rows: Floats) -> Cell:
    """Niggli cell of the lattice of three basis vectors (A), `[3, 3]` by rows.

    Source: Krivy & Gruber, Acta Cryst. (1976) A32, 297, in cctbx. Its steps are as many as the ratio of the axes and
    it gives up after 1000, so that it is given short vectors.
    """
    return as_cell(uctbx.unit_cell(cell_from_basis(_short_basis(rows))).niggli_cell().parameters())


def _short_basis(rows: Floats) -> Floats:
    """The shortest vectors that span the lattice of a basis, `[3, 3]` by rows, the shortest first.

    Greedy reduction: the longest vector is replaced by its difference from the nearest lattice point in the plane of
    the other two (Semaev, Lect. Notes Comput. Sci. (2001) 2146, 181).
    """
    for _ in range(_MAX_STEPS):
        rows = rows[np.argsort(np.einsum("ij,ij->i", rows, rows), kind="stable")]
        (aa, ab, ac), (_, bb, bc), (_, _, cc) = (rows @ rows.T).tolist()
        times = round(ab / aa)
        if times and aa * times * times - 2 * times * ab < (_SHORTER - 1.0) * bb:
            rows = np.array([rows[0], rows[1] - times * rows[0], rows[2]])
            continue
        area = aa * bb - ab * ab
        u, v = math.floor((bb * ac - ab * bc) / area), math.floor((aa * bc - ab * ac) / area)
        points = np.array([[u, v], [u + 1, v], [u, v + 1], [u + 1, v + 1]]) @ rows[:2]  # one of them is the nearest
        squares = ((rows[2] - points) ** 2).sum(axis=1)
        best = int(np.argmin(squares))
        if squares[best] >= _SHORTER * cc:
            break
        rows = np.array([rows[0], rows[1], rows[2] - points[best]])
    return rows


@lru_cache(maxsize=64)
def primitive_basis(space_group: str) -> Floats:
    """Vectors of a primitive basis in the basis of the conventional cell, by columns, `[3, 3]`."""
    to_primitive = sgtbx.space_group_info(space_group).group().z2p_op()
    return np.array(to_primitive.c_inv().r().as_double(), dtype=float).reshape(3, 3)


def closest_setting(
    cell: Sequence[float], reference: Sequence[float], tolerance: Tolerance = ONE_LATTICE
) -> Cell | None:
    """The equivalent setting of a primitive cell that is closest to a primitive reference; None for another lattice.

    It is one lattice if volume, lengths and angles are within the tolerance. If they are with the axes in the order
    of the given cell, no other axes are looked for.

    Raises:
        ParameterError: no crystal can have one of the cells.
    """
    given, wanted = checked_cell(cell), checked_cell(reference)
    if abs(volume_A3(given) / volume_A3(wanted) - 1.0) > tolerance.volume:
        return None
    near = [setting for setting in _sign_changes(given) if is_near(setting, wanted, tolerance)]
    if not near:  # seldom; the search takes 4 ms
        other = uctbx.unit_cell(given)
        operations = uctbx.unit_cell(wanted).similarity_transformations(
            other, tolerance.length, tolerance.angle_deg, unimodular_generator_range=1
        )
        settings = [as_cell(other.change_basis(operation).parameters()) for operation in operations]
        near = [one for one in settings if is_near(one, wanted, tolerance)]  # cctbx divides by the longer of two axes
    if len(near) < 2:
        return near[0] if near else None
    return near[int(np.argmin(np.round(squared_distances(near, wanted), 15)))]  # of equal ones the first


def _sign_changes(cell: Cell) -> list[Cell]:
    """Four settings of one lattice that differ in the signs of their axes."""
    a, b, c, alpha, beta, gamma = cell
    return [
        (a, b, c, alpha, beta, gamma),
        (a, b, c, alpha, 180 - beta, 180 - gamma),
        (a, b, c, 180 - alpha, beta, 180 - gamma),
        (a, b, c, 180 - alpha, 180 - beta, gamma),
    ]


def is_same_lattice(cell: Sequence[float], reference: Sequence[float], tolerance: Tolerance = ONE_LATTICE) -> bool:
    """Whether two primitive cells describe one lattice within a tolerance; see :func:`closest_setting`."""
    return closest_setting(cell, reference, tolerance) is not None


def cells_in_one_setting(cells: Floats, bravais: str) -> Floats:
    """Cells of one lattice in the settings closest to their median; cells that no setting brings close are omitted.

    Args:
        cells: conventional cells of this Bravais type, `[n, 6]`, n > 0.
        bravais: Bravais symbol, which says what axes may be exchanged.

    Returns:
        Cells within :data:`~iota.crystallography.nearness.ONE_LATTICE` of the one nearest to the median, `[m, 6]`.
    """
    middle = np.median(cells, axis=0)
    reference = cells[np.argmin(squared_distances(cells, middle))]
    settings = np.stack(list(_exchanges(cells, bravais)))  # [n_settings, n, 6]
    best = np.argmin(squared_distances(settings, reference), axis=0)
    alike = settings[best, np.arange(len(cells))]
    found: Floats = alike[are_near(alike, reference, ONE_LATTICE)]
    return found


def _exchanges(cells: Floats, bravais: str) -> Iterable[Floats]:
    """Settings of one Bravais type that differ in the names and signs of axes, each `[n, 6]`."""
    exchanges: Iterable[tuple[int, ...]] = [(0, 1, 2)]
    signs: Iterable[tuple[int, ...]] = [()]
    if bravais == "aP":
        exchanges, signs = permutations(range(3)), [(), (1, 2), (0, 2), (0, 1)]
    elif bravais in ("oP", "oF", "oI"):
        exchanges = permutations(range(3))
    elif bravais == "mP":
        exchanges = [(0, 1, 2), (2, 1, 0)]
    for exchange in list(exchanges):
        columns = [*exchange, *(3 + k for k in exchange)]
        for reversed_angles in signs:
            setting = cells[:, columns]
            for k in reversed_angles:
                setting[:, 3 + k] = 180.0 - setting[:, 3 + k]
            yield setting
