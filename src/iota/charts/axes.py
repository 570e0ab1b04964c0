"""Numbers on the axes of charts: conversion of values to pixels, positions of ticks, and tick labels."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Values ``low`` to ``high`` on places ``start`` to ``end`` (px); start may be larger, as upwards in a picture."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        width = (self.high - self.low) or 1.0
        return self.start + (value - self.low) / width * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """At most so many round values within the scale (one more where they fall on both ends)."""
        return ticks(self.low, self.high, most)


def step_for(width: float, most: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that cuts a width into at most so many parts."""
    if not width > 0 or not math.isfinite(width):
        return 1.0
    raw = width / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * k for k in (1, 2, 5, 10) if power * k >= raw * (1 - 1e-9))


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values between two."""
    step = step_for(high - low, most)
    first = math.ceil(low / step - 1e-6)
    last = math.floor(high / step + 1e-6)
    return [k * step for k in range(first, last + 1)]


def number_text(value: float, step: float) -> str:
    """A value with as many decimals as its step needs; large ones with k and M."""
    for size, mark in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (size == 1e6 and abs(value) >= size):
            return f"{value / size:.3g}{mark}"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    text = f"{value:.{min(decimals, 6)}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-")
