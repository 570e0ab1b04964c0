"""Detects ice rings on a frame from the resolution of its spots."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import poisson

# Strong powder lines of hexagonal ice (A) for a = 4.498, c = 7.338 A (Dowell & Rinfret, Nature (1960) 188, 1144)
ICE_RINGS_A = (3.895, 3.669, 3.438, 2.668, 2.249, 2.068, 1.947, 1.916, 1.882, 1.719)
_HALF_WIDTH = 0.006  # relative, in d
_MIN_SPOTS = 6
_CHANCE = 1e-6  # that so many spots are there without ice


def ice_rings_A(d_A: npt.NDArray[np.float64]) -> list[float]:
    """Ice rings (A) on which a frame has more spots than its surroundings explain.

    Spots within 0.6 % of a ring are compared with those in bands of that width on either side that no ring crosses.

    Args:
        d_A: resolution of each spot (A), `[n_spots]`.
    """
    found = []
    for ring in ICE_RINGS_A:
        on_ring = np.count_nonzero(_within(d_A, ring))
        nearby = (ring * (1 + k * 2 * _HALF_WIDTH) for k in (-3, -2, -1, 1, 2, 3))
        others = [other for other in ICE_RINGS_A if other != ring]
        free = [x for x in nearby if all(abs(x / other - 1) > 2 * _HALF_WIDTH for other in others)]
        expected = float(np.mean([np.count_nonzero(_within(d_A, x)) for x in free])) if free else 0.0
        if on_ring >= _MIN_SPOTS and poisson.sf(on_ring - 1, expected + 0.5) < _CHANCE:
            found.append(ring)
    return found


def _within(d_A: npt.NDArray[np.float64], ring: float) -> npt.NDArray[np.bool_]:
    near: npt.NDArray[np.bool_] = np.abs(d_A / ring - 1) < _HALF_WIDTH
    return near
