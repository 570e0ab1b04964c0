"""A simulated crystal: unit cell, orientation, mosaicity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cctbx import sgtbx, uctbx

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Lattice:
    """One lattice of one frame; get it from :func:`iota.simulate.frames.draw_frame`.

    ``A`` [3, 3] (1/A) takes Miller indices (columns) to reciprocal space in the laboratory frame of dxtbx.
    ``delta_b_A2`` is what this crystal's B factor differs from that of the true intensities.
    """

    form: int
    A: FloatArray
    unit_cell: tuple[float, ...]
    scale: float
    delta_b_A2: float
    mosaic_deg: float
    domain_size_A: float


def random_rotation(rng: np.random.Generator) -> FloatArray:
    """Rotation matrix [3, 3], uniform over all orientations.

    Unit quaternion from three uniform numbers: Shoemake, in Graphics Gems III (1992) 124-132.
    """
    u1, u2, u3 = rng.random(3)
    x = np.sqrt(1.0 - u1) * np.sin(2.0 * np.pi * u2)
    y = np.sqrt(1.0 - u1) * np.cos(2.0 * np.pi * u2)
    z = np.sqrt(u1) * np.sin(2.0 * np.pi * u3)
    w = np.sqrt(u1) * np.cos(2.0 * np.pi * u3)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def reciprocal_basis(unit_cell: tuple[float, ...]) -> FloatArray:
    """Matrix B [3, 3] with a*, b*, c* (1/A) as columns; a is along x and b in the xy plane, as in cctbx."""
    fractionalization = uctbx.unit_cell(unit_cell).fractionalization_matrix()
    return np.reshape(fractionalization, (3, 3)).T


def perturbed_cell(
    unit_cell: tuple[float, ...], space_group: str, relative_spread: float, rng: np.random.Generator
) -> tuple[float, ...]:
    """Cell whose axes differ by Gaussian fractions of deviation ``relative_spread`` but keep the symmetry."""
    factors = 1.0 + relative_spread * rng.standard_normal(3)
    lengths = [float(length * factor) for length, factor in zip(unit_cell[:3], factors, strict=True)]
    group = sgtbx.space_group_info(space_group).group()
    averaged = group.average_unit_cell(uctbx.unit_cell((*lengths, *unit_cell[3:])))
    return tuple(float(value) for value in averaged.parameters())
