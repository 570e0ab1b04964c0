"""SVG text: a drawing area with axes, and the few shapes that charts are made of.

Lines and letters take ``currentColor``, so that they follow light and dark pages.  What can be clicked carries
``data-pick``; the page sends its value back.
"""

from __future__ import annotations

import base64
import struct
import zlib
from html import escape

import numpy as np
import numpy.typing as npt

from iota.report.charts.axes import Scale, number_text, step_for

LETTER_PX = 5.6  # mean width of a letter of the size below
_FONT = 'font-family="inherit" font-size="11"'


def shape(name: str, inner: str = "", /, **attributes: object) -> str:
    """One element; ``stroke_width`` becomes ``stroke-width``, and None is left out."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{words}>{inner}</{name}>" if inner else f"<{name}{words}/>"


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def label(x: float, y: float, words: str, anchor: str = "middle", **attributes: object) -> str:
    """Letters at a place."""
    return shape("text", escape(words), x=round(x, 1), y=round(y, 1), text_anchor=anchor, **attributes)


def document(width: float, height: float, title: str, inner: str) -> str:
    """A whole picture, as wide as the room it gets; the title is what screen readers say."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" width="100%"'
        f' style="display:block" fill="currentColor" {_FONT}><title>{escape(title)}</title>{inner}</svg>'
    )


class Plot:
    """A drawing area with two axes, drawn at the end around what was added.

    ``x`` and ``y`` are the scales; a chart adds shapes and calls :meth:`text`.
    """

    def __init__(
        self,
        width: float,
        height: float,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        left: float = 44,
        right: float = 10,
        top: float = 20,
        bottom: float = 34,
    ) -> None:
        self.width, self.height = width, height
        self.x = Scale(*x, left, width - right)
        self.y = Scale(*y, height - bottom, top)
        self._parts: list[str] = []

    def add(self, *parts: str) -> None:
        """Add shapes above those of before."""
        self._parts += parts

    def bar(self, low: float, high: float, value: float, colour: str, pick: str | None, tip: str) -> None:
        """A bar from the bottom to a value; where it can be picked the whole column above it can."""
        x0, x1 = sorted((self.x(low), self.x(high)))
        top, bottom = self.y(value), self.y.start
        gap = min(0.5, (x1 - x0) / 8)
        body = shape(
            "rect",
            x=x0 + gap,
            y=top,
            width=max(x1 - x0 - 2 * gap, 0.3),
            height=max(bottom - top, 0.7 if value > 0 else 0.0),
            fill=colour,
        )
        room = shape("rect", x=x0, y=self.y.end, width=x1 - x0, height=bottom - self.y.end, fill="transparent")
        self.add(shape("g", f"<title>{escape(tip)}</title>{room}{body}", data_pick=pick))

    def line(
        self, points: list[tuple[float, float]], colour: str, width: float = 1.8, dashes: str | None = None
    ) -> None:
        """A line through values."""
        places = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        self.add(shape("polyline", points=places, fill="none", stroke=colour, stroke_width=width,
                       stroke_dasharray=dashes, stroke_linejoin="round"))  # fmt: skip

    def band(self, low: list[tuple[float, float]], high: list[tuple[float, float]], colour: str) -> None:
        """The area between two lines."""
        places = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in [*low, *reversed(high)])
        self.add(shape("polygon", points=places, fill=colour, fill_opacity=0.18))

    def upright(self, value: float, words: str = "") -> None:
        """A dashed line over the whole height, with words above it."""
        x = round(self.x(value), 1)
        self.add(
            shape(
                "line",
                x1=x,
                x2=x,
                y1=self.y.start,
                y2=self.y.end - 2,
                stroke="currentColor",
                stroke_width=1.2,
                stroke_dasharray="4 2",
            )
        )
        if words:
            half = len(words) * LETTER_PX / 2
            self.add(label(min(max(x, half + 2), self.width - half - 2), self.y.end - 6, words))

    def text(
        self, title: str, x_label: str, y_label: str, *, whole_y: bool = False, grid: bool = True, x_ticks: bool = True
    ) -> str:
        """The whole picture.  ``whole_y`` writes whole numbers only at the upright axis."""
        return document(
            self.width,
            self.height,
            title,
            "".join([self._grid(whole_y) if grid else "", *self._parts])
            + self._axes(x_label, y_label, whole_y, x_ticks),
        )

    def _y_ticks(self, whole: bool) -> tuple[list[float], float]:
        most = max(2, int((self.y.start - self.y.end) / 28))
        low, high = sorted((self.y.low, self.y.high))
        step = step_for(high - low, most)
        found = Scale(low, high, 0, 1).ticks(most)
        return ([t for t in found if t == round(t)] if whole else found), (max(step, 1.0) if whole else step)

    def _grid(self, whole_y: bool) -> str:
        lines = [
            shape("line", x1=self.x.start, x2=self.x.end, y1=round(self.y(t), 1), y2=round(self.y(t), 1))
            for t in self._y_ticks(whole_y)[0]
        ]
        return shape("g", "".join(lines), stroke="currentColor", stroke_opacity=0.14)

    def _axes(self, x_label: str, y_label: str, whole_y: bool, x_ticks: bool) -> str:
        left, right, bottom, top = self.x.start, self.x.end, self.y.start, self.y.end
        parts = [shape("path", d=f"M{left} {top}V{bottom}H{right}", fill="none", stroke="currentColor", opacity=0.55)]
        low, high = sorted((self.x.low, self.x.high))
        most = max(2, int((right - left) / 52))
        step = step_for(high - low, most)
        for tick in Scale(low, high, 0, 1).ticks(most) if x_ticks else ():
            x = round(self.x(tick), 1)
            parts.append(shape("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, stroke="currentColor", opacity=0.55))
            words = number_text(tick, step)
            half = len(words) * LETTER_PX / 2
            parts.append(label(min(max(x, half), self.width - half - 1), bottom + 15, words, opacity=0.85))
        values, y_step = self._y_ticks(whole_y)
        numbers = [number_text(t, y_step) for t in values]
        parts += [
            label(left - 5, self.y(t) + 3.5, number, "end", opacity=0.85)
            for t, number in zip(values, numbers, strict=True)
        ]
        parts.append(label((left + right) / 2, min(self.height - 4, bottom + 30), x_label))
        middle = (top + bottom) / 2
        at = max(10.0, left - 14 - LETTER_PX * max(map(len, numbers), default=0))
        parts.append(label(at, middle, y_label, transform=f"rotate(-90 {at:g} {middle:g})"))
        return "".join(parts)


def empty(width: float, height: float, title: str, sentence: str) -> str:
    """The face of a chart that has nothing to show yet."""
    frame = shape(
        "rect",
        x=1,
        y=1,
        width=width - 2,
        height=height - 2,
        rx=4,
        fill="none",
        stroke="currentColor",
        stroke_opacity=0.2,
        stroke_dasharray="4 4",
    )
    return document(width, height, title, frame + label(width / 2, height / 2, sentence, opacity=0.7))


def picture(pixels: npt.NDArray[np.uint8], x: float, y: float, width: float, height: float) -> str:
    """Pixels as an image within a picture, one rectangle each; `[rows, columns, 4]`, red green blue opacity."""
    href = "data:image/png;base64," + base64.b64encode(png(pixels)).decode()
    return shape(
        "image",
        href=href,
        x=x,
        y=y,
        width=width,
        height=height,
        preserveAspectRatio="none",
        style="image-rendering:pixelated",
    )


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Pixels as a PNG file; `[rows, columns, 4]`."""
    rows, columns, _ = pixels.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], axis=1)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 6, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes(), 6)),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body
