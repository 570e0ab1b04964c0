"""Where the beam meets the detector, as the lattices of a run say, and which spot-finding settings they like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.report.charts.axes import number_text
from iota.report.charts.colours import few_to_many
from iota.report.charts.svg import Plot, document, empty, label, picture, shape

MOST_POINTS = 50_000  # more change no picture that a person can see


def beam_chart(
    x_mm: npt.NDArray[np.floating[Any]],
    y_mm: npt.NDArray[np.floating[Any]],
    one_index_mm: float | None = None,
    *,
    median: tuple[float, float] | None = None,
    width: float = 340,
    height: float = 320,
    cells: int = 60,
) -> str:
    """Beam centres of lattices as counts in squares, with the circle on which frames misindexed by one would lie.

    Args:
        x_mm: beam centre along the fast axis, `[n]`; not a number where unknown.
        y_mm: the same along the slow axis.
        one_index_mm: radius of that circle, None when it is not known.
        median: of both, where it is known of more lattices than these.
        width: of the picture (px).
        height: of the picture (px).
        cells: number of squares across.
    """
    title = "Beam centre"
    known = np.isfinite(x_mm) & np.isfinite(y_mm)
    x, y = x_mm[known].astype(float), y_mm[known].astype(float)
    if not len(x):
        return empty(width, height, title, "No integrated lattices yet")
    stride = -(-len(x) // MOST_POINTS)
    x, y = x[::stride], y[::stride]
    middle_x, middle_y = median or (float(np.median(x)), float(np.median(y)))
    reach = max(float(np.quantile(np.hypot(x - middle_x, y - middle_y), 0.98)) * 1.3, 0.05)
    left, right, top, bottom = 56.0, 10.0, 36.0, 34.0
    side_x, side_y = width - left - right, height - top - bottom
    reach_x, reach_y = reach * max(1.0, side_x / side_y), reach * max(1.0, side_y / side_x)
    plot = Plot(width, height, (middle_x - reach_x, middle_x + reach_x), (middle_y - reach_y, middle_y + reach_y),
                left=left, right=right, top=top, bottom=bottom)  # fmt: skip
    n_x, n_y = cells, max(1, round(cells * side_y / side_x))
    counts, _, _ = np.histogram2d(y, x, bins=(n_y, n_x), range=((plot.y.low, plot.y.high), (plot.x.low, plot.x.high)))
    plot.add(picture(_coloured(counts[::-1]), plot.x.start, plot.y.end, side_x, side_y))
    if one_index_mm is not None:
        at_x, at_y = plot.x(middle_x), plot.y(middle_y)
        radius = one_index_mm / (plot.x.high - plot.x.low) * side_x
        words = f"misindexed by one: {one_index_mm:.2f} mm"
        if radius < np.hypot(side_x, side_y) / 2:
            clip = shape("clipPath", shape("rect", x=left, y=top, width=side_x, height=side_y), id="beam-area")
            plot.add(clip, shape("circle", cx=at_x, cy=at_y, r=radius, fill="none", stroke="currentColor",
                                 stroke_dasharray="4 3", clip_path="url(#beam-area)"))  # fmt: skip
        plot.add(label(left, 28, words, "start", opacity=0.8))
    beside = len(x) - int(counts.sum())
    words = f"median {middle_x:.3f}, {middle_y:.3f} mm" + (f" · {beside} out of range" if beside else "")
    plot.add(label(left, 13, words, "start"), _cross(plot.x(middle_x), plot.y(middle_y)))
    return plot.text(title, "beam x, fast axis (mm)", "beam y, slow axis (mm)")


def _cross(x: float, y: float) -> str:
    return shape("path", d=f"M{x - 6:.1f} {y:.1f}h12M{x:.1f} {y - 6:.1f}v12", stroke="currentColor", stroke_width=1.4)


def _coloured(counts: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint8]:
    share = np.log1p(counts) / max(float(np.log1p(counts.max())), 1e-9)
    pixels = np.zeros((*counts.shape, 4), np.uint8)
    pixels[..., :3] = few_to_many(0.15 + 0.85 * share)
    pixels[..., 3] = np.where(counts > 0, 255, 0)
    return pixels


def heat_map(
    points: Mapping[tuple[int, int], Sequence[int]], which: int, title: str, width: float = 360, height: float = 300
) -> str:
    """How many frames each spot-finding setting of a grid search served.

    Args:
        points: spot area (px) and height -> times tried, with a lattice, chosen; see ``analysis.grid_tally``.
        which: which of the three is shown.
        title: what that is.
        width: of the picture (px).
        height: of the picture (px).
    """
    if not points:
        return empty(width, height, title, "No grid search in this run")
    areas = sorted({area for area, _ in points})
    heights = sorted({height for _, height in points})
    left, top, bottom, right = 46.0, 26.0, 44.0, 10.0
    wide, high = (width - left - right) / len(areas), (height - top - bottom) / len(heights)
    largest = max(1, max(tally[which] for tally in points.values()))
    parts = [label(left, 16, f"{title} (frames)", "start")]
    for row, spot_height in enumerate(reversed(heights)):
        y = top + row * high
        parts.append(label(left - 6, y + high / 2 + 4, str(spot_height), "end"))
        for column, area in enumerate(areas):
            n = points.get((area, spot_height), (0, 0, 0))[which]
            red, green, blue = few_to_many(np.array([n / largest]))[0].tolist()
            ink = "#111" if 0.3 * red + 0.59 * green + 0.11 * blue > 120 else "#fff"
            x = left + column * wide
            cell = shape("rect", x=x, y=y, width=wide - 1, height=high - 1, fill=f"rgb({red},{green},{blue})")
            tip = f"<title>area {area} px, height {spot_height}: {n} frames</title>"
            number = label(x + wide / 2, y + high / 2 + 4, number_text(n, 1), fill=ink)
            parts.append(shape("g", tip + cell + number))
    parts += [label(left + (k + 0.5) * wide, height - bottom + 14, str(area)) for k, area in enumerate(areas)]
    parts.append(label((left + width - right) / 2, height - 8, "spot area (px)"))
    middle = (top + height - bottom) / 2
    parts.append(label(12, middle, "spot height", transform=f"rotate(-90 12 {middle:g})"))
    return document(width, height, title, "".join(parts))
