"""Detectors that can be simulated: flat panels with their positions in the laboratory frame.

The laboratory frame is that of dxtbx: the beam travels along -z, y points up, x to the right when looking along the
beam, and the sample is at the origin. Lengths are in mm. A position in pixels counts from the outer corner of the first
pixel, so that pixel 0 spans 0 to 1 and its centre is 0.5.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from iota.errors import UsageError

FloatArray = npt.NDArray[np.float64]
Vector = tuple[float, float, float]

GAP = -1
BAD_PIXEL = -2


@dataclass(frozen=True)
class Panel:
    """A flat piece of detector; get one from a :class:`Detector`.

    ``row0`` is its first row in the frame's array, in which all panels are stacked. ``gaps`` are rectangles without
    sensor: (first column, end column, first row, end row) in px of the panel. ``groups`` names what the panel is
    mounted on, from large to small.
    """

    name: str
    origin_mm: Vector
    fast: Vector
    slow: Vector
    size_px: tuple[int, int]
    pixel_mm: float
    row0: int = 0
    gaps: tuple[tuple[int, int, int, int], ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def normal(self) -> FloatArray:
        """Unit normal [3], fast x slow."""
        return np.asarray(np.cross(self.fast, self.slow), dtype=np.float64)

    def position_mm(self, fast_px: npt.ArrayLike, slow_px: npt.ArrayLike) -> FloatArray:
        """Laboratory position [..., 3] in mm of pixel coordinates [...]."""
        f = np.asarray(fast_px, dtype=np.float64)[..., None] * self.pixel_mm
        s = np.asarray(slow_px, dtype=np.float64)[..., None] * self.pixel_mm
        return np.asarray(np.asarray(self.origin_mm) + f * np.asarray(self.fast) + s * np.asarray(self.slow))

    def corners_mm(self) -> FloatArray:
        """The four corners [4, 3] in mm."""
        n_fast, n_slow = self.size_px
        return self.position_mm([0, n_fast, 0, n_fast], [0, 0, n_slow, n_slow])

    @property
    def centre_mm(self) -> FloatArray:
        """The centre [3] in mm."""
        return self.position_mm(self.size_px[0] / 2, self.size_px[1] / 2)

    def moved(self, rotation: FloatArray, shift_mm: npt.ArrayLike, about_mm: npt.ArrayLike = (0.0, 0.0, 0.0)) -> Panel:
        """The panel turned by ``rotation`` [3, 3] about a point ``about_mm`` [3], then shifted by ``shift_mm`` [3]."""
        about = np.asarray(about_mm, dtype=np.float64)
        origin = rotation @ (np.asarray(self.origin_mm) - about) + about + np.asarray(shift_mm)
        fast, slow = rotation @ self.fast, rotation @ self.slow
        return replace(self, origin_mm=_vector(origin), fast=_vector(fast), slow=_vector(slow))


@dataclass(frozen=True)
class Detector:
    """Panels of one sensor; get it from :func:`make_detector`.

    ``beam_px`` is where the beam would hit the first panel's plane, which is what a Pilatus header states.
    """

    name: str
    model: str
    panels: tuple[Panel, ...]
    distance_mm: float
    beam_px: tuple[float, float]
    sensor_mm: float = 0.32
    saturation: int = 1_048_500

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame's array, panels stacked along the rows."""
        last = self.panels[-1]
        return last.row0 + last.size_px[1], max(panel.size_px[0] for panel in self.panels)

    def d_min_A(self, wavelength_A: float) -> float:
        """Resolution of the corner farthest from the beam."""
        corners = np.concatenate([panel.corners_mm() for panel in self.panels])
        cos_two_theta = -corners[:, 2] / np.linalg.norm(corners, axis=1)
        return float(wavelength_A / (2.0 * np.sqrt((1.0 - cos_two_theta.min()) / 2.0)))

    def gap_mask(self) -> npt.NDArray[np.bool_]:
        """True [rows, columns] where there is no sensor."""
        mask = np.zeros(self.shape, dtype=bool)
        for panel in self.panels:
            for f0, f1, s0, s1 in panel.gaps:
                mask[panel.row0 + s0 : panel.row0 + s1, f0:f1] = True
        return mask

    def with_panels(self, panels: Sequence[Panel], distance_mm: float | None = None) -> Detector:
        """The same detector with its panels elsewhere; the beam centre follows."""
        distance = self.distance_mm if distance_mm is None else distance_mm
        return replace(self, panels=tuple(panels), distance_mm=distance, beam_px=_beam_on_plane(panels[0]))

    def shifted(self, x_mm: float, y_mm: float, away_mm: float) -> Detector:
        """The whole detector shifted along x and y, and by ``away_mm`` away from the sample."""
        panels = [panel.moved(np.eye(3), (x_mm, y_mm, -away_mm)) for panel in self.panels]
        return self.with_panels(panels, self.distance_mm + away_mm)


