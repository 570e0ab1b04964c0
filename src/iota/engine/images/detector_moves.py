"""Moves the detector to another distance or beam centre, or inverts it.

DIALS' own ``geometry.detector.distance`` stops at several panels (3.12) or puts them upstream of the sample (3.30), and
its ``fast_slow_beam_centre`` refers to the first panel even if the beam hits another.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
from dials.command_line.dials_import import ManualGeometryUpdater
from dxtbx.model.detector_helpers import set_fast_slow_beam_centre_mm

from iota.causes import Cause, why
from iota.engine.backend.remarks import remark
from iota.engine.backend.sentences import SentenceError

Vector = npt.NDArray[np.float64]

_FACES_THE_BEAM = 0.99  # cosine between normal and beam beyond which dxtbx mends a negative distance of one module


def update_geometry(params: Any, imageset: Any) -> None:
    """Change the models of an image set of one image according to the parameters, like DIALS' own import.

    Args:
        params: backend parameters, which are not changed.
        imageset: of one image.

    Raises:
        SentenceError: the panel on which a beam centre is counted is none of the detector.
    """
    wanted = params.geometry.detector
    if not (wanted.distance or _beam_centre(wanted)) or _is_common(imageset.get_detector(0), imageset.get_beam(0)):
        ManualGeometryUpdater(params)(imageset)
        return
    geometry, scope = copy.copy(params.geometry), copy.copy(wanted)
    scope.distance = scope.fast_slow_beam_centre = scope.slow_fast_beam_centre = None
    geometry.detector = scope
    ManualGeometryUpdater(SimpleNamespace(geometry=geometry, input=params.input))(imageset)
    detector, beam = imageset.get_detector(0), imageset.get_beam(0)
    if wanted.distance:
        move_to_distance(detector, beam, wanted.distance)
    centre = _beam_centre(wanted)
    if centre:
        move_beam_to(detector, beam, (centre[0], centre[1]), int(centre[2]) if len(centre) > 2 else None)
    imageset.set_detector(detector, 0)


def _is_common(detector: Any, beam: Any) -> bool:
    """Whether DIALS moves a detector as expected: one panel, whose normal points away from the sample."""
    return len(detector) == 1 and np.dot(detector[0].get_normal(), beam.get_s0()) > 0


def _beam_centre(wanted: Any) -> list[float]:
    """Pixel, fast and slow, for the direct beam, and optionally the panel number; empty for none."""
    slow_fast = list(wanted.slow_fast_beam_centre or ())
    return list(wanted.fast_slow_beam_centre or ()) or [*slow_fast[1::-1], *slow_fast[2:]]


def distance_mm(detector: Any, beam: Any) -> float:
    """Distance of a detector from the sample along the beam (mm), negative upstream of the sample.

    For one panel it is that along its normal, as DIALS has it.  For several it is that of the group that holds all
    panels, where this lies between the nearest and the farthest pixel: then it is what the header calls the distance.
    Else it is the mean of the middles of panels.
    """
    along = np.array(beam.get_unit_s0())
    if len(detector) == 1:
        return float(detector[0].get_directed_distance() * np.sign(np.dot(detector[0].get_normal(), along)))
    middles, ends = [], []
    for panel in detector:
        corners = _corners(panel) @ along
        middles.append(corners.mean())
        ends += [corners.min(), corners.max()]
    group = float(np.array(_common_group(detector).get_origin()) @ along)
    margin = 0.05 * abs(np.mean(middles))
    if min(ends) - margin <= group <= max(ends) + margin:
        return group
    return float(np.mean(middles))


def move_to_distance(detector: Any, beam: Any, mm: float) -> None:
    """Move all panels along the beam, or one along its normal, until the detector is at a distance (mm)."""
    along = np.array(beam.get_unit_s0())
    if len(detector) == 1:
        normal = np.array(detector[0].get_normal())
        along = normal * np.sign(normal @ along)
    shift(detector, (mm - distance_mm(detector, beam)) * along)


def move_beam_to(detector: Any, beam: Any, pixel: tuple[float, float], number: int | None = None) -> None:
    """Move all panels across the beam so that it hits a given pixel.

    Args:
        detector: of several panels.
        beam: the beam.
        pixel: fast and slow (px).
        number: of the panel to which the pixel refers; None is the panel hit by the beam or, if it passes
            through a gap, the first one.

    Raises:
        ValueError: there is no such panel.
    """
    if number is None:
        hit = detector.get_panel_intersection(beam.get_s0())
        number = max(hit, 0)
        name = detector[number].get_name() or number
        if hit < 0:
            remark(
                f"The direct beam does not hit a panel; the beam centre refers to the plane of the first panel, {name}."
            )
        else:
            remark(f"The beam centre refers to panel {name}, which is hit by the direct beam.")
    if not 0 <= number < len(detector):
        last = len(detector) - 1
        raise SentenceError(why(Cause.NO_SUCH_PANEL, panel=number, first_panel=0, last_panel=last))
    fast, slow = detector[number].get_pixel_size()
    set_fast_slow_beam_centre_mm(detector, beam, [pixel[0] * fast, pixel[1] * slow], number)


def bring_downstream(detector: Any, beam: Any) -> bool:
    """Move a detector that faces the beam from upstream to downstream of the sample; returns whether it was moved.

    A file with a negative distance puts it there.  dxtbx corrects this for one module.
    """
    along = np.array(beam.get_unit_s0())
    if any((_corners(panel) @ along).max() >= 0 for panel in detector):  # as a rule the first one is behind it
        return False
    if any(abs(np.array(panel.get_normal()) @ along) < _FACES_THE_BEAM for panel in detector):
        return False
    shift(detector, -2 * distance_mm(detector, beam) * along)
    return True


def shift(detector: Any, by_mm: Vector) -> None:
    """Move all panels by a vector (mm); their relative positions are kept."""
    root = detector.hierarchy()
    root.set_frame(root.get_fast_axis(), root.get_slow_axis(), tuple(np.array(root.get_origin()) + by_mm))


def _corners(panel: Any) -> Vector:
    """Corners [4, 3] of a panel (mm)."""
    fast, slow = panel.get_image_size_mm()
    return np.array([panel.get_lab_coord(at) for at in ((0, 0), (fast, 0), (0, slow), (fast, slow))])


def _common_group(detector: Any) -> Any:
    """The innermost group of the hierarchy that holds all panels."""
    node = detector.hierarchy()
    while len(node) == 1 and not node[0].is_panel():
        node = node[0]
    return node
