"""Quality of merged intensities, by resolution and over lattices."""

from __future__ import annotations

from collections.abc import Sequence

from iota.analysis.intensities.merged import CurvePoint, Shell
from iota.charts.colours import LATTICES, OUTCOME_COLOURS
from iota.charts.description import Axis, Chart, Line, Point

_SIZE = (440.0, 220.0)


def by_resolution(shells: Sequence[Shell]) -> Chart:
    """Describe CC1/2 and completeness in the shells of table 1."""
    cc = [(k + 0.5, 100 * x.cc_half) for k, x in enumerate(shells) if x.cc_half is not None]
    completeness = [(k + 0.5, 100 * shell.completeness) for k, shell in enumerate(shells)]
    return _quality("By resolution", shell_axis([shell.d_min_A for shell in shells]), cc, completeness)


def over_lattices(curve: Sequence[CurvePoint]) -> Chart:
    """Describe CC1/2 and completeness of the first n lattices."""
    cc = [(float(x.n_lattices), 100 * x.cc_half) for x in curve if x.cc_half is not None]
    completeness = [(float(x.n_lattices), 100 * x.completeness) for x in curve]
    most = float(max((x.n_lattices for x in curve), default=1))
    axis = Axis(label="number of lattices, in order of collection", high=most, is_whole=True)
    return _quality("By number of lattices", axis, cc, completeness)


def strength(shells: Sequence[Shell]) -> Chart:
    """Describe I/sigma of merged intensities in shells."""
    points = [(k + 0.5, x.i_over_sigma) for k, x in enumerate(shells) if x.i_over_sigma is not None]
    return _single("I/σ of merged intensities", "I/σ", shells, points)


def multiplicity(shells: Sequence[Shell]) -> Chart:
    """Describe the mean number of measurements of a reflection in shells."""
    points = [(k + 0.5, shell.multiplicity) for k, shell in enumerate(shells)]
    return _single("Multiplicity", "multiplicity", shells, points)


def shell_axis(limits_A: Sequence[float]) -> Axis:
    """An axis along which shells are side by side, each as wide as the others, with ticks at their limits."""
    every = 1 if len(limits_A) <= 6 else 2
    ticks = [(float(k), f"{limit:.2f}") for k, limit in enumerate(limits_A, start=1) if k % every == 0]
    return Axis(label="resolution limit of shell", unit="Å", high=float(max(len(limits_A), 1)), ticks=ticks)


def _quality(title: str, x: Axis, cc: Sequence[Point], completeness: Sequence[Point]) -> Chart:
    lines = [
        Line(points=cc, colour=LATTICES, name="CC½ (%)", has_dots=True),
        Line(points=completeness, colour=OUTCOME_COLOURS["failed_refinement"], dashes=(6, 3), name="completeness (%)",
             has_dots=True),
    ]  # fmt: skip
    y = Axis(label="%", low=min([0.0, *(value for _, value in cc)]), high=100.0)
    return Chart(title=title, size=_SIZE, x=x, y=y, marks=lines, empty="" if completeness else "No merged intensities")


def _single(title: str, label: str, shells: Sequence[Shell], points: Sequence[Point]) -> Chart:
    high = 1.06 * max((value for _, value in points), default=1.0)
    return Chart(
        title=title,
        size=_SIZE,
        x=shell_axis([shell.d_min_A for shell in shells]),
        y=Axis(label=label, low=min([0.0, *(value for _, value in points)]), high=max(high, 1e-6)),
        marks=[Line(points=points, colour=LATTICES, has_dots=True)],
        empty="" if points else "No merged intensities",
    )
