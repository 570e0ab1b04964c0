"""Lattices as points (vonorms), which are close to each other if and only if the lattices are similar.

Niggli reduction is discontinuous: two measurements of one cell may result in settings with very different parameters.
The *vonorms* of a lattice are continuous (Conway & Sloane, Proc. R. Soc. Lond. A (1992) 436, 55): each of the seven
classes of lattice vectors modulo 2L has a shortest one, and the squared lengths of the seven are continuous functions
of the metric, whatever basis it is written in.  They determine the lattice.  Sorted, they are coordinates in which a
KD tree finds neighbours: distances of sorted vonorms never exceed the distance over all pairings of the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.crystallography.cells import Floats, metric_tensors
from iota.crystallography.lattices import primitive_basis

_PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
_NCDIST_SCALE = 0.7  # distance of vonorms to NCDist: median ratio over pairs of forms; see docs/decisions/0012
_MAX_STEPS = 200  # Selling reduction of cells from indexing takes below ten


def _selling_steps() -> Floats:
    """For each pair (i, j): b_i is reversed, b_j stays, b_i is added to the other two; `[6, 4, 4]`."""
    steps = np.tile(np.eye(4), (6, 1, 1))
    for step, (i, j) in zip(steps, _PAIRS, strict=True):
        step[i, i] = -1.0
        for k in set(range(4)) - {i, j}:
            step[k, i] = 1.0
    return steps


_STEPS = _selling_steps()
_I, _J = np.array(_PAIRS).T


def vonorms(cells: npt.ArrayLike, codes: npt.NDArray[np.integer[Any]], space_groups: Sequence[str]) -> Floats:
    """Sorted vonorms (A^2) of the primitive lattices of cells, `[n, 7]`, the smallest first.

    Args:
        cells: conventional cells (A, degrees), `[n, 6]`.
        codes: which of the space groups is that of each cell, `[n]`.
        space_groups: Hermann-Mauguin symbols; only their centring matters.
    """
    metric = metric_tensors(cells)
    for code, space_group in enumerate(space_groups):
        basis = primitive_basis(space_group)
        if not np.array_equal(basis, np.eye(3)):
            chosen = codes == code
            metric[chosen] = basis.T @ metric[chosen] @ basis
    return sorted_vonorms(metric)


def sorted_vonorms(metric: Floats) -> Floats:
    """Sorted vonorms (A^2) of lattices from the metric tensors of primitive cells (A^2): `[n, 3, 3]` to `[n, 7]`."""
    gram = _superbases(metric)
    norms = np.einsum("nii->ni", gram)
    sums = np.stack([norms[:, 0] + norms[:, k] + 2 * gram[:, 0, k] for k in (1, 2, 3)], axis=1)
    return np.sort(np.concatenate([norms, sums], axis=1), axis=1)


def _superbases(metric: Floats) -> Floats:
    """Inner products (A^2) of four vectors that add up to zero and meet at no acute angle, `[n, 4, 4]`.

    Source: Selling, J. reine angew. Math. (1874) 77, 143.
    """
    n = len(metric)
    to_four = np.vstack([np.eye(3), -np.ones(3)])
    gram = to_four @ metric @ to_four.T
    active = np.arange(n)
    tolerance = 1e-9 * np.einsum("nii->n", gram)
    for _ in range(_MAX_STEPS):
        products = gram[active][:, _I, _J]
        worst = np.argmax(products, axis=1)
        acute = products[np.arange(len(active)), worst] > tolerance[active]
        active, worst = active[acute], worst[acute]
        if not len(active):
            break
        steps = _STEPS[worst]
        gram[active] = steps @ gram[active] @ steps.transpose(0, 2, 1)
    return gram


def relative_positions(norms: Floats) -> Floats:
    """Points whose distance is the relative difference of two lattices (root mean square over seven lengths).

    Args:
        norms: sorted vonorms (A^2), `[n, 7]`.
    """
    positions: Floats = np.log(norms) / (2.0 * np.sqrt(7.0))
    return positions


def absolute_positions(norms: Floats) -> Floats:
    """Points whose distance is about that of NCDist (A^2).

    Args:
        norms: sorted vonorms (A^2), `[n, 7]`.
    """
    return norms * _NCDIST_SCALE
