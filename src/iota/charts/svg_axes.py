"""Draws a chart with x and y axes (bars, lines, cells, grid, labels) as SVG text."""

from __future__ import annotations

from collections.abc import Sequence

from iota.charts.axes import Scale
from iota.charts.colours import ink_on
from iota.charts.description import (
    INK,
    X_TICK_PX,
    Y_TICK_PX,
    Axis,
    Band,
    Bars,
    Cells,
    Chart,
    Circle,
    Cross,
    Line,
    Mark,
    Point,
    Upright,
)
from iota.charts.svg_legend import LINE_PX, legend, stroke
from iota.charts.svg_shapes import LETTER_PX, document, label, label_within, picture, shape, tip


class AxesPainter:
    """A chart whose drawing area is laid out; :meth:`text` paints it."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._width, self._height = chart.size
        _, top = self._header(44.0)
        bottom = self._height - (34.0 if chart.x.title else 20.0)
        self._y_ticks = [] if chart.y is None else chart.y.tick_texts((bottom - top) / Y_TICK_PX)
        longest = max((len(words) for _, words in self._y_ticks), default=0)
        left = 8.0 if chart.y is None else max(44.0, 26.0 + LETTER_PX * longest)
        right = self._width - (10.0 if chart.right is None else 46.0)
        if chart.aspect is not None and chart.y is not None:
            wide, high = chart.x.high - chart.x.low, (chart.y.high - chart.y.low) * chart.aspect
            px = min((right - left) / wide, (bottom - top) / high)
            spare_x, spare_y = (right - left - px * wide) / 2, (bottom - top - px * high) / 2
            left, right, top, bottom = left + spare_x, right - spare_x, top + spare_y, bottom - spare_y
        self._head, _ = self._header(left)
        self._x = Scale(*chart.x.ends, left, right)
        self._y = Scale(*(chart.y or Axis()).ends, bottom, top)
        self._right = None if chart.right is None else Scale(*chart.right.ends, bottom, top)

    def _header(self, left: float) -> tuple[str, float]:
        """What stands above the drawing area, and where that begins."""
        chart, y = self._chart, -1.0
        parts = []
        lines = [(chart.caption, "600")] if chart.caption else []
        for words, weight in [*lines, *((note, None) for note in chart.notes)]:
            y += LINE_PX
            x = max(1.0, min(left, self._width - 1.1 * LETTER_PX * len(words)))  # long lines begin farther left
            parts.append(label(x, y, words, "start", font_weight=weight))
        if chart.legend:
            words, y = legend(chart.legend, left, self._width, y + LINE_PX)
            parts.append(words)
        if any(isinstance(mark, Upright) for mark in chart.marks):
            y += LINE_PX
        return "".join(parts), max(y, 0.0) + 8.0

    def text(self) -> str:
        """The whole picture."""
        marks = "".join(map(self._mark, self._chart.marks))
        inner = self._head + self._grid() + marks + self._x_axis() + self._y_axis() + self._right_axis()
        return document(self._width, self._height, self._chart.title, inner)

    # -- marks

    def _mark(self, mark: Mark) -> str:
        match mark:
            case Bars():
                return self._bars(mark)
            case Line():
                return self._line(mark)
            case Band():
                return shape("polygon", points=self._places([*mark.low, *reversed(mark.high)]), fill=mark.colour,
                             fill_opacity=0.18)  # fmt: skip
            case Upright():
                return self._upright(mark)
            case Cells():
                return self._cells(mark)
            case Circle():
                return self._circle(mark)
            case Cross():
                x, y = self._x(mark.x), self._y(mark.y)
                return shape("path", d=f"M{x - 6:.1f} {y:.1f}h12M{x:.1f} {y - 6:.1f}v12", stroke=INK, stroke_width=1.4)

    def _places(self, points: Sequence[Point], y: Scale | None = None) -> str:
        return " ".join(f"{self._x(a):.1f},{(y or self._y)(b):.1f}" for a, b in points)

    def _bars(self, mark: Bars) -> str:
        """Bars; where one can be picked, the whole column above it can."""
        parts, bottom, top = [], self._y.start, self._y.end
        for bar in mark.bars:
            x0, x1 = sorted((self._x(bar.low), self._x(bar.high)))
            gap = min(0.5, (x1 - x0) / 8)
            high = max(bottom - self._y(bar.value), 0.7 if bar.value > 0 else 0.0)
            room = shape("rect", x=x0, y=top, width=x1 - x0, height=bottom - top, fill="transparent")
            body = shape("rect", x=x0 + gap, y=bottom - high, width=max(x1 - x0 - 2 * gap, 0.3), height=high,
                         fill=mark.colour)  # fmt: skip
            parts.append(shape("g", tip(bar.tip) + room + body, data_pick=bar.pick))
        return "".join(parts)

    def _line(self, mark: Line) -> str:
        if not mark.points:
            return ""
        y = self._right if mark.is_on_right and self._right is not None else self._y
        dots = [
            shape("circle", cx=self._x(a), cy=y(b), r=max(2.4, mark.width + 0.8), fill=mark.colour)
            for a, b in (mark.points if mark.has_dots else ())
        ]
        return "".join([
            shape("polyline", points=self._places(mark.points, y), fill="none", stroke_linejoin="round",
                  **stroke(mark)),
            *dots,
        ])  # fmt: skip

    def _upright(self, mark: Upright) -> str:
        x = round(self._x(mark.value), 1)
        line = shape("line", x1=x, x2=x, y1=self._y.start, y2=self._y.end - 2, stroke=INK, stroke_width=1.2,
                     stroke_dasharray="4 2")  # fmt: skip
        return line + label_within(x, self._y.end - 6, mark.words, self._width)

    def _cells(self, mark: Cells) -> str:
        x0, x1 = sorted(map(self._x, mark.x))
        y0, y1 = sorted(map(self._y, mark.y))
        if mark.texts is None:
            return picture(mark.pixels[::-1], x0, y0, x1 - x0, y1 - y0)
        n_rows, n_columns, _ = mark.pixels.shape
        wide, high = (x1 - x0) / n_columns, (y1 - y0) / n_rows
        parts = []
        for row, texts in enumerate(mark.texts):
            for column, words in enumerate(texts):
                red, green, blue, _ = mark.pixels[row, column].tolist()
                x, y = x0 + column * wide, y1 - (row + 1) * high
                cell = shape("rect", x=x, y=y, width=wide - 1, height=high - 1, fill=f"rgb({red},{green},{blue})")
                number = label(x + wide / 2, y + high / 2 + 4, words, fill=ink_on(red, green, blue))
                parts.append(shape("g", tip(mark.tips[row][column] if mark.tips else "") + cell + number))
        return "".join(parts)

    def _circle(self, mark: Circle) -> str:
        left, top = self._x.start, self._y.end
        wide, high = self._x.end - left, self._y.start - top
        radius = abs(self._x(mark.x + mark.radius) - self._x(mark.x))
        circle = shape("circle", cx=self._x(mark.x), cy=self._y(mark.y), r=radius, fill="none", stroke=INK,
                       stroke_dasharray="4 3")  # fmt: skip
        return shape("svg", circle, x=left, y=top, width=wide, height=high, overflow="hidden",
                     viewBox=f"{left:g} {top:g} {wide:g} {high:g}")  # fmt: skip

    # -- axes

    def _grid(self) -> str:
        if not self._chart.has_grid or self._chart.y is None:
            return ""
        lines = [
            shape("line", x1=self._x.start, x2=self._x.end, y1=round(self._y(value), 1), y2=round(self._y(value), 1))
            for value, _ in self._y_ticks
        ]
        return shape("g", "".join(lines), stroke=INK, stroke_opacity=0.14)

    def _x_axis(self) -> str:
        left, right, bottom = self._x.start, self._x.end, self._y.start
        parts = [shape("path", d=f"M{left} {bottom}H{right}", fill="none", stroke=INK, opacity=0.55)]
        for value, words in self._chart.x.tick_texts((right - left) / X_TICK_PX):
            x = round(self._x(value), 1)
            parts.append(shape("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, stroke=INK, opacity=0.55))
            parts.append(label_within(x, bottom + 15, words, self._width, opacity=0.85))
        parts.append(label((left + right) / 2, min(self._height - 4, bottom + 30), self._chart.x.title))
        return "".join(parts)

    def _y_axis(self) -> str:
        if self._chart.y is None:
            return ""
        left = self._x.start
        parts = [shape("path", d=f"M{left} {self._y.end}V{self._y.start}", fill="none", stroke=INK, opacity=0.55)]
        parts += [label(left - 5, self._y(v) + 3.5, words, "end", opacity=0.85) for v, words in self._y_ticks]
        longest = max((len(words) for _, words in self._y_ticks), default=0)
        return "".join([*parts, self._upwards(max(10.0, left - 14 - LETTER_PX * longest), self._chart.y.title)])

    def _right_axis(self) -> str:
        if self._chart.right is None or self._right is None:
            return ""
        x = self._x.end
        parts = [shape("path", d=f"M{x} {self._y.end}V{self._y.start}", fill="none", stroke=INK, opacity=0.55)]
        for value, words in self._chart.right.tick_texts((self._y.start - self._y.end) / Y_TICK_PX):
            parts.append(label(x + 5, self._right(value) + 3.5, words, "start", opacity=0.85))
        return "".join([*parts, self._upwards(self._width - 6, self._chart.right.title)])

    def _upwards(self, x: float, words: str) -> str:
        middle = (self._y.start + self._y.end) / 2
        return label(x, middle, words, transform=f"rotate(-90 {x:g} {middle:g})")