@dataclass(frozen=True)
class _Pilatus:
    """Modules of 487 x 195 px of 0.172 mm with 7 and 17 px between them."""

    model: str
    n_fast: int
    n_slow: int
    distance_mm: float


PILATUS = {
    "300k": _Pilatus("PILATUS3 300K", 1, 3, 110.0),
    "1m": _Pilatus("PILATUS3 1M", 2, 5, 130.0),
    "2m": _Pilatus("PILATUS3 2M", 3, 8, 190.0),
    "6m": _Pilatus("PILATUS3 6M", 5, 12, 280.0),
}
# Name: model, panels across and down, panel size, pixel, gap, largest tilt of a panel, usual distance.
TILED = {
    "quads": ("four tilted quadrants", 2, 2, (512, 512), 0.172, 14.0, 0.25, 150.0),
    "eight": ("eight modules of 1024 x 512", 2, 4, (1024, 512), 0.075, 30.0, 0.1, 130.0),
    "jungfrau": ("JUNGFRAU 4M, pixels binned 2 x 2", 2, 4, (512, 256), 0.15, 16.0, 0.1, 130.0),
}
DETECTORS = (*PILATUS, *TILED, "cspad")
_ALIASES = {
    "pilatus300k": "300k",
    "pilatus1m": "1m",
    "pilatus2m": "2m",
    "pilatus6m": "6m",
    "multipanel": "quads",
    "jungfrau4m": "jungfrau",
}


def make_detector(name: str = "1m", distance_mm: float | None = None) -> Detector:
    """Detector by name: ``300k 1m 2m 6m`` (one panel), ``quads`` (4), ``eight jungfrau`` (8) or ``cspad`` (64 panels).

    ``pilatus6m`` and its like are understood too, and ``multipanel`` is ``quads``. Each has a usual distance.
    """
    key = _ALIASES.get(name.lower(), name.lower())
    if distance_mm is not None and not distance_mm > 0:
        raise UsageError(f"A detector distance of {distance_mm} mm is not positive. Give a length such as 150.")
    if key in PILATUS:
        return _pilatus(key, distance_mm)
    if key in TILED:
        return _tiled(key, distance_mm)
    if key == "cspad":
        return _cspad(130.0 if distance_mm is None else distance_mm)
    raise UsageError(f"There is no detector named {name}. Known are {', '.join(DETECTORS)}.")


def _pilatus(key: str, distance_mm: float | None) -> Detector:
    kind = PILATUS[key]
    distance = kind.distance_mm if distance_mm is None else distance_mm
    pixel_mm = 0.172
    n_fast, n_slow = kind.n_fast * 494 - 7, kind.n_slow * 212 - 17
    # Off the middle, or the beam would fall into a gap of some models.
    beam_px = (n_fast / 2 - 15.3, n_slow / 2 + 12.6)
    columns = tuple((i * 494 - 7, i * 494, 0, n_slow) for i in range(1, kind.n_fast))
    rows = tuple((0, n_fast, i * 212 - 17, i * 212) for i in range(1, kind.n_slow))
    panel = Panel(
        name="panel",
        origin_mm=(-beam_px[0] * pixel_mm, beam_px[1] * pixel_mm, -distance),
        fast=(1.0, 0.0, 0.0),
        slow=(0.0, -1.0, 0.0),
        size_px=(n_fast, n_slow),
        pixel_mm=pixel_mm,
        gaps=columns + rows,
    )
    return Detector(key, kind.model, (panel,), distance, beam_px)


