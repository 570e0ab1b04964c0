"""Whether a lattice of one frame is more than chance: some lattice fits any spots, those of ice among them.

DIALS gives a spot to a lattice when its indices are within a tolerance of integers, so even a random lattice indexes a
tenth of all spots, the best of many of them some more, and leaves them anywhere within the tolerance. A true lattice
indexes more, or brings its spots near to their places, which counts where they are more than the cell has parameters.
"""

from __future__ import annotations

import math

_BEST_OF_MANY = 6.0  # standard deviations by which the best of all orientations and cells surpasses a random one
_LOOSE = 0.1  # rmsd by distance between reflections: 0.10 to 0.25 by chance, below 0.01 simulated, 0.08 in real stills
_FEW = 25  # spots to which any free cell can be bent


def may_be_chance(
    n_indexed: int, n_spots: int, rmsd_px: float, spacing_px: float, tolerance: float, cell_is_known: bool
) -> bool:
    """Whether a lattice of chance indexes so many of the spots of a frame so well.

    Args:
        n_indexed: spots of the lattice.
        n_spots: of the frame.
        rmsd_px: of the lattice's spots from their predicted places.
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
