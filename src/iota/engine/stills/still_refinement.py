"""Refines a crystal against the spots of one still, with the target function of DIALS.

The crystal is its reciprocal setting matrix A* (1/A, dials convention: relp = A* h in the laboratory frame).  Beam and
detector are fixed, as is the default for stills.  The residuals are those of DIALS' still refinement: x and y on the
detector (mm) with statistical weights, and delta psi (rad), the smallest rotation that brings a reciprocal lattice
point onto the Ewald sphere (Sauter et al., Acta Cryst. (2014) D70, 3299), with a constant weight.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from iota.causes import Cause, why
from iota.crystallography.indices import hkl_from_flex
from iota.engine.backend.sentences import SentenceError
from iota.geometry.prediction import Array, Prediction, directions, metric_basis, rotation
from iota.geometry.prediction import predict as predict_points

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
    d_q = None if derivatives is None else spots.hkl @ np.swapaxes(derivatives, 1, 2)  # [p, n, 3]
    return predict_points(spots.hkl @ a_star.T, spots.s0, spots.to_panel, d_q)


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
    prediction, jacobian = _predict(a_star, spots, directions(a_star, basis))
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
            new_prediction, new_jacobian = _predict(trial, spots, directions(trial, basis))
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


def _moved(a_star: Array, basis: Array, step: Array) -> Array:
    n = len(basis)
    stretched = a_star + 0.5 * np.linalg.inv(a_star).T @ np.tensordot(step[:n], basis, axes=1)
    return rotation(step[n:]) @ stretched


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
