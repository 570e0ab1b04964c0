"""Where a crystal puts its reflections on the detector, with derivatives.

The crystal is its reciprocal setting matrix A* (1/A, dials convention: relp = A* h in the laboratory frame).  A still
gives the position on a panel (mm), and delta psi (rad), the smallest rotation that brings a reciprocal lattice point
onto the Ewald sphere (Sauter et al., Acta Cryst. (2014) D70, 3299).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from cctbx import sgtbx

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """Where a crystal puts its reflections."""

    xy_mm: Array  # [n, 2]
    delpsi_rad: Array  # [n]
    s1: Array  # [n, 3]


def predict(q: Array, s0: Array, to_panel: Array, d_q: Array | None = None) -> tuple[Prediction, Array]:
    """Predict positions and excitation errors of reciprocal lattice points, and differentiate them.

    Each point is rotated onto the Ewald sphere about the axis normal to itself and the beam.

    Args:
        q: reciprocal lattice points A* h (1/A), `[n, 3]`.
        s0: incident beam (1/A), `[3]`, or that of each point, `[n, 3]`.
        to_panel: inverse d matrix of the panel, `[3, 3]`, or that of each point, `[n, 3, 3]`.
        d_q: changes of the points along each of p parameters, `[p, n, 3]`.

    Returns:
        The prediction, and derivatives `[p, 3, n]` of x, y (mm) and delta psi (rad), empty without ``d_q``.
    """
    wavenumber = np.linalg.norm(s0, axis=-1)
    beam = s0 / wavenumber if s0.ndim == 1 else s0 / wavenumber[:, None]
    along = _dot(q, beam)  # component along the beam
    across_vector = q - along[:, None] * beam
    across = np.sqrt(np.einsum("ij,ij->i", across_vector, across_vector))
    direction = across_vector / across[:, None]
    q2 = along**2 + across**2
    depth = q2 / (2.0 * wavenumber)  # on the sphere, how far the point lies behind s0
    height = np.sqrt(q2 - depth**2)
    s1 = s0 - depth[:, None] * beam + height[:, None] * direction
    delpsi = np.arctan2(height, depth) - np.arctan2(across, -along)
    on_panel = _on_panel(to_panel, s1)
    xy = on_panel[..., :2] / on_panel[..., 2:]
    prediction = Prediction(xy, delpsi, s1)
    if d_q is None:
        return prediction, np.empty(0)

    d_along = _dot(d_q, beam)
    d_across_vector = d_q - d_along[..., None] * beam
    d_across = np.einsum("pni,ni->pn", d_across_vector, direction)
    d_q2 = 2.0 * (along * d_along + across * d_across)
    d_depth = d_q2 / (2.0 * wavenumber)
    d_height = (0.5 * d_q2 - depth * d_depth) / height
    d_direction = (d_across_vector - d_across[..., None] * direction) / across[:, None]
    d_s1 = -d_depth[..., None] * beam + d_height[..., None] * direction + height[:, None] * d_direction
    d_on_panel = _on_panel(to_panel, d_s1)
    d_xy = (d_on_panel[..., :2] - xy * d_on_panel[..., 2:]) / on_panel[..., 2:]
    d_delpsi = (depth * d_height - height * d_depth - across * d_along + along * d_across) / q2
    return prediction, np.stack([d_xy[..., 0], d_xy[..., 1], d_delpsi], axis=1)


def _dot(vectors: Array, beam: Array) -> Array:
    """Components of vectors `[..., n, 3]` along the beam, `[3]` or `[n, 3]`."""
    if beam.ndim == 1:
        return np.asarray(vectors @ beam)
    return np.asarray(np.einsum("...ni,ni->...n", vectors, beam))


def _on_panel(to_panel: Array, vectors: Array) -> Array:
    """Vectors `[..., n, 3]` in the frame of the panel of each."""
    if to_panel.ndim == 2:
        return np.asarray(vectors @ to_panel.T)
    return np.asarray(np.einsum("nij,...nj->...ni", to_panel, vectors))


GENERATORS = np.array(
    [[[0, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]], [[0, -1, 0], [1, 0, 0], [0, 0, 0]]],
    dtype=float,
)  # of rotations about x, y, z


def rotation(vector_rad: Array) -> Array:
    """Rotation matrix `[3, 3]` about a vector by its length (Rodrigues)."""
    angle = float(np.linalg.norm(vector_rad))
    if angle < 1e-14:
        return np.eye(3)
    generator = np.tensordot(vector_rad / angle, GENERATORS, axes=1)
    return np.asarray(np.eye(3) + np.sin(angle) * generator + (1 - np.cos(angle)) * generator @ generator)


def rotations(vectors_rad: Array) -> Array:
    """Rotation matrices `[m, 3, 3]` about vectors `[m, 3]` by their lengths, as :func:`rotation`."""
    angle = np.linalg.norm(vectors_rad, axis=1)
    unit = vectors_rad / np.maximum(angle, 1e-300)[:, None]
    generator = np.tensordot(unit, GENERATORS, axes=1)
    sine, versine = np.sin(angle)[:, None, None], (1.0 - np.cos(angle))[:, None, None]
    return np.asarray(np.eye(3) + sine * generator + versine * (generator @ generator))


def directions(a_star: Array, basis: Array) -> Array:
    """Changes of A* along each parameter: metric coefficients first, then rotations about x, y, z (rad).

    Args:
        a_star: `[..., 3, 3]`.
        basis: directions of the metric tensor, `[k, 3, 3]`, or those of each crystal, `[..., k, 3, 3]`.

    Returns:
        `[..., k + 3, 3, 3]`.
    """
    # half the inverse transpose times dG changes A*'A* = G by dG and keeps the symmetry of the metric
    a_star = a_star[..., None, :, :]
    metric = 0.5 * np.swapaxes(np.linalg.inv(a_star), -1, -2) @ basis
    return np.concatenate([metric, GENERATORS @ a_star], axis=-3)


def metric_basis(space_group: Any) -> Array:
    """Independent directions of the reciprocal metric tensor under a space group, `[k, 3, 3]`, k = 1 to 6.

    Args:
        space_group: a symbol, or a space group of cctbx.
    """
    if isinstance(space_group, str):
        space_group = sgtbx.space_group_info(space_group).group()
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
