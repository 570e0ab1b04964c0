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
class Directions:
    """Directions in which the detector is moved, and those in which it is held. Get them from :func:`directions_of`."""

    free: Array  # [t, d] one tolerance long
    evidence: Array  # [d] curvature of chi^2 / 2 along each, 1/variance
    held: tuple[HeldDirection, ...]
    tolerance: Array  # [t]

    @property
    def held_share(self) -> Array:
        """Projector onto the held directions in units of the tolerances, `[t, t]`."""
        scaled = np.array([held.direction / self.tolerance for held in self.held]).reshape(
            len(self.held), len(self.tolerance)
        )
        return np.asarray(scaled.T @ scaled)

    def covariance(self, prior: Array) -> Array:
        """Covariance in the free directions, with more evidence on the parameters, `[t, t]`; result `[d, d]`."""
        return np.asarray(np.linalg.inv(np.diag(self.evidence) + self.free.T @ prior @ self.free))


@dataclass(frozen=True)
class Solution:
    """Minimum of the normal equations in the directions that are determined."""

    step: Array  # [t]
    gain: float  # by which chi^2 decreases
    directions: Directions


def directions_of(normal: Array, fixed: Array, tolerance: Array) -> Directions:
    """Find the directions that are determined.

    Args:
        normal: reduced normal matrix, with weights 1/variance, `[t, t]`.
        fixed: the normal matrix if the crystals were known, `[t, t]`.
        tolerance: largest standard uncertainty of each parameter, `[t]`.
    """
    both = np.outer(tolerance, tolerance)
    values, vectors = np.linalg.eigh(normal * both)
    evidence = np.einsum("tk,tu,uk->k", vectors, fixed * both, vectors, optimize=True)
    is_absorbed = values <= _ABSORBED * evidence
    kept = (values >= 1.0) & ~is_absorbed
    return Directions(
        free=vectors[:, kept] * tolerance[:, None],
        evidence=values[kept],
        held=tuple(
            HeldDirection(
                vectors[:, number] * tolerance, np.inf if is_absorbed[number] else float(1.0 / np.sqrt(values[number]))
            )
            for number in np.flatnonzero(~kept)
        ),
        tolerance=tolerance,
    )


def solve(directions: Directions, gradient: Array, prior: Array) -> Solution:
    """Solve in the directions that are determined.

    Args:
        directions: see :func:`directions_of`.
        gradient: of spots and prior, `[t]`.
        prior: precision of the parameters that is known apart from the spots, `[t, t]`.
    """
    slope = directions.free.T @ gradient
    step = directions.covariance(prior) @ slope
    return Solution(
        step=-directions.free @ step,
        gain=float(step @ slope),
        directions=directions,
    )
