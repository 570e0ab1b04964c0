"""True merged intensities with the symmetry of the space group and Wilson statistics.

Nothing is known about the atoms: each unique reflection draws its intensity from the distribution that randomly placed
atoms give. What a frame records is looked up here, so symmetry equivalents agree exactly on all frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cctbx import crystal, miller, sgtbx, uctbx
from cctbx.eltbx import xray_scattering

from iota.crystallography.indices import hkl_from_flex, packed_from_hkl
from iota.errors import UsageError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]

# Atoms of an average protein residue, hydrogen left out of the heavy part of the scattering power.
RESIDUE_ATOMS = {"C": 5.0, "N": 1.35, "O": 1.5, "S": 0.04, "H": 8.0}
SOLVENT_CONTRAST = 0.8
SOLVENT_B_A2 = 200.0
REFERENCE_D_A = 4.0
MAX_REFLECTIONS = 30_000_000


@dataclass(frozen=True)
class Reflections:
    """The true intensities of one crystal form; get it from :func:`draw_intensities`.

    ``asu_hkl`` [n_unique, 3] and ``asu_intensity`` [n_unique] hold each unique reflection once. ``hkl`` [n, 3] and
    ``intensity`` [n] hold the whole sphere. Absent reflections are in neither. Intensities are in units of the mean
    at 4 A.
    """

    asu_hkl: IntArray
    asu_intensity: FloatArray
    asu_centric: npt.NDArray[np.bool_]
    asu_epsilon: FloatArray
    hkl: IntArray
    intensity: FloatArray


def draw_intensities(
    unit_cell: tuple[float, ...], space_group: str, d_min_A: float, b_factor_A2: float, rng: np.random.Generator
) -> Reflections:
    """Draw one intensity for each unique reflection to ``d_min_A`` and spread them over the sphere.

    I = epsilon * S(d) * E**2 with E**2 of mean 1: exponential when acentric, chi-square of one degree of freedom when
    centric (Wilson, Acta Cryst. 2 (1949) 318-321); epsilon is the factor of reflections on symmetry elements. Friedel
    mates are equal (no anomalous scatterers).
    """
    cell_volume_A3 = float(_symmetry(unit_cell, space_group).unit_cell().volume())
    n_expected = 4.19 * cell_volume_A3 / d_min_A**3
    if n_expected > MAX_REFLECTIONS:
        raise UsageError(
            f"A cell of {cell_volume_A3:.0f} A^3 to {d_min_A:.2f} A has {n_expected:.0f} reflections, more than"
            f" {MAX_REFLECTIONS}. Choose a smaller cell or a longer detector distance."
        )
    unique = miller.build_set(_symmetry(unit_cell, space_group), anomalous_flag=False, d_min=d_min_A)
    centric = unique.centric_flags().data().as_numpy_array()
    epsilon = unique.epsilons().data().as_numpy_array().astype(np.float64)
    d_A = unique.d_spacings().data().as_numpy_array()
    e_squared = np.where(centric, rng.standard_normal(d_A.size) ** 2, rng.standard_exponential(d_A.size))
    # epsilon counts lattice centring too, which raises all reflections alike: only the rest matters here.
    epsilon /= epsilon.min()
    intensity = epsilon * e_squared * relative_scattering_power(d_A, b_factor_A2)
    return _spread_over_sphere(unique, centric, epsilon, intensity)


def relative_scattering_power(d_A: npt.ArrayLike, b_factor_A2: float) -> FloatArray:
    """Mean intensity at resolution ``d_A``, relative to 4 A: sum of f**2, B factor and bulk solvent.

    exp(-2 B sin(theta)**2 / lambda**2) = exp(-B / (2 d**2)) for intensities. The solvent lowers amplitudes by
    (1 - k exp(-B_sol sin(theta)**2 / lambda**2)), Babinet's principle as in Moews & Kretsinger, J. Mol. Biol. 91
    (1975) 201-228. Form factors are those of International Tables as in cctbx.
    """
    d = np.asarray(d_A, dtype=np.float64)
    return _scattering_power(d, b_factor_A2) / _scattering_power(np.float64(REFERENCE_D_A), b_factor_A2)


def _scattering_power(d_A: npt.ArrayLike, b_factor_A2: float) -> FloatArray:
    stol_sq = 1.0 / (4.0 * np.square(np.asarray(d_A, dtype=np.float64)))
    atoms = sum(n * form_factor(element, stol_sq) ** 2 for element, n in RESIDUE_ATOMS.items())
    solvent = (1.0 - SOLVENT_CONTRAST * np.exp(-SOLVENT_B_A2 * stol_sq)) ** 2
    return np.asarray(atoms * solvent * np.exp(-2.0 * b_factor_A2 * stol_sq))


def form_factor(element: str, stol_sq: npt.ArrayLike) -> FloatArray:
    """Scattering factor of a neutral atom (electrons) at (sin(theta)/lambda)**2 in 1/A^2, shape kept."""
    gaussians = xray_scattering.it1992(element).fetch()
    stol_sq = np.asarray(stol_sq, dtype=np.float64)
    total = np.full(stol_sq.shape, gaussians.c())
    for a, b in zip(gaussians.array_of_a(), gaussians.array_of_b(), strict=True):
        total += a * np.exp(-b * stol_sq)
    return total


def _symmetry(unit_cell: tuple[float, ...], space_group: str) -> crystal.symmetry:
    cell = ", ".join(f"{x:g}" for x in unit_cell)
    try:
        parsed_cell = uctbx.unit_cell(unit_cell)
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"{cell} is not a unit cell. Give a, b, c in A and three possible angles in degrees."
        ) from error
    try:
        group = sgtbx.space_group_info(space_group)
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"There is no space group named {space_group}. Give a symbol such as P43212 or C2.") from error
    if not group.group().is_compatible_unit_cell(parsed_cell):
        raise UsageError(f"The cell {cell} does not obey the space group {space_group}. Change one of the two.")
    return crystal.symmetry(unit_cell=parsed_cell, space_group_info=group)


def _spread_over_sphere(
    unique: miller.set, centric: npt.NDArray[np.bool_], epsilon: FloatArray, intensity: FloatArray
) -> Reflections:
    """Copy each unique intensity to all its equivalents and their Friedel mates."""
    asu_hkl = hkl_from_flex(unique.indices())
    operators = unique.space_group().build_derived_point_group().all_ops()
    blocks = [asu_hkl @ np.reshape(op.r().as_double(), (3, 3)).round().astype(np.int32) for op in operators]
    stacked = np.concatenate(blocks + [-block for block in blocks])
    values = np.tile(intensity, 2 * len(blocks))
    # reflections on symmetry elements occur several times: keep one
    _, keep = np.unique(packed_from_hkl(stacked), return_index=True)
    return Reflections(asu_hkl, intensity, centric, epsilon, stacked[keep], values[keep])
