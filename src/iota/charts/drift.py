"""How the detector moved during a run: measured means of blocks of lattices, and the course that is followed."""

from __future__ import annotations

from collections.abc import Sequence

from iota.charts.colours import LATTICES, SELECTED
from iota.charts.description import INK, Axis, Band, Chart, Line, Mark
from iota.geometry.deviations import DISTANCE, SHIFTS
from iota.geometry.drift.record import Course, DriftBlock, GeometryDrift

_Z_95 = 1.96
_ROOM = 0.08  # of the range of values, above and below
_SMALLEST_MM = 0.01  # range of values
_SHIFTS = dict(zip(SHIFTS, ((INK, "x, to the right"), (LATTICES, "y, up")), strict=True))


def drift_charts(drift: GeometryDrift | None) -> list[Chart]:
    """Describe the changes of distance and of shift with bands in which the true ones lie with 95 %.

    Empty if nothing was measured.
    """
    if drift is None:
        return []
    shown = [
        ("Drift of the distance", [(one, SELECTED, "distance") for one in drift.courses if one.name == DISTANCE]),
        (
            "Drift of the detector across the beam",
            [(one, *_SHIFTS[one.name]) for one in drift.courses if one.name in SHIFTS],
        ),
    ]
    return [_chart(title, courses, drift.blocks) for title, courses in shown if courses]


def _chart(title: str, courses: Sequence[tuple[Course, str, str]], blocks: Sequence[DriftBlock]) -> Chart:
    marks: list[Mark] = []
    ends = []
    at = [0.5 * (block.first + block.last) for block in blocks]
    for course, colour, words in courses:
        errors = [_Z_95 * error for error in course.uncertainty_mm]
        low = [value - error for value, error in zip(course.measured_mm, errors, strict=True)]
        high = [value + error for value, error in zip(course.measured_mm, errors, strict=True)]
        ends += [min(low), max(high)]
        name = f"{words}: {_said(course)}"
        marks += [
            Band(list(zip(at, low, strict=True)), list(zip(at, high, strict=True)), colour),
            Line(points=list(zip(at, course.measured_mm, strict=True)), colour=colour, width=1.0, has_dots=True),
            Line(points=list(zip(at, course.followed_mm, strict=True)), colour=colour, width=2.4, name=name),
        ]
    room = max(_SMALLEST_MM, (1.0 + 2.0 * _ROOM) * (max(ends) - min(ends)))
    middle = 0.5 * (max(ends) + min(ends))
    return Chart(
        title=title,
        size=(560.0, 230.0),
        x=Axis(label="image", low=blocks[0].first, high=blocks[-1].last, is_whole=True),
        y=Axis(label="change", unit="mm", low=middle - 0.5 * room, high=middle + 0.5 * room),
        marks=marks,
        caption=title,
    )


def _said(course: Course) -> str:
    if not course.is_significant:
        return "no significant change"
    return f"{course.direction} by {course.change_mm:.3f} mm ({course.displacement_px:.2f} px)"
