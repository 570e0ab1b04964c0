"""Panels of a detector as seen along the beam, with arrows for their displacements in a refinement."""

from __future__ import annotations

import math

import numpy as np

from iota.charts.colours import SELECTED
from iota.charts.description import Axis, Chart, Cross, Line
from iota.geometry.displacements import Displacements, displacements, outlines
from iota.geometry.panels import Panels
from iota.geometry.prediction import Array

_LONGEST = 0.6  # of the distance between neighbouring places, for the longest arrow
_HEAD = 0.28  # of an arrow's length
_WIDTH_PX, _HEAD_PX = 460.0, 40.0  # of a chart, and the height of what is written above it and below
_NONE_PX = 1e-4  # less is not drawn
_OUTLINE = "#8a8a8a"  # of panels: the cross is seen where they meet


def displacement_chart(before: Panels, after: Panels, s0: Array, caption: str = "") -> Chart:
    """Describe how a detector moved: outlines of its panels, and arrows by which pixels moved as seen from the sample.

    Args:
        before: panels.
        after: the same panels elsewhere.
        s0: direction of the beam, `[3]`.
        caption: above the chart.
    """
    found = displacements(before, after, s0)
    shapes = outlines(before, s0)
    low, high = shapes.min(axis=(0, 1)), shapes.max(axis=(0, 1))
    margin = 0.06 * float((high - low).max())
    longest = float(found.length_px.max())
    marks: list[Line | Cross] = [
        Line(points=[(x, y) for x, y in shape.tolist()], colour=_OUTLINE, width=0.8) for shape in shapes
    ]
    notes = ["seen along the beam; the cross marks the beam"]
    if longest > _NONE_PX:
        times = _magnification(found, math.sqrt(float(np.prod(high - low)) / len(found.at_mm)))
        marks += _arrows(found, times)
        lengths = f"maximum {longest:.2g} px, median {float(np.median(found.length_px)):.2g} px"
        notes.insert(0, f"displacements {_scale_text(times)}; {lengths}")
    else:
        notes.insert(0, "no displacement")
    size = (high - low + 2 * margin).tolist()
    return Chart(
        title=caption or "Displacement of panels",
        size=(_WIDTH_PX, min(1.6, max(0.5, size[1] / size[0])) * _WIDTH_PX + _HEAD_PX),
        x=Axis(label="x, to the right", unit="mm", low=low[0] - margin, high=high[0] + margin),
        y=Axis(label="y, up", unit="mm", low=low[1] - margin, high=high[1] + margin),
        marks=[*marks, Cross(0.0, 0.0)],
        caption=caption,
        notes=notes,
        has_grid=False,
        aspect=1.0,
    )


def _magnification(found: Displacements, spacing_mm: float) -> float:
    """A round number of times that makes the longest arrow long enough to be seen."""
    wanted = _LONGEST * spacing_mm / float(np.linalg.norm(found.by_mm, axis=1).max())
    power = 10.0 ** math.floor(math.log10(wanted))
    return max(power * k for k in (1, 2, 5) if power * k <= wanted * (1 + 1e-9))


def _scale_text(times: float) -> str:
    if times == 1:
        return "to scale"
    return f"enlarged {times:g} times" if times > 1 else f"reduced to {times:g} of their length"


def _arrows(found: Displacements, times: float) -> list[Line]:
    arrows = []
    for start, by in zip(found.at_mm, times * found.by_mm, strict=True):
        end = start + by
        left, right = (end - _HEAD * (turn @ by) for turn in _TURNS)
        points = [start, end, left, end, right]
        arrows.append(Line(points=[(float(x), float(y)) for x, y in points], colour=SELECTED, width=1.4))
    return arrows


_TURNS = [np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]) for a in (0.45, -0.45)]
