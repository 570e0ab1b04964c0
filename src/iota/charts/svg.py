"""Descriptions painted as SVG text, for pages and reports.

Lines and letters take ``currentColor``, so that they follow light and dark pages.  What can be clicked carries
``data-pick``; the page sends its value back.
"""

from __future__ import annotations

from collections.abc import Sequence

from iota.charts.description import INK, Drawing, Rows, Segment
from iota.charts.svg_axes import AxesPainter
from iota.charts.svg_legend import legend, outline
from iota.charts.svg_shapes import LETTER_PX, document, label, shape, tip

_CLICKABLE_PX = 7.0  # width of a segment, however little it stands for
_ROW_PX = 30.0


def svg(drawing: Drawing) -> str:
    """Paint a description."""
    if isinstance(drawing, Rows):
        return _empty(drawing.width, 70, drawing) if drawing.empty else _rows(drawing)
    return _empty(*drawing.size, drawing) if drawing.empty else AxesPainter(drawing).text()


def _empty(width: float, height: float, drawing: Drawing) -> str:
    frame = shape("rect", x=1, y=1, width=width - 2, height=height - 2, rx=4, fill="none", stroke=INK,
                  stroke_opacity=0.2, stroke_dasharray="4 4")  # fmt: skip
    return document(width, height, drawing.title, frame + label(width / 2, height / 2, drawing.empty, opacity=0.7))


def _rows(drawing: Rows) -> str:
    has_labels = any(row.label for row in drawing.rows)
    left, right = (112.0, drawing.width - 58.0) if has_labels else (1.0, drawing.width - 1.0)
    parts, y = [], 2.0
    for row in drawing.rows:
        if row.label:
            parts.append(label(left - 8, y + 15, row.label, "end"))
        x = left
        for segment, wide in zip(row.segments, _widths(row.segments, drawing.whole, right - left), strict=True):
            parts.append(_segment(segment, x, y, wide))
            x += wide
        if row.total:
            parts.append(label(right + 6, y + 15, row.total, "start"))
        y += _ROW_PX
    if drawing.swatches:
        words, y = legend(drawing.swatches, 1.0, drawing.width, y + 16)
        parts.append(words)
        y += 6
    return document(drawing.width, y, drawing.title, "".join(parts))


def _widths(segments: Sequence[Segment], whole: float, room: float) -> list[float]:
    """Widths in proportion, but wide enough to be clicked; what that takes comes from the large ones."""
    widths = [segment.value / whole * room for segment in segments]
    lacking = sum(max(0.0, _CLICKABLE_PX - w) for w in widths)
    large = sum(w - _CLICKABLE_PX for w in widths if w > _CLICKABLE_PX)
    fraction = min(1.0, lacking / large) if large > 0 else 0.0
    return [max(_CLICKABLE_PX, w - fraction * (w - _CLICKABLE_PX)) for w in widths]


def _segment(segment: Segment, x: float, y: float, wide: float) -> str:
    body = shape("rect", x=x, y=y, width=wide - 1, height=24, rx=2, fill=segment.colour or "none",
                 **outline(segment.colour, "3 3"))  # fmt: skip
    if segment.words and wide > len(segment.words) * LETTER_PX + 8:
        body += label(x + wide / 2, y + 16, segment.words, fill="#111")
    return shape("g", tip(segment.tip) + body, data_pick=segment.pick)
