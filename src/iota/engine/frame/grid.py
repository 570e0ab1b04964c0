"""The grid of spot-finding settings that a grid search tries."""

from __future__ import annotations

from typing import Literal

import msgspec

from iota.engine.frame.filter import LatticeFilter
from iota.params.counterparts import SPOT_FINDING

# The median height of 4 is DIALS' own default of 6 and 3 standard deviations.
_BACKGROUND_PER_HEIGHT = 1.5
_STRONG_PER_HEIGHT = 0.75


class Point(msgspec.Struct, frozen=True, order=True):
    """One combination of spot-finding settings."""

    area: int  # minimum number of pixels per spot
    height: int  # spot height: how far the counts of a spot's surroundings scatter more than background
    signal: int  # signal height: how far a pixel of a spot is above its surroundings

    @property
    def phil(self) -> str:
        """The point as parameters of the backend."""
        values = {
            "min_spot_size": self.area,
            "sigma_background": _BACKGROUND_PER_HEIGHT * self.height,
            "sigma_strong": _STRONG_PER_HEIGHT * self.signal,
        }
        return "".join(f"{SPOT_FINDING[name]} = {value:g}\n" for name, value in values.items())

    @property
    def label(self) -> str:
        """Label for users."""
        return f"spot area {self.area}, height {self.height}, signal {self.signal}"


class Grid(msgspec.Struct, frozen=True):
    """The search range, and the criterion for the best point.

    ``smart`` begins with the nine points around the median and moves to the best of them until none is better;
    ``brute_force`` tries all.
    """

    kind: Literal["brute_force", "smart"] = "brute_force"
    area_median: int = 5
    area_range: int = 2
    height_median: int = 4
    height_range: int = 2
    scan_signal: bool = False  # signal heights apart from spot heights
    select_by: Literal["epv", "mosaicity", "strong"] = "epv"
    prefilter: LatticeFilter | None = None

    @property
    def areas(self) -> range:
        """Spot areas (px)."""
        return range(max(1, self.area_median - self.area_range), self.area_median + self.area_range + 1)

    @property
    def heights(self) -> range:
        """Spot heights, and signal heights."""
        return range(max(1, self.height_median - self.height_range), self.height_median + self.height_range + 1)

    @property
    def median(self) -> Point:
        """The starting point of the search."""
        return Point(self.area_median, self.height_median, self.height_median)

    @property
    def most_sensitive(self) -> Point:
        """The point that finds the most spots."""
        return Point(self.areas[0], self.heights[0], self.heights[0])

    def points(self) -> list[Point]:
        """All points."""
        return [
            Point(area, height, signal)
            for height in self.heights
            for signal in (self.heights if self.scan_signal else (height,))
            for area in self.areas
        ]

    def around(self, middle: Point) -> list[Point]:
        """A point of the grid and its neighbours."""
        return [
            point
            for point in self.points()
            if abs(point.area - middle.area) <= 1
            and abs(point.height - middle.height) <= 1
            and abs(point.signal - middle.signal) <= 1
        ]
