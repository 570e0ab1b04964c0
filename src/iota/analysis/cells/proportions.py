"""Fractions with their confidence intervals, and how they are written."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Z_95 = 1.96  # standard deviations within which 95 % of a normal distribution lies


def wilson_intervals(
    successes: npt.NDArray[np.int64], trials: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Limits of the 95 % confidence intervals of fractions; trials > 0.

    Source: Wilson, J. Am. Stat. Assoc. (1927) 22, 209.
    """
    n = trials.astype(np.float64)
    p = successes / n
    middle = (p + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * np.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n * n))
    return middle - half, middle + half


def wilson_interval(n: int, n_all: int) -> tuple[float, float]:
    """The same for one fraction; 0 to 1 if there were no trials."""
    if n_all == 0:
        return 0.0, 1.0
    p = n / n_all
    middle = p + Z_95**2 / (2 * n_all)
    half = Z_95 * math.sqrt(p * (1 - p) / n_all + Z_95**2 / (4 * n_all**2))
    below = 1 + Z_95**2 / n_all
    return max(0.0, (middle - half) / below), min(1.0, (middle + half) / below)


def percent(part: int, whole: int) -> str:
    """A fraction as text, in percent; never 0 % for a fraction above 0, nor 100 % for one below 1."""
    share = 100 * part / max(whole, 1)
    if 0 < share < 0.1:
        return "<0.1 %"
    if 99.9 < share < 100:
        return ">99.9 %"
    return f"{share:.0f} %" if share in (0, 100) else f"{share:.1f} %"
