"""Spots of many stills made in numpy: points near the Ewald sphere, with errors of positions and outliers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from cctbx import uctbx

from iota.geometry.observations import Observations
from iota.geometry.panels import Panels
from iota.geometry.prediction import predict, rotations

WAVELENGTH_A = 1.0
TETRAGONAL = ((79.2, 79.2, 38.1, 90.0, 90.0, 90.0), "P 43 21 2")
MONOCLINIC = ((52.0, 61.0, 47.0, 90.0, 108.0, 90.0), "P 1 21 1")
TRICLINIC = ((41.0, 52.0, 63.0, 84.0, 98.0, 107.0), "P 1")


def one_panel(n_px=1000, pixel_mm=0.1, distance_mm=120.0):
    return modules(1, 1, n_px, pixel_mm, distance_mm)


def modules(n_fast, n_slow, n_px, pixel_mm=0.1, distance_mm=120.0, gap_px=8, columns=None):
    """Square panels side by side, centred on the beam; with ``columns``, panels of so many columns make a group."""
    step = (n_px + gap_px) * pixel_mm
    numbers = [(i, j) for j in range(n_slow) for i in range(n_fast)]
    width, height = n_fast * step - gap_px * pixel_mm, n_slow * step - gap_px * pixel_mm
    origin = np.array([[i * step - 0.5 * width, 0.5 * height - j * step, -distance_mm] for i, j in numbers])
    n = len(numbers)
    levels = [np.zeros(n, dtype=int)]
    if columns:
        levels.append(np.array([(i // columns) + (n_fast // columns) * (j // columns) for i, j in numbers]))
    levels.append(np.arange(n))
    return Panels(
        origin_mm=origin,
        fast=np.tile([1.0, 0.0, 0.0], (n, 1)),
        slow=np.tile([0.0, -1.0, 0.0], (n, 1)),
        size_px=np.full((n, 2), n_px),
        pixel_mm=np.full((n, 2), pixel_mm),
        names=tuple(f"p{number}" for number in range(n)),
        groups=tuple(levels),
    )


def moved_whole(panels, shift_mm=(0, 0, 0), rotation_deg=(0, 0, 0)):
    """The detector shifted and rotated about the point of its plane where the beam is, at x = y = 0."""
    about = np.array([[0.0, 0.0, panels.origin_mm[:, 2].mean()]])
    return panels.moved(panels.groups[0], np.array([shift_mm], float), np.radians([rotation_deg]), about)


def displaced(panels, level, seed, px=1.0, degrees=0.1):
    """Groups displaced in x and y (px rms each) and rotated about all axes (degrees rms)."""
    random = np.random.default_rng(seed)
    n = panels.n_groups(level)
    shift = np.zeros((n, 3))
    shift[:, :2] = random.normal(size=(n, 2)) * px * panels.pixel_mm[0]
    turn = np.radians(random.normal(size=(n, 3)) * degrees)
    return panels.moved(panels.groups[level], shift, turn, panels.centres_mm(level))


def displacement_px(panels, true):
    """How far panels are from their true places (px, rms), along the detector as rays from the sample see it.

    A rotation of the whole about the beam, which crystals absorb, is removed.
    """
    number = np.tile(np.arange(len(panels)), 9)
    places = np.repeat([[x, y] for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0)], len(panels), axis=0)
    point = panels.lab_mm(number, places * panels.size_mm[number])
    moved = true.lab_mm(number, places * true.size_mm[number]) - point
    along_ray = moved[:, :2] - point[:, :2] * (moved[:, 2:] / point[:, 2:])
    turned = np.cross([0.0, 0.0, 1.0], point)[:, :2]
    along_ray -= turned * (along_ray * turned).sum() / (turned**2).sum()
    return float(np.sqrt((along_ray**2).sum(axis=1).mean())) / panels.pixel_mm[0, 0]


def stills(
    panels, n_lattices, seed, *, crystal=TETRAGONAL, spots=60, d_min_A=2.0, noise_px=0.15, mosaic_rad=0.0015,
    outliers=0.05, cell_spread=0.0, same_orientation=False, disturbed=(0.1, 0.002), wavelength_A=WAVELENGTH_A,
):  # fmt: skip
    """Spots of stills on a detector; crystals at the start are disturbed by an angle (degrees) and in length."""
    random = np.random.default_rng(seed)
    (cell, space_group), s0 = crystal, np.array([0.0, 0.0, -1.0 / wavelength_A])
    b_matrix = np.array(uctbx.unit_cell(cell).fractionalization_matrix()).reshape(3, 3).T
    quaternion = random.normal(size=(n_lattices, 4))
    quaternion /= np.linalg.norm(quaternion, axis=1)[:, None]
    angle = 2.0 * np.arccos(np.clip(quaternion[:, 0], -1, 1))
    vector = quaternion[:, 1:] / np.linalg.norm(quaternion[:, 1:], axis=1)[:, None] * angle[:, None]
    if same_orientation:
        vector = np.tile(vector[:1], (n_lattices, 1))
    a_star = rotations(vector) @ b_matrix
    a_star /= (1.0 + cell_spread * random.normal(size=n_lattices))[:, None, None]
    limit = [int(length / d_min_A) for length in cell[:3]]
    grid = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in limit], indexing="ij"), -1).reshape(-1, 3)
    length = np.linalg.norm(grid @ b_matrix.T, axis=1)
    grid = grid[(length > 1.0 / max(25.0, 5.0 * d_min_A)) & (length < 1.0 / d_min_A)]
    parts = [_spots(panels, one, grid, s0, random, spots, mosaic_rad) for one in a_star]
    counts = [len(part[0]) for part in parts]
    hkl, panel, xy = (np.concatenate([part[i] for part in parts]) for i in range(3))
    noise_mm = noise_px * panels.pixel_mm[panel]
    xy = xy + random.normal(size=xy.shape) * noise_mm
    wrong = random.random(len(xy)) < outliers
    xy[wrong] += random.uniform(-10, 10, size=(int(wrong.sum()), 2)) * panels.pixel_mm[panel[wrong]]
    turned = rotations(random.normal(size=(n_lattices, 3)) * np.radians(disturbed[0])) @ a_star
    turned /= (1.0 + disturbed[1] * random.normal(size=n_lattices))[:, None, None]
    observed = Observations(
        lattice=np.repeat(np.arange(n_lattices), counts).astype(np.int32),
        hkl=hkl,
        panel=panel,
        xy_mm=xy,
        weight=1.0 / noise_mm**2,
        a_star=turned,
        s0=np.tile(s0, (n_lattices, 1)),
        cell_group=np.full(n_lattices, -1),
        space_group=(space_group,) * n_lattices,
        time=np.arange(n_lattices, dtype=float),
    )
    return observed, a_star


def with_cells(observed, crystal):
    """Crystals at the start have the known cell."""
    from iota.geometry.crystals import with_metric

    b_matrix = np.array(uctbx.unit_cell(crystal[0]).fractionalization_matrix()).reshape(3, 3).T
    return replace(observed, a_star=with_metric(observed.a_star, b_matrix.T @ b_matrix))


def _spots(panels, a_star, grid, s0, random, most, mosaic_rad):
    q = grid @ a_star.T
    off = np.abs(np.einsum("ij,ij->i", q, q) + 2.0 * q @ s0)  # 2 |s0| times the distance from the sphere
    near = np.flatnonzero(off < 2.0 * np.linalg.norm(s0) * mosaic_rad * np.linalg.norm(q, axis=1))
    near = random.permutation(near)
    prediction, _ = predict(q[near], s0, np.eye(3))
    on = np.full(len(near), -1)
    xy = np.zeros((len(near), 2))
    for number, to_panel in enumerate(panels.to_panel):
        at = prediction.s1 @ to_panel.T
        with np.errstate(divide="ignore", invalid="ignore"):
            at = np.where(at[:, 2:] > 0, at[:, :2] / at[:, 2:], -1.0)
        inside = ((at >= 0) & (at < panels.size_mm[number])).all(axis=1)
        on[inside], xy[inside] = number, at[inside]
    chosen = np.flatnonzero(on >= 0)[:most]
    return grid[near[chosen]], on[chosen], xy[chosen]
