"""What a grid search led to over all frames: how often each spot-finding setting was tried, indexed and chosen."""

from __future__ import annotations

from collections.abc import Iterable

from iota.records import FrameResult

Tally = dict[tuple[int, int], list[int]]  # spot area (px), height -> times tried, with a lattice, chosen


def add_to_tally(tally: Tally, results: Iterable[FrameResult]) -> None:
    """Add the points of records; where signal heights were searched too, those equal to the spot height count."""
    for result in results:
        for point in result.grid:
            if point.height == point.signal or point.is_chosen:
                numbers = tally.setdefault((point.area, point.height), [0, 0, 0])
                numbers[0] += 1
                numbers[1] += point.n_indexed is not None and not point.reason
                numbers[2] += point.is_chosen
