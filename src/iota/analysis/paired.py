"""Paired comparison of two settings on the same frames: does one integrate significantly more?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from iota.records import FrameRef


class Comparison(msgspec.Struct, kw_only=True):
    """Frames that were integrated with one of two settings, and what follows."""

    n_frames: int
    n_before: int  # integrated with the first settings
    n_after: int  # integrated with the second
    n_gained: int  # with the second only
    n_lost: int  # with the first only
    difference: float  # of the shares that are integrated, second less first
    interval: tuple[float, float]  # of the difference, at the given confidence
    p: float  # of such a difference or a larger one, either way, if the settings are equally good


def compare(before: Mapping[FrameRef, bool], after: Mapping[FrameRef, bool], confidence: float = 0.95) -> Comparison:
    """Compare which frames were integrated with two settings.

    The test is the exact one of McNemar (Psychometrika (1947) 12, 153), the interval that of Agresti and Min (Statist.
    Med. (2005) 24, 729), which adds half a frame to each of the four counts and is right for small numbers, too.

    Args:
        before: whether each frame was integrated with the first settings.
        after: the same with the second; of the same frames.
        confidence: of the interval, e.g. 0.95.
    """
    from scipy.stats import binomtest, norm  # 0.5 s, which is too much for commands that compare nothing

    n = len(before)
    gained = sum(after[frame] and not integrated for frame, integrated in before.items())
    lost = sum(integrated and not after[frame] for frame, integrated in before.items())
    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    b, c, total = gained + 0.5, lost + 0.5, n + 2.0
    middle = (b - c) / total
    half = float(norm.ppf(0.5 + confidence / 2)) * math.sqrt(max(0.0, b + c - (b - c) ** 2 / total)) / total
    return Comparison(
        n_frames=n,
        n_before=sum(before.values()),
        n_after=sum(after[frame] for frame in before),
        n_gained=gained,
        n_lost=lost,
        difference=(gained - lost) / n if n else 0.0,
        interval=(max(-1.0, middle - half), min(1.0, middle + half)),
        p=p,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for how many comparisons were made (Holm, Scand. J. Statist. (1979) 6, 65)."""
    order = sorted(range(len(p_values)), key=lambda k: p_values[k])
    corrected = [1.0] * len(p_values)
    largest = 0.0
    for rank, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[k]))
        corrected[k] = largest
    return corrected