def _tiled(key: str, distance_mm: float | None) -> Detector:
    model, n_across, n_down, size, pixel_mm, gap_px, tilt_deg, usual_mm = TILED[key]
    distance = usual_mm if distance_mm is None else distance_mm
    pitch = (size[0] + gap_px, size[1] + gap_px)
    panels = []
    for index in range(n_across * n_down):
        down, across = divmod(index, n_across)
        # Centre of the panel in px from the beam, and a tilt that differs from panel to panel.
        x_px = (across - (n_across - 1) / 2) * pitch[0] + 2.7 * (down - 0.5)
        y_px = (down - (n_down - 1) / 2) * pitch[1] - 1.9 * (across - 0.5)
        turn = _mounting(index, tilt_deg)
        fast, slow = turn @ (1.0, 0.0, 0.0), turn @ (0.0, -1.0, 0.0)
        centre = np.array([x_px * pixel_mm, -y_px * pixel_mm, -distance + 0.05 * (index % 3)])
        origin = centre - fast * size[0] * pixel_mm / 2 - slow * size[1] * pixel_mm / 2
        panels.append(
            Panel(f"module_{index}", _vector(origin), _vector(fast), _vector(slow), size, pixel_mm, index * size[1])
        )
    first = panels[0]
    beam_px = _beam_on_plane(first)
    return Detector(key, model, tuple(panels), distance, beam_px, saturation=1_000_000)


def _mounting(index: int, tilt_deg: float) -> FloatArray:
    """Rotation [3, 3] of panel ``index``: no panel is mounted exactly like another."""
    axis_deg = np.sin(1.7 * index), np.cos(2.3 * index), np.sin(0.9 * index + 1.0)
    return rotation_matrix(np.radians(tilt_deg * np.array(axis_deg)))


def _cspad(distance_mm: float) -> Detector:
    """Four quadrants, each turned by 90 degrees against the one before, of 2 x 4 sensors of two chips each.

    The quadrants leave a hole for the beam. The first one is upright, at the top left.
    """
    pixel_mm, size = 0.11, (194, 185)
    panels = []
    for index in range(64):
        quadrant, sensor, chip = index // 16, index // 2 % 8, index % 2
        down, across = divmod(sensor, 2)
        # Corner of the sensor in the first quadrant, in px from the beam: 12 and 8 px between sensors, a hole of 40 px.
        corner_px = np.array([-20 - 794 + across * (391 + 12), 760 - down * (185 + 8), 0.0])
        centre_mm = (corner_px + np.array([391 / 2, -185 / 2, 0.0])) * pixel_mm
        chip_px = corner_px + np.array([chip * (194 + 3), 0.0, 0.0])
        panel = Panel(
            name=f"q{quadrant}s{sensor}a{chip}",
            origin_mm=_vector(chip_px * pixel_mm),
            fast=(1.0, 0.0, 0.0),
            slow=(0.0, -1.0, 0.0),
            size_px=size,
            pixel_mm=pixel_mm,
            row0=index * size[1],
            groups=(f"quadrant_{quadrant}", f"sensor_{quadrant}_{sensor}"),
        )
        mounted = panel.moved(_mounting(index // 2, 0.05), (0.0, 0.0, 0.03 * (index // 2 % 3)), about_mm=centre_mm)
        quarter_turns = rotation_matrix(np.array([0.0, 0.0, -np.pi / 2 * quadrant]))
        panels.append(mounted.moved(quarter_turns, (0.0, 0.0, -distance_mm)))
    beam_px = _beam_on_plane(panels[0])
    return Detector("cspad", "CSPAD 2.3M", tuple(panels), distance_mm, beam_px, sensor_mm=0.5, saturation=1_000_000)


def _beam_on_plane(panel: Panel) -> tuple[float, float]:
    """Pixel coordinates at which the beam crosses the plane of ``panel``."""
    beam = np.array([0.0, 0.0, -1.0])
    origin = np.asarray(panel.origin_mm)
    hit = beam * (origin @ panel.normal) / (beam @ panel.normal) - origin
    return float(hit @ np.asarray(panel.fast)) / panel.pixel_mm, float(hit @ np.asarray(panel.slow)) / panel.pixel_mm


def rotation_matrix(vector_rad: FloatArray) -> FloatArray:
    """Rotation matrix [3, 3] of a rotation vector (rad; Rodrigues' formula)."""
    angle = float(np.linalg.norm(vector_rad))
    if angle == 0.0:
        return np.eye(3)
    x, y, z = vector_rad / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross)


def _vector(values: FloatArray) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
