"""Legends of charts as SVG text, with the strokes of what they name."""

from __future__ import annotations

from collections.abc import Iterable

from iota.charts.description import INK, Line, Swatch
from iota.charts.svg_shapes import LETTER_PX, label, shape

LINE_PX = 14.0  # from one line of text to the next


def legend(entries: Iterable[Line | Swatch], left: float, right: float, y: float) -> tuple[str, float]:
    """A legend in as many lines as it needs, the first with its letters on ``y``; and where the last of them is."""
    parts, x = [], left
    for entry in entries:
        words = entry.name if isinstance(entry, Line) else entry.words
        wide = 31 + LETTER_PX * len(words)
        if x > left and x + wide - 16 > right:
            x, y = left, y + LINE_PX + 3
        if isinstance(entry, Line):
            key = shape("line", x1=x, x2=x + 15, y1=y - 4, y2=y - 4, **stroke(entry))
            pick = None
        else:
            key = shape("rect", x=x, y=y - 9, width=10, height=10, rx=2, fill=entry.colour or "none",
                        fill_opacity=entry.opacity, **outline(entry.colour, "2 2"))  # fmt: skip
            pick = entry.pick
        parts.append(shape("g", key + label(x + (19 if isinstance(entry, Line) else 15), y, words, "start"),
                           data_pick=pick))  # fmt: skip
        x += wide
    return "".join(parts), y


def stroke(line: Line) -> dict[str, object]:
    """Attributes of a line."""
    dashes = None if line.dashes is None else f"{line.dashes[0]:g} {line.dashes[1]:g}"
    return {"stroke": line.colour, "stroke_width": line.width, "stroke_dasharray": dashes}


def outline(colour: str | None, dashes: str) -> dict[str, object]:
    """Attributes of the edge of an area: dashed where it has no colour."""
    return {} if colour else {"stroke": INK, "stroke_opacity": 0.5, "stroke_dasharray": dashes}
