"""The cell that the lattices of many stills have in common, and the stills that have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from iota.crystallography.cells import basis_from_cell, cell_from_basis, is_possible_cell
from iota.crystallography.lattices import niggli_cell_of_basis
from iota.geometry.shared_fit import q_vectors
from iota.geometry.still_bases import StillBasis, basis_like, fitted, own_basis, with_sums

Array = npt.NDArray[np.float64]

_TOLERANCE, _TOLERANCE_DEG = 0.025, 2.5  # of axes and angles of single stills
_CANDIDATES = 8  # stills whose own cells are tried as the common one
_TRIED_ON = 30  # stills
_CLEAR = 0.8  # fraction of the stills
_MIN_SPOTS = 8


class PlacedStill(NamedTuple):
    """Spots of a still as placed by a trial geometry, and vectors of its lattice."""

    xyz_mm: Array  # [n, 3] in the frame of the beam, those of low resolution first
    q: Array  # [n, 3] (1/A)
    t_A: Array  # [m, 3] fitted to the spots
    wave_number: float


class Agreement(NamedTuple):
    """A cell, and the bases of the stills that have it; None for the others."""

    reference: Array  # [3, 3] direct vectors by rows (A)
    bases: tuple[StillBasis | None, ...]

    @property
    def n_spots(self) -> int:
        """Number of spots explained."""
        return sum(basis.n for basis in self.bases if basis is not None)

    @property
    def n_stills(self) -> int:
        """Number of stills that have the cell."""
        return sum(basis is not None for basis in self.bases)

    @property
    def is_clear(self) -> bool:
        """Whether so many stills have the cell that others need not be tried."""
        return self.n_stills >= _CLEAR * len(self.bases)


def placed(xyz_mm: Array, t_A: Array, wave_number: float) -> PlacedStill:
    """Spots at `[n, 3]` mm in the frame of the beam, with lattice vectors `[m, 3]` that are fitted to them."""
    q = q_vectors(xyz_mm, wave_number)
    order = np.argsort(np.einsum("ij,ij->i", q, q), kind="stable")
    q = q[order]
    enough = len(t_A) and len(q) >= _MIN_SPOTS
    return PlacedStill(xyz_mm[order], q, fitted(t_A, q) if enough else np.empty((0, 3)), wave_number)


def with_cell(stills: Sequence[PlacedStill], reference: Array) -> Agreement:
    """Which stills have a cell, given as a reduced basis `[3, 3]`."""
    return Agreement(reference, tuple(_like(still, reference) for still in stills))


def without_cell(stills: Sequence[PlacedStill]) -> Agreement | None:
    """The cell that explains most spots; None if there is none."""
    own = [own_basis(still.t_A, still.q) if len(still.t_A) >= 3 else None for still in stills]
    good = [basis for basis in own if basis is not None and basis.is_better_than_chance and _is_cell(basis)]
    good.sort(key=lambda basis: -basis.n)
    some = sorted(stills, key=lambda still: -len(still.q))[:_TRIED_ON]
    best: Agreement | None = None
    for basis in good[:_CANDIDATES]:
        reference = basis_from_cell(niggli_cell_of_basis(basis.rows))
        new = with_cell(some, reference)
        if best is None or new.n_spots > best.n_spots:
            best = new
        if best.is_clear:
            break
    return None if best is None else with_cell(stills, best.reference)


def _is_cell(basis: StillBasis) -> bool:
    return is_possible_cell(cell_from_basis(basis.rows))


def _like(still: PlacedStill, reference: Array) -> StillBasis | None:
    if len(still.t_A) < 2:
        return None
    basis = basis_like(reference, with_sums(still.t_A), still.q, _TOLERANCE, _TOLERANCE_DEG)
    return basis if basis is not None and basis.is_better_than_chance else None
