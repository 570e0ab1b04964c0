"""Draws pictures of a frame: predictions on the image, correction vectors, mosaicity."""

from __future__ import annotations

import gc
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from matplotlib.transforms import Affine2D

from iota.crystallography.cells import cell_text
from iota.engine.frame.picture_choice import Pictures
from iota.figures import Figure, write_figure
from iota.records import Lattice

logger = logging.getLogger("dials.iota.pictures")  # so that it is in the frame's own log

_MAX_PIXELS = 1400  # of a side of the image as it is drawn
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # of lattices; told apart without colour vision (Okabe & Ito)
_RINGS_A = (10.0, 6.0, 4.0, 3.0, 2.5, 2.0, 1.7, 1.5)


class Drawn(msgspec.Struct, kw_only=True):
    """The data for the pictures of one frame."""

    name: str
    imported: Any  # experiments with the image
    experiments: Any  # as integrated
    integrated: Any
    indexed: Any  # spots that were indexed, with the refined predictions
    before: Any  # the same before refinement
    lattices: Sequence[Lattice]


def draw(pictures: Pictures, drawn: Drawn, folder: Path) -> None:
    """Draw the requested pictures as PNG and PDF; failures are only reported in the log of the frame.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(exist_ok=True)
    wanted = (
        ("predictions", pictures.predictions, _predictions),
        ("vectors", pictures.vectors, _vectors),
        ("trumpet", pictures.trumpet, _trumpet),
    )
    for what, is_wanted, figure_of in wanted:
        if not is_wanted:
            continue
        try:
            write_figure(figure_of(drawn), folder, f"{drawn.name}_{what}")
        except (ValueError, RuntimeError, KeyError, IndexError) as error:
            logger.warning("No picture of %s could be drawn: %s", what, error)
    gc.collect()  # figures are full of cycles, and one holds tens of megabytes


def _title(drawn: Drawn) -> str:
    lattices = "; ".join(
        f"{x.bravais} {cell_text(x.unit_cell, 1)}, {x.n_integrated} reflections to {x.d_min_A:.2f} A"
        for x in drawn.lattices
    )
    return f"{drawn.name}\n{lattices}"


def _predictions(drawn: Drawn) -> Figure:
    figure = Figure(figsize=(10, 10), layout="constrained")
    axes = figure.add_subplot()
    detector, beam = drawn.imported[0].detector, drawn.imported[0].beam
    _draw_image(axes, drawn.imported[0].imageset, detector)
    for number, _ in enumerate(drawn.experiments):
        mine = drawn.integrated.select(drawn.integrated["id"] == number)
        x, y = lab_positions(detector, mine["panel"], mine["xyzcal.px"])
        colour = _COLOURS[number % len(_COLOURS)]
        label = f"predicted and integrated ({len(mine)})"
        axes.scatter(x, y, s=26, facecolors="none", edgecolors=colour, linewidths=0.7, label=label)
    x, y = lab_positions(detector, drawn.indexed["panel"], drawn.indexed["xyzobs.px.value"])
    axes.scatter(x, y, s=5, color="#d4a000", marker="+", linewidths=0.8, label=f"indexed spots ({len(x)})")
    _draw_rings(axes, detector, beam)
    axes.legend(loc="upper right", fontsize=8)
    axes.set(title=_title(drawn), xlabel="x (mm)", ylabel="y (mm)", aspect="equal")
    return figure


def _draw_image(axes: Any, imageset: Any, detector: Any) -> None:
    panels = [panel.as_numpy_array() for panel in imageset.get_raw_data(0)]
    valid = np.concatenate([panel[panel >= 0].ravel()[::17] for panel in panels])
    brightest = max(1.0, 1.5 * float(np.percentile(valid, 99.7))) if valid.size else 1.0
    for panel, counts in zip(detector, panels, strict=True):
        step = max(1, -(-max(counts.shape) // _MAX_PIXELS))
        slow, fast = (n - n % step for n in counts.shape)
        # the brightest pixel of each block, so that spots stay visible
        blocks = counts[:slow, :fast].reshape(slow // step, step, fast // step, step).max(axis=(1, 3))
        axes.imshow(
            np.where(blocks < 0, np.nan, blocks),  # gaps stay free
            cmap="Greys",
            vmin=0,
            vmax=brightest,
            origin="upper",
            extent=(0, fast, slow, 0),
            interpolation="nearest",
            transform=_to_lab(panel) + axes.transData,
        )
    corners = np.array([p.get_pixel_lab_coord(c) for p in detector for c in _corners(p)])
    axes.set_xlim(corners[:, 0].min(), corners[:, 0].max())
    axes.set_ylim(corners[:, 1].min(), corners[:, 1].max())
    axes.set_facecolor("#e8e8e8")


def _corners(panel: Any) -> list[tuple[float, float]]:
    fast, slow = panel.get_image_size()
    return [(0.0, 0.0), (float(fast), 0.0), (0.0, float(slow)), (float(fast), float(slow))]


def _to_lab(panel: Any) -> Affine2D:
    """From pixels of a panel to x and y of the laboratory (mm), as seen along the beam."""
    origin, one_fast, one_slow = (np.array(panel.get_pixel_lab_coord(c)) for c in ((0, 0), (1, 0), (0, 1)))
    fast, slow = one_fast - origin, one_slow - origin
    return Affine2D(np.array([[fast[0], slow[0], origin[0]], [fast[1], slow[1], origin[1]], [0, 0, 1]]))


def lab_positions(
    detector: Any, panels: Any, positions_px: Any
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Positions on panels as x and y of the laboratory (mm), `[n]` each."""
    numbers = panels.as_numpy_array()
    fast, slow, _ = (part.as_numpy_array() for part in positions_px.parts())
    points = np.stack([fast, slow], axis=1)
    result = np.empty_like(points)
    for number in np.unique(numbers).tolist():
        on_panel = numbers == number
        result[on_panel] = _to_lab(detector[number]).transform(points[on_panel])
    return result[:, 0], result[:, 1]


