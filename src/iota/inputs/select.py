"""Which of the frames are processed: ranges and random samples."""

from __future__ import annotations

import random
from collections.abc import Sequence

from iota.errors import UsageError
from iota.records import FrameRef


def select_range(frames: Sequence[FrameRef], text: str) -> list[FrameRef]:
    """Frames by their number in the input, from 1, ends included, e.g. ``1-5,25,200-250``; in the order of the input.

    Raises:
        UsageError: the text is not a range, or goes beyond the last frame.

    """
    chosen: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise UsageError(f"{part!r} is not a range of images; write for example 1-5,25,200-250.")
        start, end = int(first), int(last) if dash else int(first)
        if start < 1 or end < start:
            raise UsageError(f"{part!r} is not a range of images: numbers count from 1 and go up.")
        if end > len(frames):
            raise UsageError(f"The range {part} goes beyond the last image; there are {len(frames)}.")
        chosen.update(range(start - 1, end))
    return [frames[k] for k in sorted(chosen)]


def select_random(frames: Sequence[FrameRef], number: int, seed: int) -> list[FrameRef]:
    """Random subset of frames, in the order of the input; the same seed chooses the same.

    Args:
        frames: all of them.
        number: size of the subset; 0 is all of up to 5, 5 of up to 50, else a tenth.
        seed: any integer.

    Raises:
        UsageError: there are fewer frames than wanted.

    """
    n = len(frames)
    if number == 0:
        number = n if n <= 5 else 5 if n <= 50 else n // 10
    if number > n:
        raise UsageError(f"A random sample of {number} images was asked for, but there are {n} only.")
    chosen = random.Random(seed).sample(range(n), number)
    return [frames[k] for k in sorted(chosen)]
