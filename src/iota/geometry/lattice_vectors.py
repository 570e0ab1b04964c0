"""Finds vectors of the crystal lattice from the spots of a still whose beam centre is not known.

If the beam centre is wrong, all reciprocal lattice points of a still are shifted by the same vector, and turned a
little. The sum of exp(2 pi i q.t) over the spots then still has the same modulus at a vector t of the lattice, and only
its phase tells of the shift. Moduli are calculated for all vectors up to a length by Fourier transforms in planes
across the beam. No cell is needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft

Array = npt.NDArray[np.float64]

LONGEST_A = 200.0  # vectors looked for
_SHORTEST_A = 25.0
_SHORTEST_ACROSS_A = 12.0  # across the beam: spots have hardly any extent along it, in which all vectors look alike
HIGHEST_Q = 0.3  # 1/A; up to here a distance that is 5 % wrong changes no phase by more than a quarter of a cycle
MIN_SPOTS = 8
_PLANE_STEP = 0.5  # cycles over the extent of the spots along the beam, from plane to plane
_PADDING = 1.2  # of the transforms, beyond the extent of the spots
_WEAKEST = 0.35  # modulus per spot at a node of the grid
_MAX_VECTORS = 60
_ASCENTS = 5
_LONGEST_STEP_A = 3.0
_SAME_A = 3.0  # nearer than this two vectors are one


class LatticeVectors(NamedTuple):
    """Vectors that are probably of the lattice of a still, the best first, one of each pair t, -t."""

    t_A: Array  # [m, 3]
    sums: npt.NDArray[np.complex128]  # [m] mean of exp(2 pi i q.t) over the spots
    n_spots: int


def lattice_vectors(q: Array) -> LatticeVectors:
    """Vectors at which the spots `q` `[n, 3]` (1/A, beam along -z) are in phase; none if there are too few spots."""
    used = q[np.einsum("ij,ij->i", q, q) < HIGHEST_Q**2]
    if len(used) < MIN_SPOTS:
        return LatticeVectors(np.empty((0, 3)), np.empty(0, dtype=complex), len(used))
    t_A = _distinct(_climbed(_peaks(used), used), used)
    return LatticeVectors(t_A, _means(t_A, used), len(used))


def _means(t_A: Array, q: Array) -> npt.NDArray[np.complex128]:
    return np.asarray(np.exp(2j * np.pi * (t_A @ q.T)).mean(axis=1))


def _peaks(q: Array) -> Array:
    """Nodes of a grid where the modulus is a local maximum, the highest first, `[m, 3]` (A)."""
    size = fft.next_fast_len(int(4.0 * _PADDING * HIGHEST_Q * LONGEST_A))
    spacing = 0.5 / LONGEST_A
    extent = max(float(np.ptp(q[:, 2])), 1e-3)
    z_A = np.arange(0.0, LONGEST_A, _PLANE_STEP / extent)
    cells = np.rint(q[:, :2] / spacing).astype(np.int64) % size
    planes = np.zeros((len(z_A), size * size), dtype=np.complex64)
    phases = np.exp(2j * np.pi * np.outer(z_A, q[:, 2])).astype(np.complex64)
    flat = cells[:, 0] * size + cells[:, 1]
    for plane, phase in zip(planes, phases, strict=True):
        np.add.at(plane, flat, phase)
    planes = planes.reshape(len(z_A), size, size)
    sums = fft.ifft2(planes, axes=(1, 2), norm="forward", overwrite_x=True)
    square = sums.real**2 + sums.imag**2
    m, i, j = np.nonzero(square > np.float32((_WEAKEST * len(q)) ** 2))
    x_A = fft.fftfreq(size, spacing)
    across = x_A[i] ** 2 + x_A[j] ** 2
    length = across + z_A[m] ** 2
    wanted = (length > _SHORTEST_A**2) & (length < LONGEST_A**2) & (across > _SHORTEST_ACROSS_A**2)
    m, i, j = m[wanted], i[wanted], j[wanted]
    here = square[m, i, j]
    top = np.ones(len(m), dtype=bool)
    for k in (-1, 0, 1):
        for di in (-1, 0, 1):
            for dj in (-1, 0, 1):
                near = square[np.clip(m + k, 0, len(z_A) - 1), (i + di) % size, (j + dj) % size]
                top &= here >= near
    order = np.flatnonzero(top)
    order = order[np.argsort(-here[order], kind="stable")[: 2 * _MAX_VECTORS]]
    return np.stack([x_A[i[order]], x_A[j[order]], z_A[m[order]]], axis=1)


def _climbed(t_A: Array, q: Array) -> Array:
    """The same vectors after fits of the phases of the spots that are near the phase of the sum, `[m, 3]` (A)."""
    for _ in range(_ASCENTS):
        waves = np.exp(2j * np.pi * (t_A @ q.T))
        phase = np.angle(waves * np.conj(waves.sum(axis=1))[:, None])
        weight = np.maximum(np.cos(phase), 0.0)
        total = np.maximum(weight.sum(axis=1), 1e-6)
        mean_q, mean_phase = (weight @ q) / total[:, None], (weight * phase).sum(axis=1) / total
        products = (q[:, :, None] * q[:, None, :]).reshape(len(q), 9)
        normal = (weight @ products).reshape(-1, 3, 3) - total[:, None, None] * mean_q[:, :, None] * mean_q[:, None, :]
        right = (weight * phase) @ q - (total * mean_phase)[:, None] * mean_q
        normal += 1e-6 * total[:, None, None] * np.eye(3)
        step = np.linalg.solve(normal, right[..., None])[..., 0] / (2.0 * np.pi)
        long = np.linalg.norm(step, axis=1, keepdims=True)
        t_A = t_A - step * np.minimum(1.0, _LONGEST_STEP_A / np.maximum(long, 1e-9))
    return t_A


def _distinct(t_A: Array, q: Array) -> Array:
    """Vectors of which none is near another or its opposite, those of highest modulus first, `[m, 3]`."""
    order = np.argsort(-np.abs(_means(t_A, q)), kind="stable")
    kept: list[int] = []
    across = np.hypot(t_A[:, 0], t_A[:, 1])
    length = np.linalg.norm(t_A, axis=1)
    for k in order:
        if across[k] < _SHORTEST_ACROSS_A or not _SHORTEST_A <= length[k] <= 1.1 * LONGEST_A:
            continue
        others = t_A[kept]
        gaps = np.minimum(np.linalg.norm(others - t_A[k], axis=1), np.linalg.norm(others + t_A[k], axis=1))
        if not len(kept) or gaps.min() > _SAME_A:
            kept.append(int(k))
            if len(kept) == _MAX_VECTORS:
                break
    return np.asarray(t_A[kept])
