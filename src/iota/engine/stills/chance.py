"""Tests whether a lattice on one frame is better than chance.

DIALS gives a spot to a lattice when its indices are within a tolerance of integers, so even a random lattice indexes a
tenth of all spots, the best of many somewhat more, with residuals anywhere within the tolerance. A true lattice indexes
more, or predicts its spots closely, which is meaningful if there are more spots than cell parameters.
"""

from __future__ import annotations

import math

_BEST_OF_MANY = 6.0  # standard deviations by which the best of all orientations and cells surpasses a random one
_LOOSE = 0.1  # rmsd by distance between reflections: 0.10 to 0.25 by chance, below 0.01 simulated, 0.08 in real stills
_FEW = 25  # spots that any free cell can be made to fit


def may_be_chance(
    n_indexed: int, n_spots: int, rmsd_px: float, spacing_px: float, tolerance: float, cell_is_known: bool
) -> bool:
    """Whether a random lattice may index as many spots of a frame as this one.

    Args:
        n_indexed: spots of the lattice.
        n_spots: of the frame.
        rmsd_px: between the lattice's spots and their predicted positions.
        spacing_px: distance between neighbouring reflections on the detector.
        tolerance: largest distance of indices from integers.
        cell_is_known: only the orientation was looked for.
    """
    share = min(1.0, 4.0 / 3.0 * math.pi * tolerance**3)
    most = share * n_spots + _BEST_OF_MANY * math.sqrt(share * (1.0 - share) * n_spots)
    is_loose = rmsd_px > _LOOSE * spacing_px or (n_indexed < _FEW and not cell_is_known)
    return n_indexed <= most and is_loose


def spacing_px(volume_A3: float, wavelength_A: float, distance_mm: float, pixel_mm: float) -> float:
    """Distance between neighbouring reflections of a primitive cell near the beam, on average over directions."""
    return wavelength_A / math.cbrt(volume_A3) * distance_mm / pixel_mm
