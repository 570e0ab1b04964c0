"""Which motions of the detector the spots determine, from the reduced normal matrix, and which are held.

Each parameter is scaled by the largest standard uncertainty that is tolerated.  Eigenvectors of the scaled matrix whose
eigenvalue is below 1 are then directions that are more uncertain than that: the detector is not moved along them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iota.geometry.prediction import Array

_ABSORBED = 1e-9  # fraction of the evidence that crystals leave: below, it is rounding


@dataclass(frozen=True)
class HeldDirection:
    """A direction that is held."""

    direction: Array  # [t] one tolerance long
    uncertainty: float  # in units of the tolerance; infinite if crystals absorb the motion


@dataclass(frozen=True)
class Solution:
    """Minimum of the normal equations in the directions that are determined."""

    step: Array  # [t]
    gain: float  # by which chi^2 decreases
    covariance: Array  # [t, t]
    held: tuple[HeldDirection, ...]
    tolerance: Array  # [t]

    @property
    def held_share(self) -> Array:
        """Projector onto the held directions in units of the tolerances, `[t, t]`."""
        scaled = np.array([held.direction / self.tolerance for held in self.held]).reshape(
            len(self.held), len(self.step)
        )
        return np.asarray(scaled.T @ scaled)


def solve(normal: Array, gradient: Array, fixed: Array, tolerance: Array) -> Solution:
    """Solve in the directions that are determined.

    Args:
        normal: reduced normal matrix, with weights 1/variance, `[t, t]`.
        gradient: `[t]`.
        fixed: the normal matrix if the crystals were known, `[t, t]`.
        tolerance: largest standard uncertainty of each parameter, `[t]`.
    """
    both = np.outer(tolerance, tolerance)
    values, vectors = np.linalg.eigh(normal * both)
    evidence = np.einsum("tk,tu,uk->k", vectors, fixed * both, vectors, optimize=True)
    is_absorbed = values <= _ABSORBED * evidence
    kept = (values >= 1.0) & ~is_absorbed
    basis = vectors[:, kept] * tolerance[:, None]
    inverse = 1.0 / values[kept]
    slope = basis.T @ gradient
    return Solution(
        step=-basis @ (inverse * slope),
        gain=float(inverse @ slope**2),
        covariance=(basis * inverse) @ basis.T,
        held=tuple(
            HeldDirection(
                vectors[:, number] * tolerance, np.inf if is_absorbed[number] else float(1.0 / np.sqrt(values[number]))
            )
            for number in np.flatnonzero(~kept)
        ),
        tolerance=tolerance,
    )