def _draw_rings(axes: Any, detector: Any, beam: Any) -> None:
    """Resolution rings around the beam, for a detector across the beam."""
    distance = abs(detector[0].get_directed_distance())
    wavelength = beam.get_wavelength()
    farthest = max(abs(x) for x in (*axes.get_xlim(), *axes.get_ylim()))
    angles = np.linspace(0, 2 * np.pi, 181)
    for d in _RINGS_A:
        if wavelength / (2 * d) >= 1:
            continue
        radius = distance * np.tan(2 * np.arcsin(wavelength / (2 * d)))
        if 0 < radius < 1.3 * farthest:
            axes.plot(radius * np.cos(angles), radius * np.sin(angles), color="#888888", linewidth=0.5, zorder=3)
            diagonal = radius / np.sqrt(2)
            axes.text(diagonal, diagonal, f"{d:g} A", color="#555555", fontsize=7, clip_on=True, zorder=3)


def _vectors(drawn: Drawn) -> Figure:
    """Shifts from predicted to observed spots, before refinement and after it where the two differ."""
    figure = Figure(figsize=(10, 10), layout="constrained")
    axes = figure.add_subplot()
    detector = drawn.imported[0].detector
    sets = [("after refinement", drawn.indexed, _COLOURS[0])]
    if not _same_predictions(drawn.before, drawn.indexed):
        sets.insert(0, ("before refinement", drawn.before, _COLOURS[1]))
    lengths = [np.median(_lengths(spots)) for _, spots, _ in sets]
    shortest = max(1e-3, float(min(lengths)))
    pixel = detector[0].get_pixel_size()[0]
    times = 25.0 / shortest  # a typical vector is drawn 25 pixels long
    for label, spots, colour in sets:
        x0, y0 = lab_positions(detector, spots["panel"], spots["xyzcal.px"])
        x1, y1 = lab_positions(detector, spots["panel"], spots["xyzobs.px.value"])
        text = f"{label}: {len(x0)} spots, median {np.median(_lengths(spots)):.2f} px"
        axes.quiver(
            x0, y0, (x1 - x0) * times, (y1 - y0) * times, color=colour, angles="xy", scale_units="xy", scale=1,
            width=0.0015, label=text,
        )  # fmt: skip
    corners = np.array([p.get_pixel_lab_coord(c) for p in detector for c in _corners(p)])
    axes.set_xlim(corners[:, 0].min(), corners[:, 0].max())
    axes.set_ylim(corners[:, 1].min(), corners[:, 1].max())
    _draw_rings(axes, detector, drawn.imported[0].beam)
    axes.legend(loc="upper right", fontsize=8, title=f"vectors enlarged {times:.0f} times")
    axes.set(title=_title(drawn), xlabel="x (mm)", ylabel="y (mm)", aspect="equal")
    axes.plot(0, 0, marker="+", color="black", markersize=12)
    axes.annotate("beam", (2 * pixel, 2 * pixel), fontsize=8)
    return figure


