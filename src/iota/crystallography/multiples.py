"""Supercells and subcells: lattices whose volume is an integer multiple, or fraction, of that of another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from iota.crystallography.cells import Cell, Floats, basis_from_cell, checked_cell, volume_A3
from iota.crystallography.lattices import is_same_lattice, niggli_cell, niggli_cell_of_basis
from iota.crystallography.nearness import ONE_LATTICE

Ints = npt.NDArray[np.int64]

_MIN_SPOTS = 20  # of fewer no multiple is believed


@lru_cache(maxsize=8)
def hermite_matrices(index: int) -> tuple[Ints, ...]:
    """All sublattices of an index as Hermite normal forms, each `[3, 3]` (Santoro & Mighell, Acta Cryst. A28, 284)."""
    found = []
    for p, q in product(range(1, index + 1), repeat=2):
        if index % (p * q):
            continue
        r = index // (p * q)
        for x, y, z in product(range(q), range(r), range(r)):
            found.append(np.array([[p, x, y], [0, q, z], [0, 0, r]]))
    return tuple(found)


def supercell_index(small: Sequence[float], large: Sequence[float], max_index: int = 4) -> int | None:
    """Volume of ``large`` over that of ``small``, if it is a supercell (1: the same lattice); None if it is not.

    Args:
        small: primitive cell.
        large: primitive cell.
        max_index: largest index that is looked for.

    Raises:
        ParameterError: no crystal can have one of the cells.
    """
    small, large = checked_cell(small), checked_cell(large)
    ratio = volume_A3(large) / volume_A3(small)
    index = round(ratio)
    if not 1 <= index <= max_index or abs(ratio / index - 1.0) > ONE_LATTICE.volume:
        return None
    rows, wanted = basis_from_cell(small), niggli_cell(large)
    if any(is_same_lattice(wanted, niggli_cell_of_basis(matrix @ rows)) for matrix in hermite_matrices(index)):
        return index
    return None


def true_cell_from_indices(
    hkl: Ints, cell: Sequence[float], max_fraction: float = 0.12, max_index: int = 3
) -> tuple[Cell, int]:
    """Reduce the cell of an indexed frame if its indices show that it is a multiple of the true one.

    In a supercell of index n the indices of all true reflections obey a congruence, p.h = 0 (mod n); of n classes all
    but one stay empty, apart from the odd spot that fits by accident.

    Args:
        hkl: indices of the spots, `[n_spots, 3]`.
        cell: primitive cell in which they were indexed.
        max_fraction: largest fraction of spots that may lie in the classes that a supercell leaves empty.
        max_index: largest multiple that is looked for at a time; reduction goes on until none is found.

    Returns:
        The Niggli cell of the true lattice, and the volume multiple that was taken out (1 if none).

    Raises:
        ParameterError: no crystal can have this cell.
    """
    rows = basis_from_cell(checked_cell(cell))
    hkl = np.asarray(hkl, dtype=np.int64)
    total = 1
    while len(hkl) >= _MIN_SPOTS:
        for n in range(max_index, 1, -1):
            plane = next((p for p in _congruences(n) if np.mean((hkl @ p) % n != 0) <= max_fraction), None)
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
    return niggli_cell_of_basis(rows), total


@lru_cache(maxsize=4)
def _congruences(n: int) -> tuple[Ints, ...]:
    """Vectors p modulo n, one for each sublattice p.h = 0 (mod n) of prime index n, each `[3]`."""
    vectors = []
    for p in product(range(n), repeat=3):
        leading = next((x for x in p if x), 0)
        if leading == 1:  # the others are multiples of one of these
            vectors.append(np.array(p))
    return tuple(vectors)


def _basis_of(vectors: Floats, volume_of: float) -> Floats:
    """Three of four vectors that span the lattice they generate, `[3, 3]` by rows, of the given volume (A^3)."""
    best = min(
        (np.delete(vectors, k, axis=0) for k in range(len(vectors))),
        key=lambda rows: abs(abs(np.linalg.det(rows)) - volume_of),
    )
    return np.asarray(best)
