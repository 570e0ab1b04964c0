"""Predicts the reflections of a still without testing every index in the resolution sphere.

DIALS' predictor decides, reflection by reflection; here it is given only those indices whose reciprocal lattice points
lie near the Ewald sphere.

Coordinate frames and signs: docs/explanations/coordinate-frames.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from dials.algorithms.spot_prediction import StillsReflectionPredictor
from dials.array_family import flex

from iota.crystallography.indices import flex_from_hkl
from iota.geometry.prediction import Array

_MARGIN = 1.01  # by which the limit is widened, so that rounding loses nothing


def predict_still(experiment: Any, d_min_A: float | None) -> Any:
    """Predict as ``flex.reflection_table.from_predictions`` does, same reflections in the same order.

    Args:
        experiment: with a crystal that has mosaicity and domain size.
        d_min_A: highest resolution (A); None is that of the corners of the detector.
    """
    if d_min_A is None:
        d_min_A = experiment.detector.get_max_resolution(experiment.beam.get_s0())
    crystal = experiment.crystal
    mosaicity_rad = math.radians(crystal.get_half_mosaicity_deg()) / 2.0  # half of the half, as DIALS has it
    domain_size_A = crystal.get_domain_size_ang()
    indices = near_ewald_sphere(
        np.array(crystal.get_A()).reshape(3, 3),
        np.array(experiment.beam.get_s0()),
        d_min_A,
        mosaicity_rad,
        domain_size_A,
    )
    miller_index = flex_from_hkl(indices)
    present = ~crystal.get_space_group().is_sys_absent(miller_index)
    present &= crystal.get_unit_cell().d(miller_index) >= d_min_A
    table = StillsReflectionPredictor(experiment, dmin=d_min_A)(miller_index.select(present))
    limit_rad = crystal.get_unit_cell().d(table["miller_index"]) / domain_size_A + mosaicity_rad
    return table.select(flex.abs(table["delpsical.rad"]) < limit_rad)


def near_ewald_sphere(
    a_star: Array, s0: Array, d_min_A: float, mosaicity_rad: float, domain_size_A: float
) -> npt.NDArray[np.int64]:
    """Indices of the points within a resolution that a rotation by the mosaicity of their shell brings onto the sphere.

    Args:
        a_star: reciprocal setting matrix (1/A), `[3, 3]`.
        s0: incident beam (1/A), `[3]`.
        d_min_A: resolution limit (A).
        mosaicity_rad: largest rotation at infinite resolution (rad).
        domain_size_A: the rotation grows with resolution d by d/domain size.

    Returns:
        Indices `[n, 3]`, sorted, without 0 0 0.
    """
    wavenumber = float(np.linalg.norm(s0))
    direct = np.linalg.inv(a_star)
    h_max, k_max, _ = np.floor(np.linalg.norm(direct, axis=1) / d_min_A + 1e-9).astype(int)
    h, k = (
        grid.ravel() for grid in np.meshgrid(np.arange(-h_max, h_max + 1), np.arange(-k_max, k_max + 1), indexing="ij")
    )
    # along a row, |s0 + q|^2 - |s0|^2 = alpha l^2 + 2 beta l + gamma; it is 2 |s0| times the distance from the sphere
    foot = h[:, None] * a_star[:, 0] + k[:, None] * a_star[:, 1]
    c_star = a_star[:, 2]
    alpha = float(c_star @ c_star)
    beta = (foot + s0) @ c_star
    gamma = np.einsum("ij,ij->i", foot, foot) + 2.0 * foot @ s0
    limit = _MARGIN * 2.0 * wavenumber * (mosaicity_rad / d_min_A + 1.0 / domain_size_A)
    row, l_index = _near_roots(alpha, beta, gamma, limit)
    indices = np.stack([h[row], k[row], l_index], axis=1)
    q2 = np.einsum("ij,ij->i", indices @ a_star.T, indices @ a_star.T)
    off_sphere = np.abs(q2 + 2.0 * (indices @ a_star.T) @ s0)
    allowed = _MARGIN * 2.0 * wavenumber * (mosaicity_rad * np.sqrt(q2) + 1.0 / domain_size_A)
    return np.asarray(indices[(q2 > 0) & (q2 <= _MARGIN / d_min_A**2) & (off_sphere <= allowed)])


def _near_roots(
    alpha: float, beta: Array, gamma: Array, limit: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and integers l with |alpha l^2 + 2 beta l + gamma| <= limit, in order of row and l."""
    outer = beta**2 - alpha * (gamma - limit)
    rows = np.flatnonzero(outer >= 0)
    centre, reach = -beta[rows] / alpha, np.sqrt(outer[rows]) / alpha
    inner = np.sqrt(np.maximum(beta[rows] ** 2 - alpha * (gamma[rows] + limit), 0.0)) / alpha
    first, last = np.ceil(centre - reach), np.floor(centre + reach)
    hole_first, hole_last = np.floor(centre - inner), np.ceil(centre + inner)
    connected = hole_first + 1 >= hole_last  # the row touches the shell without passing through it
    ends_low = np.where(connected, last, hole_first)
    starts_high = np.where(connected, last + 1, hole_last)
    starts = np.stack([first, starts_high], axis=1).astype(np.int64).ravel()
    counts = np.maximum(np.stack([ends_low, last], axis=1).astype(np.int64).ravel() - starts + 1, 0)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(np.repeat(rows, 2), counts), np.repeat(starts, counts) + offsets
