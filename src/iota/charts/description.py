"""What a chart shows, whoever paints it: axes, marks, legend, and the sentence that stands in for an empty one.

:mod:`iota.charts.svg` paints a description for pages and reports, :mod:`iota.charts.files` as PNG and PDF.  Colours are
``#rrggbb``, or ``INK``: that of the text around the chart.  Sizes are in px of a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iota.charts.axes import number_text, step_for, ticks

INK = "currentColor"
X_TICK_PX, Y_TICK_PX = 52.0, 28.0  # from one tick to the next where they are dense

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A range of values with its name; ``low`` is less than ``high`` even where the axis is flipped."""

    label: str = ""
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    is_flipped: bool = False  # smaller is better: the smallest value is at the right, or at the top
    is_whole: bool = False  # ticks at whole numbers only
    ticks: Sequence[tuple[float, str]] | None = None  # values and their texts; None: round numbers

    @property
    def title(self) -> str:
        """Label with unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def ends(self) -> tuple[float, float]:
        """Values at the left and at the right, or at the bottom and at the top."""
        return (self.high, self.low) if self.is_flipped else (self.low, self.high)

    def tick_texts(self, room: float) -> list[tuple[float, str]]:
        """Values at which there are ticks and their texts, where there is room for so many round ones."""
        if self.ticks is not None:
            return list(self.ticks)
        most = max(2, int(room))
        values = ticks(self.low, self.high, most)
        if len(values) < 2:  # one number says nothing of the scale
            most *= 2
            values = ticks(self.low, self.high, most)
        step = step_for(self.high - self.low, most)
        if self.is_whole:
            values, step = [value for value in values if value == round(value)], max(step, 1.0)
        return [(value, number_text(value, step)) for value in values]


@dataclass(frozen=True)
class Bar:
    """A bar from zero to a value; on a page it shows ``tip``, and a click sends ``pick``."""

    low: float
    high: float
    value: float
    tip: str = ""
    pick: str | None = None


@dataclass(frozen=True)
class Bars:
    """Bars of one colour."""

    bars: Sequence[Bar]
    colour: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line through points, which may be none; with a name it is in the legend."""

    points: Sequence[Point]
    colour: str = INK
    width: float = 1.8
    dashes: tuple[float, float] | None = None
    name: str = ""
    has_dots: bool = False
    is_on_right: bool = False  # its values are those of the axis at the right


@dataclass(frozen=True)
class Band:
    """The area between two lines."""

    low: Sequence[Point]
    high: Sequence[Point]
    colour: str


@dataclass(frozen=True)
class Upright:
    """A dashed line over the whole height, with words above it."""

    value: float
    words: str


@dataclass(frozen=True)
class Cells:
    """Coloured rectangles that fill a range of both axes, the first row at the bottom."""

    pixels: npt.NDArray[np.uint8]  # `[rows, columns, 4]`, red green blue opacity
    x: tuple[float, float]
    y: tuple[float, float]
    texts: Sequence[Sequence[str]] | None = None  # in the cells
    tips: Sequence[Sequence[str]] | None = None


@dataclass(frozen=True)
class Circle:
    """A dashed circle, of which what is within the axes is drawn."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Cross:
    """A place."""

    x: float
    y: float


Mark = Bars | Line | Band | Upright | Cells | Circle | Cross


@dataclass(frozen=True)
class Swatch:
    """A line of a legend; without a colour the square is a dashed outline."""

    words: str
    colour: str | None = None
    opacity: float = 1.0
    pick: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Chart:
    """Marks within two axes, from the lowest to the topmost.

    ``empty`` is the sentence that is shown if there is nothing to show.
    """

    title: str  # for screen readers
    size: tuple[float, float]  # width and height
    empty: str = ""
    x: Axis = Axis()
    y: Axis | None = None  # None: only the horizontal axis is drawn
    right: Axis | None = None
    marks: Sequence[Mark] = ()
    caption: str = ""  # above, in bold
    notes: Sequence[str] = ()  # lines below it
    swatches: Sequence[Swatch] = ()
    has_grid: bool = True
    aspect: float | None = None  # height of a unit of y in widths of a unit of x

    @property
    def legend(self) -> list[Line | Swatch]:
        """Lines that have a name, and swatches."""
        return [*(mark for mark in self.marks if isinstance(mark, Line) and mark.name), *self.swatches]


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a row; without a colour it is a dashed outline."""

    value: float
    colour: str | None
    tip: str = ""
    pick: str | None = None
    words: str = ""  # within it, where there is room


@dataclass(frozen=True)
class Row:
    """Segments side by side, with words before and behind them."""

    segments: Sequence[Segment]
    label: str = ""
    total: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Horizontal bars made of segments, one below the other."""

    title: str
    width: float
    whole: float = 1.0  # the value that takes the whole width
    rows: Sequence[Row] = ()
    swatches: Sequence[Swatch] = ()
    empty: str = ""


Drawing = Chart | Rows
