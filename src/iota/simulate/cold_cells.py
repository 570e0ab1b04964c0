"""Simulated results of indexing without a known cell: a few true cells, multiples of them, and wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from iota.crystallography.cells import Cell, basis_from_cell, is_possible_cell, volume_A3
from iota.crystallography.lattices import niggli_cell, niggli_cell_of_basis

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.intp]
Nonsense = Literal["triples", "uniform"]

MULTIPLE, NONSENSE = -1, -2  # labels of cells that are not true
_MAX_INDEX = 4
_LARGEST_H = 4  # of reflections that are taken for axes of the reciprocal lattice
_DISPLACEMENT = 0.15  # of such a reflection, as a fraction of the shortest reciprocal vector


def cold_cells(
    n: int,
    lattices: Sequence[tuple[Sequence[float], str]],
    fractions: Sequence[float],
    multiples: float = 0.2,
    nonsense: Nonsense = "triples",
    spread: float = 0.01,
    seed: int = 1,
) -> tuple[Floats, Labels]:
    """Draw Niggli cells as found by indexing without a known cell.

    A multiple is a random super- or sub-lattice of index 2 to 4 of a true lattice.  Nonsense is spanned by three
    displaced reflections of a true lattice (``triples``), or has random axes and angles (``uniform``).

    Args:
        n: number of cells.
        lattices: conventional cell (A, degrees) and space group of each crystal form.
        fractions: of all cells that are truly of each form.
        multiples: fraction of all cells that are multiples of one of the forms.
        nonsense: how the others are drawn.
        spread: relative standard deviation of axes, and that of angles in radians.
        seed: same seed, same cells.

    Returns:
        Cells (A, degrees) `[n, 6]`, and what each is, the number of its form, MULTIPLE or NONSENSE, `[n]`.
    """
    rng = np.random.default_rng(seed)
    bases = [basis_from_cell(niggli_cell(cell, space_group)) for cell, space_group in lattices]
    kinds = [*range(len(bases)), MULTIPLE, NONSENSE]
    weights = [*fractions, multiples, 1.0 - sum(fractions) - multiples]
    truth = rng.choice(kinds, size=n, p=weights)
    of_form = rng.choice(len(bases), size=n, p=np.array(fractions) / sum(fractions)) if sum(fractions) else truth * 0
    cells = np.empty((n, 6))
    for k, kind in enumerate(truth.tolist()):
        rows = bases[of_form[k] if kind < 0 else kind]
        if kind == NONSENSE:
            cells[k] = _random_triple(rows, rng) if nonsense == "triples" else _random_cell(rows, rng)
            continue
        if kind == MULTIPLE:
            rows = _random_multiple(rows, rng)
        cells[k] = _spread_niggli(rows, spread, rng)
    return cells, truth


def _spread_niggli(rows: Floats, spread: float, rng: np.random.Generator) -> Cell:
    cell = np.array(niggli_cell_of_basis(rows))
    cell[:3] *= 1 + spread * rng.normal(size=3)
    cell[3:] += np.degrees(spread) * rng.normal(size=3)
    return niggli_cell(cell.tolist())


def _random_multiple(rows: Floats, rng: np.random.Generator) -> Floats:
    """A super- or sub-lattice of a random small index, drawn evenly from the Hermite normal forms of that index."""
    index = int(rng.integers(2, _MAX_INDEX + 1))
    p = int(rng.choice([d for d in range(1, index + 1) if index % d == 0]))
    q = int(rng.choice([d for d in range(1, index // p + 1) if (index // p) % d == 0]))
    r = index // (p * q)
    matrix = np.array([[p, rng.integers(q), rng.integers(r)], [0, q, rng.integers(r)], [0, 0, r]], dtype=float)
    multiple: Floats = matrix @ rows if rng.random() < 0.5 else np.linalg.inv(matrix.T) @ rows
    return multiple


def _random_triple(rows: Floats, rng: np.random.Generator) -> Cell:
    """The lattice that three displaced reflections span."""
    reciprocal = np.linalg.inv(rows).T
    shortest = float(np.linalg.norm(reciprocal, axis=1).min())
    while True:
        hkl = rng.integers(-_LARGEST_H, _LARGEST_H + 1, (3, 3))
        vectors = hkl @ reciprocal + _DISPLACEMENT * shortest * rng.normal(size=(3, 3))
        spanned = np.linalg.inv(vectors).T
        is_flat = abs(np.linalg.det(vectors)) <= 0.2 * np.prod(np.linalg.norm(vectors, axis=1))
        if not is_flat and np.linalg.norm(spanned, axis=1).max() < 400:
            return niggli_cell_of_basis(spanned)


def _random_cell(rows: Floats, rng: np.random.Generator) -> Cell:
    """Axes that differ from the true ones by up to a factor of two, and angles from 60 to 120 degrees."""
    while True:
        lengths = np.linalg.norm(rows, axis=1) * np.exp(rng.uniform(-0.7, 0.7, 3))
        cell = [*lengths.tolist(), *rng.uniform(60, 120, 3).tolist()]
        if is_possible_cell(cell) and volume_A3(cell) > 0.2 * np.prod(lengths):
            return niggli_cell(cell)
