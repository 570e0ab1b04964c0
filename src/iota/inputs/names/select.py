"""Selects the frames to process: ranges and random samples of images."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from iota.errors import UsageError
from iota.records import FrameRef

_MAX_DIGITS = 16

T = TypeVar("T")


def select_range(frames: Sequence[T], text: str) -> list[T]:
    """Frames by their number in the input, from 1, ends included, e.g. ``1-5,25,200-250``; in the order of the input.

    Raises:
        UsageError: the text is not a range, or goes beyond the last frame.

    """
    return [frames[k] for part in ranges_in(text, len(frames)) for k in part]


def ranges_in(text: str, n_frames: int | None) -> list[range]:
    """Ranges such as ``1-5,25,200-250``, counted from 0, in order and apart, however long they are.

    Args:
        text: ranges, counted from 1, ends included.
        n_frames: how many frames there are; None if that is not known.

    Raises:
        UsageError: the text is not a range, or goes beyond the last frame.

    """
    ranges: list[range] = []
    for part in text.replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        ends = (first, last if dash else first)
        if not all(end.isdecimal() and len(end) < _MAX_DIGITS for end in ends):
            raise UsageError(f"{part!r} is not a range of images; use the form 1-5,25,200-250.")
        start, end = map(int, ends)
        if start < 1 or end < start:
            raise UsageError(f"{part!r} is not a range of images: numbers start at 1 and must increase.")
        if n_frames is not None and end > n_frames:
            raise UsageError(f"The range {part} goes beyond the last image; there are {n_frames}.")
        ranges.append(range(start - 1, end))
    apart: list[range] = []
    for one in sorted(ranges, key=lambda part: part.start):
        if apart and one.start <= apart[-1].stop:
            apart[-1] = range(apart[-1].start, max(apart[-1].stop, one.stop))
        else:
            apart.append(one)
    return apart


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
        raise UsageError(f"A random sample of {number} images was requested, but there are only {n} only.")
    chosen = random.Random(seed).sample(range(n), number)
    return [frames[k] for k in sorted(chosen)]


def choose(frames: Sequence[FrameRef], some: str, most: int) -> list[FrameRef]:
    """The frames to be browsed: ``first 10``, or ``5-20`` counted from 1; all if ``some`` is empty.

    Raises:
        UsageError: the choice is not understood, or names more than ``most``.
    """
    if not some:
        return list(frames[:most])
    word, _, number = some.partition(" ")
    if word == "first" and (number or "1").isdecimal() and len(number) < _MAX_DIGITS:
        return list(frames[: min(int(number or 1), most)])
    return [frames[k - 1] for k in numbers_in(some, "images", most) if 0 < k <= len(frames)]


def numbers_in(text: str, what: str, most: int) -> list[int]:
    """Numbers of a text such as ``3,8,12-20``; ``what`` says of what.

    Raises:
        UsageError: it is not understood, or names more than ``most``.
    """
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = (first, last if dash else first)
        if not all(end.isdecimal() and len(end) < _MAX_DIGITS for end in ends):
            raise UsageError(f"{text[:60]} is not a list of {what}; use the form 3,8,12-20.")
        named = range(int(ends[0]), int(ends[1]) + 1)
        if len(found) + len(named) > most:
            raise UsageError(f"{text[:60]} contains more than {most:,} {what}.")
        found += named
    return found
