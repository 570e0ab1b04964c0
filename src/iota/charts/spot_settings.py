"""Which spot-finding settings of a grid search led to lattices, and which were chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from iota.charts.axes import number_text
from iota.charts.colours import coloured
from iota.charts.description import Axis, Cells, Chart

_KINDS = ((1, "Frames indexed with each setting"), (2, "Frames for which each setting was chosen"))


def heat_maps(points: Mapping[tuple[int, int], Sequence[int]]) -> list[Chart]:
    """Describe how many frames each setting led to a lattice on, and for how many it was chosen.

    Args:
        points: spot area (px) and height -> times tried, with a lattice, chosen; see ``analysis.grid_tally``.
    """
    return [_heat_map(points, which, title) for which, title in _KINDS]


def _heat_map(points: Mapping[tuple[int, int], Sequence[int]], which: int, title: str) -> Chart:
    size = (360.0, 300.0)
    if not points:
        return Chart(title=title, size=size, empty="No grid search in this run")
    areas = sorted({area for area, _ in points})
    heights = sorted({height for _, height in points})
    counts = np.array([[points.get((area, height), (0, 0, 0))[which] for area in areas] for height in heights])
    tips = [
        [
            f"area {area} px, height {height}: {n} {'frame' if n == 1 else 'frames'}"
            for area, n in zip(areas, row, strict=True)
        ]
        for height, row in zip(heights, counts.tolist(), strict=True)
    ]
    return Chart(
        title=title,
        size=size,
        x=_axis("spot area", "px", areas),
        y=_axis("spot height", "", heights),
        marks=[
            Cells(
                coloured(counts / max(1, counts.max())),
                (0, len(areas)),
                (0, len(heights)),
                texts=[[number_text(n, 1) for n in row] for row in counts.tolist()],
                tips=tips,
            )
        ],
        notes=[title],
        has_grid=False,
    )


def _axis(label: str, unit: str, values: Sequence[int]) -> Axis:
    ticks = [(k + 0.5, str(value)) for k, value in enumerate(values)]
    return Axis(label=label, unit=unit, high=len(values), ticks=ticks)
