"""A unit cell as six numbers, a b c (A) alpha beta gamma (degrees): its text, volume, metric and basis vectors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from iota.errors import ParameterError

Cell = tuple[float, float, float, float, float, float]
Floats = npt.NDArray[np.float64]

_SHORTEST_A, _LONGEST_A = 1.0, 1e5  # axes; no crystal that diffracts to beyond its own cell has others
_DEGREE = math.pi / 180.0
_FLATTEST = 1e-4  # of the volume relative to a b c; 1 degree between three equal axes gives 0.0003


def is_possible_cell(cell: Sequence[float]) -> bool:
    """Whether a crystal can have this cell: axes from 1 to 100,000 A, at angles that three axes can enclose.

    Any numbers may be asked about, infinities and NaN too. Whatever passes can be reduced.
    """
    if len(cell) != 6:
        return False
    a, b, c, alpha, beta, gamma = cell  # without loops: every lattice of a ledger is asked about, in half the time
    return (
        _SHORTEST_A <= a <= _LONGEST_A
        and _SHORTEST_A <= b <= _LONGEST_A
        and _SHORTEST_A <= c <= _LONGEST_A
        and 0.0 < alpha < 180.0
        and 0.0 < beta < 180.0
        and 0.0 < gamma < 180.0
        and _relative_volume_squared(cell) >= _FLATTEST**2
    )


def checked_cell(cell: Sequence[float]) -> Cell:
    """The same numbers as a cell.

    Raises:
        ParameterError: no crystal can have this cell; see :func:`is_possible_cell`.
    """
    if not is_possible_cell(cell):
        raise ParameterError(_not_a_cell(" ".join(f"{value:g}" for value in cell)))
    return as_cell(cell)


def as_cell(values: Iterable[float]) -> Cell:
    """Six numbers as a cell, unchecked."""
    a, b, c, alpha, beta, gamma = (float(value) for value in values)
    return (a, b, c, alpha, beta, gamma)


def cell_from_text(text: str) -> Cell:
    """Read six numbers separated by blanks or commas.

    Raises:
        ParameterError: not six numbers, or no crystal can have this cell.
    """
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if not is_possible_cell(numbers):
        raise ParameterError(_not_a_cell(text))
    return as_cell(numbers)


def _not_a_cell(text: str) -> str:
    return (
        f"{text!r} is not a unit cell: six numbers are needed, a b c in Angstrom (at least {_SHORTEST_A:g}) and three"
        " angles in degrees that three axes can enclose."
    )


def cell_text(cell: Sequence[float], digits: int = 2) -> str:
    """Write a cell as people do, e.g. ``58.40 58.40 152.20 90.00 90.00 90.00``."""
    return " ".join(f"{value:.{digits}f}" for value in cell)


def _relative_volume_squared(cell: Sequence[float]) -> float:
    """Square of the volume relative to a b c; not positive where three axes cannot enclose such angles."""
    _, _, _, alpha, beta, gamma = cell
    x, y, z = math.cos(alpha * _DEGREE), math.cos(beta * _DEGREE), math.cos(gamma * _DEGREE)
    return 1.0 - x * x - y * y - z * z + 2.0 * x * y * z


def volume_A3(cell: Sequence[float]) -> float:
    """Volume of a possible cell (A^3)."""
    return float(cell[0] * cell[1] * cell[2] * math.sqrt(_relative_volume_squared(cell)))


def median_cell(cells: Sequence[Sequence[float]] | Floats) -> Cell:
    """Median of each parameter of cells in one setting, `[n, 6]`."""
    return as_cell(np.median(np.asarray(cells, dtype=float), axis=0))


def metric_tensors(cells: npt.ArrayLike) -> Floats:
    """Metric tensors (A^2) of cells: `[n, 6]`, or one `[6]`, to `[n, 3, 3]`."""
    table = np.asarray(cells, dtype=np.float64).reshape(-1, 6)
    lengths, cosines = table[:, :3], np.cos(np.radians(table[:, 3:]))
    found = lengths[:, :, None] * lengths[:, None, :]
    for k, (i, j) in enumerate(((1, 2), (0, 2), (0, 1))):
        found[:, i, j] *= cosines[:, k]
        found[:, j, i] = found[:, i, j]
    return found


def basis_from_cell(cell: Sequence[float]) -> Floats:
    """Basis vectors of a possible cell by rows (A), `[3, 3]`: a along x, b in the plane of x and y."""
    a, b, c = cell[:3]
    x, y, z = (math.cos(math.radians(angle)) for angle in cell[3:])
    sin_gamma = math.sin(math.radians(cell[5]))
    height = math.sqrt(_relative_volume_squared(cell)) / sin_gamma
    return np.array(
        [[a, 0.0, 0.0], [b * z, b * sin_gamma, 0.0], [c * y, c * (x - y * z) / sin_gamma, c * height]], dtype=float
    )


def cell_from_basis(rows: Floats) -> Cell:
    """The cell of three basis vectors (A), `[3, 3]` by rows."""
    lengths = np.linalg.norm(rows, axis=1)
    unit = rows / lengths[:, None]
    cosines = np.clip([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]], -1.0, 1.0)
    return as_cell((*lengths, *np.degrees(np.arccos(cosines))))
