"""Orientations and cells of many lattices: their parameters, and steps along them for all at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.geometry.prediction import Array, directions, metric_basis, rotations

Ints = npt.NDArray[np.integer[Any]]

N_PARAMETERS = 9  # six coefficients of the metric, unused ones stay zero, and three rotations
N_METRIC = 6


@dataclass(frozen=True)
class Crystals:
    """Crystals `[m]` and how they can change; get it from :func:`crystals_of`."""

    a_star: Array  # [m, 3, 3]
    basis: Array  # [m, 6, 3, 3] permitted changes of the metric, zero where there are fewer than six
    group: Ints  # [m] number of the shared cell, -1 for a cell of its own or one that is held
    n_groups: int

    @property
    def directions(self) -> Array:
        """Changes of the nine elements of A* along the parameters of each lattice, `[m, 9 parameters, 9]`."""
        return directions(self.a_star, self.basis).reshape(-1, N_PARAMETERS, 9)

    @property
    def is_own(self) -> npt.NDArray[np.bool_]:
        """Which parameters belong to one lattice only, `[m, 9]`."""
        own = np.ones((len(self.a_star), N_PARAMETERS), dtype=bool)
        own[self.group >= 0, :N_METRIC] = False
        return own

    def moved(self, steps: Array) -> Crystals:
        """Crystals after steps along their parameters, `[m, 9]`."""
        change = np.einsum("mk,mkij->mij", steps[:, :N_METRIC], self.basis)
        stretched = self.a_star + 0.5 * np.swapaxes(np.linalg.inv(self.a_star), 1, 2) @ change
        return replace(self, a_star=rotations(steps[:, N_METRIC:]) @ stretched)


def crystals_of(
    a_star: Array, cell_group: Ints, space_group: tuple[str, ...], n_spots: Ints, *, hold_cells: bool
) -> Crystals:
    """Crystals under the constraints of their space groups and with shared cells.

    Cells are first made to obey the symmetry; those that are shared become their median.

    Args:
        a_star: `[m, 3, 3]`.
        cell_group: lattices with the same number share one cell; -1: a cell of its own, `[m]`.
        space_group: symbols, `[m]`.
        n_spots: with fewer spots than cell parameters, the cell of a lattice stays as it is, as in DIALS, `[m]`.
        hold_cells: cells stay as they are.
    """
    m = len(a_star)
    basis = np.zeros((m, N_METRIC, 3, 3))
    group = np.full(m, -1)
    if hold_cells:
        return Crystals(a_star, basis, group, 0)
    symbols, of_symbol = np.unique(np.array(space_group, dtype=str), return_inverse=True)
    metric = np.swapaxes(a_star, 1, 2) @ a_star
    for number, symbol in enumerate(symbols):
        directions = metric_basis(str(symbol))
        members = of_symbol == number
        basis[members & ((n_spots >= len(directions)) | (cell_group >= 0)), : len(directions)] = directions
        flat = directions.reshape(-1, 9)  # orthonormal
        metric[members] = (metric[members].reshape(-1, 9) @ flat.T @ flat).reshape(-1, 3, 3)
    shared = np.unique(cell_group[cell_group >= 0])
    for number, one in enumerate(shared):
        members = cell_group == one
        group[members] = number
        basis[members] = basis[np.flatnonzero(members)[0]]
        metric[members] = np.median(metric[members], axis=0)
    return Crystals(with_metric(a_star, metric), basis, group, len(shared))


def with_metric(a_star: Array, metric: Array) -> Array:
    """Crystals in the same orientation with other cells.

    Args:
        a_star: `[m, 3, 3]`.
        metric: of the reciprocal lattice (1/A^2), `[3, 3]` or `[m, 3, 3]`.
    """
    # A* = R S with S'S = G: keep R, of the polar decomposition of the distortion
    upper = np.swapaxes(np.linalg.cholesky(metric), -1, -2)
    u, _, vt = np.linalg.svd(a_star @ np.linalg.inv(upper))
    return np.asarray(u @ vt @ upper)
