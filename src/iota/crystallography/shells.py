"""Resolution shells.

Two kinds, since they serve two purposes. Statistics of intensities need the same number of reflections in each shell,
in small cells too; counts that grow while a run goes on need limits that do not depend on what was measured.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def members_of_equal_shells(d_A: Floats, n_shells: int) -> list[npt.NDArray[np.intp]]:
    """Shells that hold the same number of reflections, to within one, the lowest resolution first.

    Args:
        d_A: resolution of the reflections (A), `[n]`.
        n_shells: how many shells.

    Returns:
        Numbers of the reflections of each shell; shells that would be empty are left out.
    """
    return [part for part in np.array_split(np.argsort(-np.asarray(d_A)), n_shells) if len(part)]


def shell_numbers(d_A: Floats, n_shells: int, d_min_A: float, d_max_A: float = math.inf) -> npt.NDArray[np.intp]:
    """Number of the shell of each reflection, `[n]`, 0 for the lowest resolution; see :func:`shell_limits`.

    A reflection on a limit is in the shell of lower resolution; those beyond all limits are in the outermost shells.

    Args:
        d_A: resolution of the reflections (A), `[n]`.
        n_shells: how many shells.
        d_min_A: highest resolution (A).
        d_max_A: lowest resolution (A).
    """
    numbers = np.searchsorted(_cubes(n_shells, d_min_A, d_max_A), np.asarray(d_A) ** -3.0) - 1
    inside: npt.NDArray[np.intp] = np.clip(numbers, 0, n_shells - 1)
    return inside


def shell_limits(n_shells: int, d_min_A: float, d_max_A: float = math.inf) -> Floats:
    """Limits (A) of shells that have the same volume in reciprocal space, `[n_shells + 1]`, from ``d_max_A`` on."""
    with np.errstate(divide="ignore"):
        limits: Floats = _cubes(n_shells, d_min_A, d_max_A) ** (-1.0 / 3.0)
    return limits


def _cubes(n_shells: int, d_min_A: float, d_max_A: float) -> Floats:
    """Cubes of 1/d at the limits, which volumes are proportional to (1/A^3), `[n_shells + 1]`."""
    cubes: Floats = np.linspace(d_max_A**-3.0, d_min_A**-3.0, n_shells + 1)
    return cubes
