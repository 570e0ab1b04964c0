"""Beam and detector models of images of HDF5 masters, corrected and checked.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from iota.engine.backend import versions
from iota.engine.images.hdf5.nexus_header import Header

_FAR_PX = 50.0  # a beam centre is known to a few pixels; wrong geometries are off by hundreds
_UPRIGHT = math.cos(math.radians(5.0))  # a detector on an arm names the beam centre that it has without the arm
_FAR_MM = 1.0
_FAR_FRACTION = 0.01


def complete(detector: Any, beam: Any, header: Header) -> list[str]:
    """Change the detector of a master if its header contains more than dxtbx uses.

    The saturation value itself is not trusted, as in DIALS 3.12; later versions trust it.

    Returns:
        Remarks, as sentences.
    """
    if versions.trusts_the_highest():
        for panel in detector:
            least, most = panel.get_trusted_range()
            panel.set_trusted_range((least, float(np.nextafter(most, -math.inf))))
    remarks = list(header.remarks)
    if len(detector) == 1:
        remarks += _place_by_beam_centre(detector[0], header) or _beam_centre_elsewhere(detector[0], beam, header)
        remarks += _other_distance(detector[0], header)
    return remarks


def _place_by_beam_centre(panel: Any, header: Header) -> list[str]:
    """Move a panel whose first corner is in the beam, as in files that do not give its position."""
    origin = np.array(panel.get_origin())
    if header.beam_px is None or np.abs(origin[:2]).max() > 1e-9:
        return []
    fast, slow = np.array(panel.get_fast_axis()), np.array(panel.get_slow_axis())
    mm = np.array(header.beam_px) * panel.get_pixel_size()
    panel.set_frame(tuple(fast), tuple(slow), tuple(origin - mm[0] * fast - mm[1] * slow))
    return [
        "The geometry in the file does not give the detector position across the beam: beam_center_x and"
        " beam_center_y are used."
    ]


def _beam_centre_elsewhere(panel: Any, beam: Any, header: Header) -> list[str]:
    if header.beam_px is None or abs(np.dot(panel.get_normal(), beam.get_unit_s0())) < _UPRIGHT:
        return []
    try:
        x, y = np.array(panel.get_beam_centre(beam.get_s0())) / panel.get_pixel_size()
    except RuntimeError:  # the panel goes through the sample
        return []
    if math.dist((x, y), header.beam_px) <= _FAR_PX:
        return []
    said = header.beam_px
    return [
        f"The geometry in the file puts the beam at pixel {x:.0f}, {y:.0f}, but beam_center_x and beam_center_y say"
        f" {said[0]:.0f}, {said[1]:.0f}. The geometry is used; set image_import.beam_center to override it."
    ]


def _other_distance(panel: Any, header: Header) -> list[str]:
    mm, said = abs(panel.get_directed_distance()), header.distance_mm
    if said is None or abs(mm - said) <= max(_FAR_MM, _FAR_FRACTION * said):
        return []
    return [
        f"The geometry in the file puts the detector at {mm:.1f} mm, but the distance stated separately is"
        f" {said:.1f} mm. The geometry is used; set image_import.distance to override it."
    ]
