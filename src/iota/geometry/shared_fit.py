"""Fits one shift of the detector, and one cell if none is known, to indexed spots of many stills.

The unknowns of each still, its orientation, are eliminated from the normal equations (Schur complement), so that their
size depends on the common unknowns only: the shift along x, y, z, and the strain of the cell (six).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from iota.geometry.prediction import rotation

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ITERATIONS = 4  # of least squares for one assignment of indices
_ASSIGNMENTS = 3
_NEAR = 0.25  # cycles from an integer within which a spot is given indices
_OUTLIER = 4.0  # standard deviations
_NOISE_FLOOR = 2e-5  # 1/A, of estimated standard deviations
_MIN_SPOTS = 6  # spots of a still that takes part: half its unknowns are its own
_AXES = np.eye(3)
_CROSS = np.cross(_AXES[:, None], _AXES[None]).transpose(0, 2, 1)  # [axis, 3, 3]
_STRAINS = np.array(  # symmetric matrices of which a strain is the sum
    [np.maximum(np.outer(a, b), np.outer(b, a)) for a, b in itertools.combinations_with_replacement(_AXES, 2)]
)
_CONVERGED = 0.01  # standard uncertainties


@dataclass(frozen=True)
class Still:
    """Spots of one still, and its lattice."""

    xyz_mm: Array  # [n, 3] in the frame of the beam, which is along -z
    hkl: Ints  # [n, 3]
    used: npt.NDArray[np.bool_]  # [n] whether its indices are known
    rotation: Array  # [3, 3] from the frame of the common basis
    wave_number: float  # 1/A


@dataclass(frozen=True)
class SharedFit:
    """Shift of the detector, and common cell."""

    move_mm: Array  # [3]
    esd_mm: Array  # [3] from the scatter of spots or of stills, whichever is larger
    basis: Array  # [3, 3] direct vectors by rows (A)
    stills: tuple[Still, ...]
    n_spots: int


def q_vectors(xyz_mm: Array, wave_number: float) -> Array:
    """Points of reciprocal space (1/A) of spots at `[n, 3]` mm, for a beam along -z, `[n, 3]`."""
    q = xyz_mm / np.linalg.norm(xyz_mm, axis=1)[:, None]
    q[:, 2] += 1.0
    return np.asarray(wave_number * q)


def nearest_rotation(rows: Array, reference: Array) -> Array:
    """The rotation R `[3, 3]` for which reference R^T is closest to a basis, both by rows (Kabsch)."""
    u, _, vt = np.linalg.svd(rows.T @ reference)
    hand = np.sign(np.linalg.det(u @ vt))
    return np.asarray(u @ np.diag([1.0, 1.0, hand]) @ vt)


def fit_shared(stills: list[Still], basis: Array, start_mm: Array, free_cell: bool) -> SharedFit:
    """Fit the shift, with the cell of `basis` `[3, 3]`, or with a free one that begins there."""
    fit = SharedFit(start_mm, np.full(3, np.inf), basis, tuple(stills), 0)
    for assignment in range(_ASSIGNMENTS):
        if assignment:
            fit = _reassigned(fit)
        for _ in range(_ITERATIONS):
            before, fit = fit, _step(fit, free_cell)
            if (np.abs(fit.move_mm - before.move_mm) < _CONVERGED * fit.esd_mm).all():
                break
    return fit


def _reassigned(fit: SharedFit) -> SharedFit:
    """Indices of all spots that are near a lattice point now."""
    found = []
    for still in fit.stills:
        q = q_vectors(still.xyz_mm + fit.move_mm, still.wave_number)
        cycles = q @ (fit.basis @ still.rotation.T).T
        hkl = np.rint(cycles)
        used = (np.abs(cycles - hkl) < _NEAR).all(axis=1) & (hkl != 0).any(axis=1)
        found.append(replace(still, hkl=hkl.astype(np.int64), used=used))
    return replace(fit, stills=tuple(found))


def _step(fit: SharedFit, free_cell: bool) -> SharedFit:
    """One step of Gauss and Newton, robust against outliers."""
    stills = [still for still in fit.stills if still.used.sum() >= _MIN_SPOTS]
    reciprocal = np.linalg.inv(fit.basis)
    parts = [_residuals(still, reciprocal, fit.move_mm) for still in stills]
    if not parts:
        return fit
    pooled = np.concatenate([residual for residual, _, _ in parts])
    sigma = np.maximum(1.4826 * np.median(np.abs(pooled), axis=0), _NOISE_FLOOR)
    n_common = 9 if free_cell else 3
    normal, right = np.zeros((n_common, n_common)), np.zeros(n_common)
    between = np.zeros_like(normal)  # stills, whose spots are off together: crystals differ
    eliminated = []
    chi_squared, n_residuals = 0.0, 0
    for residual, of_shift, own in parts:
        kept = (np.abs(residual) < _OUTLIER * sigma).all(axis=1)
        r = (residual[kept] / sigma).ravel()
        common = np.concatenate([of_shift, own[:, :, 3:]], axis=2) if free_cell else of_shift
        J = (common[kept] / sigma[:, None]).reshape(-1, n_common)
        K = (own[kept, :, :3] / sigma[:, None]).reshape(-1, 3)
        inverse = np.linalg.pinv(K.T @ K)
        coupling = inverse @ (K.T @ J)
        normal += J.T @ J - (J.T @ K) @ coupling
        gradient = J.T @ r - coupling.T @ (K.T @ r)
        right += gradient
        between += np.outer(gradient, gradient)
        eliminated.append((inverse @ (K.T @ r), coupling))
        chi_squared, n_residuals = chi_squared + float(r @ r), n_residuals + len(r)
    scale = np.sqrt(np.maximum(np.diag(normal), 1e-300))
    covariance = np.linalg.pinv(normal / np.outer(scale, scale), rcond=1e-10) / np.outer(scale, scale)
    change = -covariance @ right
    n_free = max(n_residuals - n_common - 3 * len(stills), 1)
    between *= len(stills) / max(len(stills) - 1, 1)
    variance = np.maximum(np.diag(covariance) * chi_squared / n_free, np.diag(covariance @ between @ covariance))
    esd = np.sqrt(variance)
    basis = fit.basis
    if free_cell:
        basis = np.linalg.inv((np.eye(3) + np.tensordot(change[3:], _STRAINS, 1)) @ reciprocal)
    turned = tuple(
        replace(still, rotation=rotation(-own - coupling @ change) @ still.rotation)
        for still, (own, coupling) in zip(stills, eliminated, strict=True)
    )
    return SharedFit(fit.move_mm + change[:3], esd[:3], basis, turned, n_residuals // 3)


def _residuals(still: Still, reciprocal: Array, move_mm: Array) -> tuple[Array, Array, Array]:
    """Observed less calculated points of the spots used, and derivatives, in a frame along each diffracted beam.

    The first two directions are across the beam, in which positions are measured, the third is along it, in which
    points may be away from the Ewald sphere.

    Returns:
        Residuals (1/A) `[n, 3]`; derivatives by the shift (per mm) `[n, 3, 3]`; by rotation (rad) and strain
        `[n, 3, 9]`.
    """
    xyz = still.xyz_mm[still.used] + move_mm
    length = np.linalg.norm(xyz, axis=1)
    unit = xyz / length[:, None]
    observed = q_vectors(xyz, still.wave_number)
    at_rest = still.hkl[still.used] @ reciprocal.T
    calculated = at_rest @ still.rotation.T
    frame = _frames(unit)
    of_shift = frame * (still.wave_number / length)[:, None, None]
    of_shift[:, 2] = 0.0  # a shift along the beam of a spot does not move it
    by_turning = np.tensordot(calculated, _CROSS, axes=(1, 2))
    by_straining = np.tensordot(at_rest, still.rotation @ _STRAINS, axes=(1, 2))
    own = -np.concatenate([by_turning, by_straining], axis=1).transpose(0, 2, 1)
    return (frame @ (observed - calculated)[:, :, None])[:, :, 0], of_shift, frame @ own


def _frames(unit: Array) -> Array:
    """For each unit vector `[n, 3]` two directions across it, and itself, by rows `[n, 3, 3]`."""
    x, y, z = unit.T
    across = np.hypot(x, z)
    u, v = -z / across, x / across  # the first is (u, 0, v)
    first = np.column_stack([u, np.zeros_like(u), v])
    second = np.column_stack([y * v, z * u - x * v, -y * u])
    return np.stack([first, second, unit], axis=1)