def _lengths(spots: Any) -> npt.NDArray[np.float64]:
    calc, seen = spots["xyzcal.px"].parts(), spots["xyzobs.px.value"].parts()
    fast, slow = (seen[k].as_numpy_array() - calc[k].as_numpy_array() for k in (0, 1))
    lengths: npt.NDArray[np.float64] = np.hypot(fast, slow)
    return lengths


def _same_predictions(first: Any, second: Any) -> bool:
    if len(first) != len(second):
        return False
    return all(
        np.allclose(a.as_numpy_array(), b.as_numpy_array(), atol=1e-6)
        for a, b in zip(first["xyzcal.px"].parts()[:2], second["xyzcal.px"].parts()[:2], strict=True)
    )


def _trumpet(drawn: Drawn) -> Figure:
    """Angle of reflections from the Ewald sphere against resolution, with the limits of the mosaic model.

    Domains of size D and half mosaicity eta let reflections within d/D + eta (radians) diffract (Sauter et al., Acta
    Cryst. (2014) D70, 3299).
    """
    n_lattices = len(drawn.experiments)
    figure = Figure(figsize=(8, 5 * n_lattices), layout="constrained")
    for number, experiment in enumerate(drawn.experiments):
        axes = figure.add_subplot(n_lattices, 1, number + 1)
        crystal = experiment.crystal
        largest = half_mosaicity = crystal.get_half_mosaicity_deg()
        for label, table, style in (
            ("integrated", drawn.integrated, {"s": 4, "color": "#999999"}),
            ("indexed spots", drawn.indexed, {"s": 9, "color": _COLOURS[0]}),
        ):
            mine = table.select(table["id"] == number)
            if "delpsical.rad" in mine:
                d = crystal.get_unit_cell().d(mine["miller_index"]).as_numpy_array()
                offset = np.degrees(mine["delpsical.rad"].as_numpy_array())
                largest = max(largest, float(np.percentile(np.abs(offset), 99.5)))
                axes.scatter(1 / d**2, offset, label=f"{label} ({len(d)})", **style)
        limit = axes.get_xlim()
        inverse = np.linspace(max(1e-4, limit[0]), limit[1], 200)
        domain = crystal.get_domain_size_ang()
        envelope = np.degrees(1 / np.sqrt(inverse) / domain) + half_mosaicity
        for sign in (1, -1):
            axes.plot(inverse, sign * envelope, color=_COLOURS[1], linewidth=1.2)
        axes.set_ylim(-1.3 * largest, 1.3 * largest)  # the envelope goes to infinity at low resolution
        axes.axhline(0, color="black", linewidth=0.5)
        ticks = [x for x in _RINGS_A if limit[0] <= 1 / x**2 <= limit[1]]
        axes.set_xticks([1 / x**2 for x in ticks], [f"{x:g}" for x in ticks])
        axes.set(xlabel="resolution (A)", ylabel="offset from the Ewald sphere (degrees)")
        axes.set_title(f"half-width mosaicity {half_mosaicity:.3f} degrees, domain size {domain:.0f} A", fontsize=9)
        axes.legend(loc="upper right", fontsize=8)
    figure.suptitle(_title(drawn), fontsize=10)
    return figure
