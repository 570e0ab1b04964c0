"""Headers that state a wrong geometry: where the panels of a simulated detector are, and where the files say they are.

The distance and the beam centre are wrong in the header; the pixels are those of the right one, and do not change. A
perpendicular detector without displaced panels is all that some headers can describe, so that tilts, rotations and
displacements are those of the true detector, and the header describes it without them.

Rotations are right-handed about the axes of the laboratory of dxtbx (x to the right and y up as seen along the beam, z
against the beam), about the point where the beam meets the detector.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from iota.errors import UsageError
from iota.simulate.detector import Detector, rotation_matrix

FloatArray = npt.NDArray[np.float64]

_PANEL_STREAM = 4  # of random numbers: a child of the seed, as those of frames.py


@dataclass(frozen=True)
class GeometryErrors:
    """How the header is wrong.

    ``distance_percent`` and ``beam_px`` (fast, slow; axes of the first panel) are header minus truth. ``tilt_deg``
    (about the horizontal x and the vertical y) and ``rotation_deg`` (about z; positive is counterclockwise as seen
    along the beam) are the rotation vector of the true detector. ``panel_shift_px`` and ``panel_turn_deg`` are the root
    mean squares of random shifts of the true panels in their plane and of turns about their centres.
    """

    distance_percent: float = 0.0
    beam_px: tuple[float, float] = (0.0, 0.0)
    tilt_deg: tuple[float, float] = (0.0, 0.0)
    rotation_deg: float = 0.0
    panel_shift_px: float = 0.0
    panel_turn_deg: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        for field in fields(self):
            if not np.all(np.isfinite(getattr(self, field.name))):
                raise UsageError(f"The geometry cannot be wrong by {getattr(self, field.name)} ({field.name}).")
        if self.distance_percent <= -100:
            raise UsageError(
                f"A distance that is {self.distance_percent:g} % too large is not positive. Give more than -100."
            )
        if max(map(abs, self.tilt_deg)) > 45:
            raise UsageError(f"A tilt of {max(map(abs, self.tilt_deg)):g} degrees is too large. Give 45 at most.")
        if min(self.panel_shift_px, self.panel_turn_deg) < 0:
            raise UsageError("A root mean square is not negative: give two numbers of 0 or more for the panels.")


def misstated(detector: Detector, errors: GeometryErrors, seed: int = 1) -> tuple[Detector, Detector]:
    """The true detector and that of the headers, when ``detector`` is the one wanted but for ``errors``.

    Args:
        detector: the geometry that the pixels have (distance, beam centre) or that is stated (all else).
        errors: how the two differ.
        seed: of the displacements of panels.

    Raises:
        UsageError: panels are displaced, and there is one only.
    """
    true = _displaced(detector, errors, seed) if errors.panel_shift_px or errors.panel_turn_deg else detector
    if any(errors.tilt_deg) or errors.rotation_deg:
        turn = rotation_matrix(np.radians([*errors.tilt_deg, errors.rotation_deg]))
        about = (0.0, 0.0, -detector.distance_mm)
        true = true.with_panels([panel.moved(turn, (0.0, 0.0, 0.0), about) for panel in true.panels])
    if not errors.distance_percent and not any(errors.beam_px):
        return true, detector
    first = detector.panels[0]
    # Panels lie the other way: at a larger beam centre more of the panel is before the beam.
    x_mm, y_mm, _ = -first.pixel_mm * (
        errors.beam_px[0] * np.array(first.fast) + errors.beam_px[1] * np.array(first.slow)
    )
    away_mm = detector.distance_mm * errors.distance_percent / 100
    return true, detector.shifted(float(x_mm), float(y_mm), away_mm)


def _displaced(detector: Detector, errors: GeometryErrors, seed: int) -> Detector:
    """The detector with its panels displaced at random, but not as a whole.

    The shifts have no part that would shift, turn or stretch the detector: beam centre, rotation and distance have
    options of their own. The root mean squares over the panels, of the lengths of the shifts and of the turns, are
    exactly those asked for.
    """
    n = len(detector.panels)
    if n < 3:
        raise UsageError(
            f"Panels can be displaced if there are at least 3; the detector {detector.name} has {n}. Use another one,"
            " such as jungfrau."
        )
    rng = np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(_PANEL_STREAM,)))
    drawn = rng.standard_normal((n, 3))
    x, y = np.array([panel.centre_mm for panel in detector.panels])[:, :2].T
    ones, zeros = np.ones(n), np.zeros(n)
    as_a_whole = np.array([[ones, zeros], [zeros, ones], [-y, x], [x, y]]).transpose(2, 1, 0).reshape(2 * n, 4)
    shifts = drawn[:, :2].reshape(-1)
    shifts = (shifts - as_a_whole @ np.linalg.lstsq(as_a_whole, shifts, rcond=None)[0]).reshape(n, 2)
    turns = drawn[:, 2] - drawn[:, 2].mean()
    shifts *= errors.panel_shift_px / np.sqrt(np.mean(np.sum(shifts**2, axis=1)))
    turns *= errors.panel_turn_deg / np.sqrt(np.mean(turns**2))
    panels = [
        panel.moved(
            rotation_matrix(np.radians(turn_deg) * panel.normal),
            _in_plane(shift_px * panel.pixel_mm, panel.normal),
            about_mm=panel.centre_mm,
        )
        for panel, shift_px, turn_deg in zip(detector.panels, shifts, turns, strict=True)
    ]
    return detector.with_panels(panels)


def _in_plane(shift_mm: FloatArray, normal: FloatArray) -> FloatArray:
    """The shift [3] along the plane with this normal that is ``shift_mm`` [2] in x and y."""
    return np.array([*shift_mm, -(shift_mm @ normal[:2]) / normal[2]])
