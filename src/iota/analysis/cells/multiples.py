"""Recognises supercells and subcells of small index.

Without a known cell, many frames are indexed with a multiple or a fraction of the true cell.  Each of these cells
supports the true lattice as much as itself: the true lattice is the one of which most cells are multiples or
fractions, whereas a multiple of it has few other relatives.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iota.crystallography.cells import Cell, Floats, metric_tensors
from iota.crystallography.multiples import hermite_matrices
from iota.crystallography.vonorms import relative_positions, sorted_vonorms

MAX_INDEX = 4
_TOLERANCE = (0.004, 0.03)  # relative; of relatives, the smallest and the largest
_SPREADS = 2.0  # the same in spreads of the lattice: of 10,000 cells with normal errors five are farther
_DECOYS = 4  # lattices unrelated to any cell, to estimate chance
_STRAIN = 0.07  # of a decoy: beyond all tolerances, in surroundings that are still the same
_SEED = 1057


def relatives(metric: Floats) -> Floats:
    """Positions of all super- and sublattices of index 2 to 4 of a lattice, each distinct one once, `[m, 7]`.

    Args:
        metric: metric tensor of its primitive cell (A^2), `[3, 3]`.
    """
    larger = np.concatenate([np.array(hermite_matrices(index)) for index in range(2, MAX_INDEX + 1)])
    both = np.concatenate([larger.astype(np.float64), np.linalg.inv(larger).transpose(0, 2, 1)])
    positions = relative_positions(sorted_vonorms(both @ metric @ both.transpose(0, 2, 1)))
    _, first = np.unique(np.round(positions, 4), axis=0, return_index=True)
    found: Floats = positions[first]
    return found


class CellTree:
    """Cells among which relatives of lattices are looked up."""

    def __init__(self, positions: Floats) -> None:
        """Take relative positions (:func:`iota.crystallography.vonorms.relative_positions`), `[n, 7]`."""
        from scipy.spatial import cKDTree

        self._tree = cKDTree(positions)

    def multiples(self, cell: Cell, spread: float) -> npt.NDArray[np.intp]:
        """Indices of the cells that are super- or sublattices of a lattice.

        Args:
            cell: its primitive cell (A, degrees).
            spread: relative, of the cells that are the lattice itself.
        """
        return self._near(relatives(metric_tensors(cell)[0]), spread)

    def by_chance(self, cell: Cell, spread: float) -> float:
        """Number of cells expected to be relatives of such a lattice by chance.

        The mean over lattices strained by several per cent, with the same density of cells but no crystal.
        """
        rng = np.random.default_rng(_SEED)
        metric, counts = metric_tensors(cell)[0], []
        for _ in range(_DECOYS):
            strain = rng.normal(size=(3, 3))
            strain = np.eye(3) + 2 * _STRAIN * (strain + strain.T) / np.linalg.norm(strain + strain.T)
            counts.append(len(self._near(relatives(strain @ metric @ strain), spread)))
        return float(np.mean(counts))

    def _near(self, positions: Floats, spread: float) -> npt.NDArray[np.intp]:
        reach = float(np.clip(_SPREADS * spread, *_TOLERANCE))
        found = [np.array(near, dtype=np.intp) for near in self._tree.query_ball_point(positions, reach)]
        numbers: npt.NDArray[np.intp] = np.unique(np.concatenate(found))
        return numbers
