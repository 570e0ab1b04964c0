"""Follows a quantity that was measured in successive blocks: a constant, straight lines and steps.

Of all divisions of the blocks into segments, each of which is constant or linear, that with the lowest chi-squared plus
a penalty for each parameter is found by dynamic programming. There are at most some 40 blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iota.geometry.prediction import Array

_PENALTY = 12.0  # of chi-squared, for each parameter beyond those of a constant: 3.5 standard uncertainties
_BREAK = 1  # parameter for the place of a break


@dataclass(frozen=True)
class Followed:
    """The simplest course that explains the blocks."""

    value: Array  # [b]
    gain: float  # chi-squared of a constant minus that of the course


def follow(time: Array, value: Array, uncertainty: Array) -> Followed:
    """Follow values `[b]`, measured at times `[b]` with standard uncertainties `[b]`."""
    weight = 1.0 / uncertainty**2
    n = len(value)
    best = np.zeros(n + 1)  # cost of the first blocks
    choice: list[tuple[int, Array]] = [(0, np.empty(0))]  # where the last segment begins, and its values
    for end in range(1, n + 1):
        options = []
        for begin in range(end):
            part = slice(begin, end)
            for fitted, n_parameters in _fits(time[part], value[part], weight[part]):
                chi2 = float((weight[part] * (value[part] - fitted) ** 2).sum())
                n_more = n_parameters + (_BREAK if begin else -1)
                options.append((best[begin] + chi2 + _PENALTY * n_more, begin, fitted))
        cost, begin, fitted = min(options, key=lambda option: option[0])
        best[end] = cost
        choice.append((begin, fitted))
    course, end = np.empty(n), n
    while end:
        begin, fitted = choice[end]
        course[begin:end] = fitted
        end = begin
    constant = np.average(value, weights=weight)
    gain = (weight * (value - constant) ** 2).sum() - (weight * (value - course) ** 2).sum()
    return Followed(course, float(gain))


def _fits(time: Array, value: Array, weight: Array) -> list[tuple[Array, int]]:
    """A constant, and a line if there are enough blocks for it, with the numbers of their parameters."""
    mean = np.average(value, weights=weight)
    fits = [(np.full(len(value), mean), 1)]
    if len(value) >= 3:
        off = time - np.average(time, weights=weight)
        slope = (weight * off * value).sum() / (weight * off**2).sum()
        fits.append((mean + slope * off, 2))
    return fits
