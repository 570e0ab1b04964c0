"""Refines a crystal against the spots of one still, with the target function of DIALS.

The crystal is its reciprocal setting matrix A* (1/A, dials convention: relp = A* h in the laboratory frame).  Beam and
detector are fixed, as is the default for stills.  The residuals are those of DIALS' still refinement: x and y on the
detector (mm) with statistical weights, and delta psi (rad), the smallest rotation that brings a reciprocal lattice
point onto the Ewald sphere (Sauter et al., Acta Cryst. (2014) D70, 3299), with a constant weight.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from cctbx import sgtbx

from iota.causes import Cause, why
from iota.crystallography.indices import hkl_from_flex
from iota.engine.backend.sentences import SentenceError

Array = npt.NDArray[np.float64]

DELPSI_WEIGHT = 1_000_000.0  # DIALS' refinement.reflections.weighting_strategy.delpsi_constant
_MAX_STEPS = 25
_CONVERGED = 1e-7  # relative change of the weighted sum of squares


@dataclass(frozen=True)
class StillSpots:
    """Indexed spots of one still and what is needed to predict them."""

    hkl: Array  # [n, 3]
    xy_mm: Array  # [n, 2] observed position on the panel
    weight: Array  # [n, 2] 1/variance (1/mm^2)
    to_panel: Array  # [n, 3, 3] or [3, 3] inverse d matrix of the panel of each spot
    s0: Array  # [3] incident beam (1/A)

    def __len__(self) -> int:
        return len(self.hkl)

    def select(self, chosen: npt.NDArray[np.bool_]) -> StillSpots:
        """Only some of the spots, ``chosen`` `[n]`."""
        to_panel = self.to_panel if self.to_panel.ndim == 2 else self.to_panel[chosen]
        return replace(
            self, hkl=self.hkl[chosen], xy_mm=self.xy_mm[chosen], weight=self.weight[chosen], to_panel=to_panel
        )


@dataclass(frozen=True)
class Prediction:
    """Predicted positions of the reflections of a crystal."""

    xy_mm: Array  # [n, 2]
    delpsi_rad: Array  # [n]
    s1: Array  # [n, 3]


@dataclass(frozen=True)
class Refined:
    """A refined crystal."""

    a_star: Array  # [3, 3]
    prediction: Prediction
    covariance: Array  # [p, p] of the coefficients of metric_basis (1/A^2), then of three rotations (rad)
    metric_basis: Array  # [p - 3, 3, 3], empty when the cell was not refined


def spots_from_table(reflections: Any, experiment: Any) -> StillSpots:
    """Take indexed spots of one experiment from a DIALS reflection table."""
    x, y, _ = (part.as_numpy_array() for part in reflections["xyzobs.mm.value"].parts())
    variance_x, variance_y, _ = (part.as_numpy_array() for part in reflections["xyzobs.mm.variance"].parts())
    inverse_d = np.array([panel.get_D_matrix() for panel in experiment.detector]).reshape(-1, 3, 3)
    return StillSpots(
        hkl=hkl_from_flex(reflections["miller_index"]).astype(np.float64),
        xy_mm=np.stack([x, y], axis=1),
        weight=1.0 / np.stack([variance_x, variance_y], axis=1),
        to_panel=inverse_d[0] if len(inverse_d) == 1 else inverse_d[reflections["panel"].as_numpy_array()],
        s0=np.array(experiment.beam.get_s0()),
    )


def predict(a_star: Array, spots: StillSpots) -> Prediction:
    """Predict positions and excitation errors.

    The point is rotated onto the Ewald sphere about the axis normal to itself and the beam.
    """
    return _predict(a_star, spots, None)[0]


def _predict(a_star: Array, spots: StillSpots, derivatives: Array | None) -> tuple[Prediction, Array]:
    """Predict, and differentiate along changes of A* `[p, 3, 3]`: gives `[p, 3, n]`, of x, y and delta psi."""
    wavenumber = np.linalg.norm(spots.s0)
    beam = spots.s0 / wavenumber
    q = spots.hkl @ a_star.T
    along = q @ beam  # component along the beam
    across_vector = q - along[:, None] * beam
    across = np.sqrt(np.einsum("ij,ij->i", across_vector, across_vector))
    direction = across_vector / across[:, None]
    q2 = along**2 + across**2
    depth = q2 / (2.0 * wavenumber)  # on the sphere, how far the point lies behind s0
    height = np.sqrt(q2 - depth**2)
    s1 = spots.s0 - depth[:, None] * beam + height[:, None] * direction
    delpsi = np.arctan2(height, depth) - np.arctan2(across, -along)
    on_panel = _on_panel(spots.to_panel, s1)
    xy = on_panel[..., :2] / on_panel[..., 2:]
    prediction = Prediction(xy, delpsi, s1)
    if derivatives is None:
        return prediction, np.empty(0)

    d_q = spots.hkl @ np.swapaxes(derivatives, 1, 2)  # [p, n, 3]
    d_along = d_q @ beam
    d_across_vector = d_q - d_along[..., None] * beam
    d_across = np.einsum("pni,ni->pn", d_across_vector, direction)
    d_q2 = 2.0 * (along * d_along + across * d_across)
    d_depth = d_q2 / (2.0 * wavenumber)
    d_height = (0.5 * d_q2 - depth * d_depth) / height
    d_direction = (d_across_vector - d_across[..., None] * direction) / across[:, None]
    d_s1 = -d_depth[..., None] * beam + d_height[..., None] * direction + height[:, None] * d_direction
    d_on_panel = _on_panel(spots.to_panel, d_s1)
    d_xy = (d_on_panel[..., :2] - xy * d_on_panel[..., 2:]) / on_panel[..., 2:]
    d_delpsi = (depth * d_height - height * d_depth - across * d_along + along * d_across) / q2
    return prediction, np.stack([d_xy[..., 0], d_xy[..., 1], d_delpsi], axis=1)


def _on_panel(to_panel: Array, vectors: Array) -> Array:
    """Vectors `[..., n, 3]` in the frame of the panel of each."""
    if to_panel.ndim == 2:
        return np.asarray(vectors @ to_panel.T)
    return np.asarray(np.einsum("nij,...nj->...ni", to_panel, vectors))


def refine(a_star: Array, spots: StillSpots, space_group: Any) -> Refined:
    """Refine orientation and cell, the cell under the metric constraints of the space group.

    Levenberg-Marquardt steps until the weighted sum of squares no longer changes.

    Args:
        a_star: start, `[3, 3]`, in the setting of the space group.
        spots: what to fit; spots with zero variance must be left out before.
        space_group: ``sgtbx.space_group``.

    Raises:
        ValueError: there are fewer spots than orientation parameters, or the crystal cannot be composed.
    """
    if len(spots) < 3:
        raise SentenceError(why(Cause.TOO_FEW_TO_REFINE, n_spots=len(spots)))
    basis = metric_basis(space_group)
    if len(spots) < len(basis):
        basis = basis[:0]  # as DIALS: with fewer spots than cell parameters the cell stays
    weight = np.concatenate([spots.weight[:, 0], spots.weight[:, 1], np.full(len(spots), DELPSI_WEIGHT)])
    damping = 1e-4
    prediction, jacobian = _predict(a_star, spots, _directions(a_star, basis))
    residual = _residual(prediction, spots)
    cost = float(weight @ residual**2)
    for _ in range(_MAX_STEPS):
        flat = jacobian.reshape(len(jacobian), -1)
        weighted = flat * weight
        normal = weighted @ flat.T
        gradient = weighted @ residual
        scale = np.sqrt(np.diag(normal))
        scaled = normal / np.outer(scale, scale)
        while True:
            step = -np.linalg.solve(scaled + damping * np.eye(len(scaled)), gradient / scale) / scale
            trial = _moved(a_star, basis, step)
            new_prediction, new_jacobian = _predict(trial, spots, _directions(trial, basis))
            new_residual = _residual(new_prediction, spots)
            new_cost = float(weight @ new_residual**2)
            if new_cost <= cost or damping > 1e6:
                break
            damping *= 10.0
        if not new_cost <= cost:  # also when it is not a number
            break
        converged = cost - new_cost <= _CONVERGED * cost
        a_star, prediction, jacobian, residual, cost = trial, new_prediction, new_jacobian, new_residual, new_cost
        damping = max(damping * 0.1, 1e-9)
        if converged:
            break
    flat = jacobian.reshape(len(jacobian), -1)
    covariance = np.linalg.pinv((flat * weight) @ flat.T, hermitian=True)
    covariance *= cost / max(1, len(weight) - len(jacobian))
    return Refined(a_star, prediction, covariance, basis)


def _residual(prediction: Prediction, spots: StillSpots) -> Array:
    difference = prediction.xy_mm - spots.xy_mm
    return np.concatenate([difference[:, 0], difference[:, 1], prediction.delpsi_rad])


def _directions(a_star: Array, basis: Array) -> Array:
    """Changes of A* along each parameter: metric coefficients first, then rotations about x, y, z (rad)."""
    # half the inverse transpose times dG changes A*'A* = G by dG and keeps the symmetry of the metric
    metric = 0.5 * np.linalg.inv(a_star).T @ basis
    return np.concatenate([metric, _GENERATORS @ a_star])


_GENERATORS = np.array(
    [[[0, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]], [[0, -1, 0], [1, 0, 0], [0, 0, 0]]],
    dtype=float,
)


def _moved(a_star: Array, basis: Array, step: Array) -> Array:
    n = len(basis)
    stretched = a_star + 0.5 * np.linalg.inv(a_star).T @ np.tensordot(step[:n], basis, axes=1)
    return rotation(step[n:]) @ stretched


def rotation(vector_rad: Array) -> Array:
    """Rotation matrix `[3, 3]` about a vector by its length (Rodrigues)."""
    angle = float(np.linalg.norm(vector_rad))
    if angle < 1e-14:
        return np.eye(3)
    generator = np.tensordot(vector_rad / angle, _GENERATORS, axes=1)
    return np.asarray(np.eye(3) + np.sin(angle) * generator + (1 - np.cos(angle)) * generator @ generator)


def metric_basis(space_group: Any) -> Array:
    """Independent directions of the reciprocal metric tensor under a space group, `[n, 3, 3]`, n = 1 to 6."""
    return _metric_basis(space_group.type().hall_symbol())


@lru_cache(maxsize=16)
def _metric_basis(hall_symbol: str) -> Array:
    operations = [
        np.array(operation.r().as_double()).reshape(3, 3)
        for operation in sgtbx.space_group(hall_symbol).build_derived_point_group()
    ]
    symmetric = []
    for i in range(3):
        for j in range(i, 3):
            unit = np.zeros((3, 3))
            unit[i, j] = unit[j, i] = 1.0
            # h' = h R, so G' = R G R^T
            symmetric.append(np.mean([r @ unit @ r.T for r in operations], axis=0).ravel())
    _, size, vectors = np.linalg.svd(np.array(symmetric), full_matrices=False)
    return np.asarray(vectors[size > 1e-9].reshape(-1, 3, 3))


def constrained(a_star: Array, space_group: Any) -> Array:
    """The nearest A* whose metric has the symmetry of a space group."""
    metric = a_star.T @ a_star
    basis = metric_basis(space_group).reshape(-1, 9)
    wanted = (basis.T @ (basis @ metric.ravel())).reshape(3, 3)  # the basis is orthonormal
    # A* = R S with S'S = G: keep R, of the polar decomposition of the distortion
    lower = np.linalg.cholesky(wanted)
    u, _, vt = np.linalg.svd(a_star @ np.linalg.inv(lower.T))
    return np.asarray(u @ vt @ lower.T)


def b_covariance(b_matrix: Array, refined: Refined) -> Array | None:
    """Covariance of the elements of DIALS' B matrix (by rows), `[9, 9]`; None if the cell was not refined.

    Args:
        b_matrix: lower triangular, B'B is the reciprocal metric of the refined crystal.
        refined: the refined crystal.
    """
    n = len(refined.metric_basis)
    if n == 0:
        return None
    inverse = np.linalg.inv(b_matrix)
    change = inverse.T @ refined.metric_basis @ inverse  # L + L' of dB = L B
    lower = np.tril(change, -1) + 0.5 * change * np.eye(3)
    jacobian = (lower @ b_matrix).reshape(n, 9)
    return np.asarray(jacobian.T @ refined.covariance[:n, :n] @ jacobian)
