"""Finds the shift of the beam centre on which the lattices of many stills agree.

A shift of all reciprocal lattice points of a still by d changes the phase of the sum over its spots at a lattice vector
t by d.t cycles. Each vector gives d along one direction, but for full cycles, so that a single still leaves as many
answers as there are lattice points in the range of the search. Stills in other orientations have other lattice points,
and only the true shift is common to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iota.geometry.lattice_vectors import LatticeVectors

Array = npt.NDArray[np.float64]

_STEPS_PER_PEAK = 8  # of the map
_PEAK = 0.006  # 1/A, width of a peak: half a cycle of vectors of 80 A
_MARGIN = 1.3  # of the map, beyond the range of the search
_SMALLEST_MAP = 0.036  # 1/A, half its width: other peaks are compared with the best
_WEAKEST = 0.4  # modulus per spot from which a vector counts


@dataclass(frozen=True)
class Vote:
    """The best shift, and what else could be."""

    shift_px: Array  # [2] by which the spots of all stills are off
    score: float
    next_score: float  # of the next best shift that is not of the same peak
    agreement: float  # score by that of vectors which all agree
    largest_px: float  # shift that the map contains

    @property
    def ratio(self) -> float:
        """How much better the best shift is than the next."""
        return self.score / max(self.next_score, 1e-9)


def vote(stills: Sequence[LatticeVectors], px: Sequence[float], radius_px: float) -> Vote:
    """The shift in which the phases of most vectors agree.

    Args:
        stills: lattice vectors of each.
        px: for each, shift of reciprocal lattice points by a pixel (1/A).
        radius_px: range that the map must contain; it is often larger.
    """
    one_px = float(np.median(px))
    step_px = _PEAK / _STEPS_PER_PEAK / one_px
    n = int(np.ceil(max(_MARGIN * radius_px, _SMALLEST_MAP / one_px) / step_px))
    steps_px = np.arange(-n, n + 1) * step_px
    score = np.zeros((len(steps_px), len(steps_px)))
    for still, still_px in zip(stills, px, strict=True):
        if len(still.t_A):
            score += _score(still, steps_px * still_px)
    most = sum(float(_weights(still) @ np.abs(still.sums)) for still in stills)
    best = np.unravel_index(int(np.argmax(score)), score.shape)
    peak = np.array([_vertex(score[:, best[1]], int(best[0])), _vertex(score[best[0]], int(best[1]))]) - n
    x, y = np.indices(score.shape)
    elsewhere = np.hypot(x - best[0], y - best[1]) >= _STEPS_PER_PEAK
    return Vote(
        peak * step_px,
        float(score[best]),
        float(score[elsewhere].max()),
        float(score[best]) / max(most, 1e-9),
        n * step_px,
    )


def _score(still: LatticeVectors, steps: Array) -> Array:
    """How well the phases of a still agree with each shift, `[n, n]`."""
    along_x = np.exp(-2j * np.pi * np.outer(steps, still.t_A[:, 0]))
    along_y = np.exp(-2j * np.pi * np.outer(steps, still.t_A[:, 1]))
    return np.asarray(((along_x * (_weights(still) * still.sums)) @ along_y.T).real)


def _weights(still: LatticeVectors) -> Array:
    """What to multiply the sums with, `[m]`, so that a vector counts by the spots that are in phase beyond chance."""
    modulus = np.abs(still.sums)
    return np.asarray(np.maximum(modulus - _WEAKEST, 0.0) * still.n_spots / np.maximum(modulus, 1e-9))


def _vertex(values: Array, k: int) -> float:
    """Position of the maximum of the parabola through the value at k and its neighbours."""
    if not 0 < k < len(values) - 1:
        return float(k)
    before, here, after = values[k - 1 : k + 2]
    curvature = before - 2.0 * here + after
    return k + (0.5 * float((before - after) / curvature) if curvature < 0.0 else 0.0)
