"""Unit cells in clusters: crystal forms, super-cells and misindexed frames told apart."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
from cctbx.uctbx.determine_unit_cell import NCDist

from iota.records import FrameRef, FrameResult
from iota.symmetry import Cell, median_cell, primitive_niggli

MOST_CELLS = 1000  # 42 us a pair of cells and quadratic: 20 s
_SEED = 1057  # which cells are taken, when there are more, is the same each time


class Cluster(msgspec.Struct, kw_only=True):
    """Lattices with one cell, the largest cluster first."""

    n_lattices: int
    bravais: str  # of most of them
    space_group: str
    unit_cell: Cell  # median of those of that symmetry (A, degrees)
    unit_cell_spread: Cell  # standard deviation of the same
    frames: list[FrameRef] = []  # each once, in the order of the ledger


class _Member(msgspec.Struct, frozen=True):
    frame: FrameRef
    bravais: str
    space_group: str
    unit_cell: Cell


def cluster_cells(
    results: Iterable[FrameResult],
    threshold_A2: float = 5000.0,
    n_images: int | None = None,
    least: int = 5,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Cluster]:
    """Cluster the cells of integrated lattices, as the predecessor did: single linkage of NCDist distances.

    NCDist (Andrews & Bernstein, J. Appl. Cryst. (2014) 47, 346) compares Niggli-reduced cells without minding how
    noise makes the reduction jump.

    Args:
        results: records of a run.
        threshold_A2: a cell that is nearer than this to any cell of a cluster belongs to it (A^2).
        n_images: how many frames, chosen at random; None is all up to 1000, and the cells of the others join the
            cluster whose median is nearest, if it is near enough.
        least: clusters with fewer lattices are left out.
        progress: called now and then with the share of the work that is done, 0 to 1.

    Returns:
        Clusters, the largest first; none when nothing was integrated.
    """
    integrated = [result for result in results if result.lattices]
    chosen = random.Random(_SEED)
    n_taken = n_images or MOST_CELLS
    if len(integrated) > n_taken:
        picked = set(chosen.sample(range(len(integrated)), n_taken))
        taken = [result for k, result in enumerate(integrated) if k in picked]
        others = [] if n_images else [result for k, result in enumerate(integrated) if k not in picked]
    else:
        taken, others = integrated, []
    members = _members(taken)
    if not members:
        return []
    joining = _members(others)
    n_pairs = len(members) * (len(members) - 1) // 2
    n_all = max(1, n_pairs + len(joining))
    groups = _linked(members, threshold_A2, lambda n: progress(n / n_all))
    middles = [_middle_g6(group) for group in groups]
    for number, member in enumerate(joining):
        if number % 100 == 0:
            progress((n_pairs + number) / n_all)
        distances = [NCDist(_g6(member), middle) for middle in middles]
        nearest = int(np.argmin(distances))
        if distances[nearest] < threshold_A2:
            groups[nearest].append(member)
    clusters = [_describe(group) for group in groups if len(group) >= least]
    return sorted(clusters, key=lambda cluster: -cluster.n_lattices)


def _members(results: Sequence[FrameResult]) -> list[_Member]:
    return [
        _Member(result.frame, lattice.bravais, lattice.space_group, lattice.unit_cell)
        for result in results
        for lattice in result.lattices
    ]


def _linked(members: Sequence[_Member], threshold_A2: float, compared: Callable[[int], None]) -> list[list[_Member]]:
    if len(members) == 1:
        return [list(members)]
    from scipy.cluster import hierarchy  # 0.4 s, which is too much for commands that do not cluster

    points = [_g6(member) for member in members]
    distances: list[float] = []
    for k, a in enumerate(points):
        distances += [NCDist(a, b) for b in points[k + 1 :]]
        compared(len(distances))
    numbers = hierarchy.fcluster(hierarchy.linkage(distances, method="single"), threshold_A2, criterion="distance")
    groups: dict[int, list[_Member]] = {}
    for number, member in zip(numbers.tolist(), members, strict=True):
        groups.setdefault(number, []).append(member)
    return list(groups.values())


def _g6(member: _Member) -> tuple[float, ...]:
    return g6(primitive_niggli(member.unit_cell, member.space_group))


def _middle_g6(group: Sequence[_Member]) -> tuple[float, ...]:
    middle: npt.NDArray[np.float64] = np.median([_g6(member) for member in group[:50]], axis=0)
    return tuple(middle.tolist())


def g6(cell: Cell) -> tuple[float, ...]:
    """A reduced cell as a point in the space G6 of Andrews and Bernstein (A^2): a.a b.b c.c 2b.c 2a.c 2a.b."""
    a, b, c = cell[:3]
    alpha, beta, gamma = np.cos(np.radians(cell[3:])).tolist()
    return (a * a, b * b, c * c, 2 * b * c * alpha, 2 * a * c * beta, 2 * a * b * gamma)


def _describe(group: Sequence[_Member]) -> Cluster:
    (bravais, space_group), _ = Counter((m.bravais, m.space_group) for m in group).most_common(1)[0]
    cells = np.array([m.unit_cell for m in group if m.bravais == bravais])
    a, b, c, alpha, beta, gamma = cells.std(axis=0).tolist()
    return Cluster(
        n_lattices=len(group),
        bravais=bravais,
        space_group=space_group,
        unit_cell=median_cell(cells),
        unit_cell_spread=(a, b, c, alpha, beta, gamma),
        frames=list(dict.fromkeys(m.frame for m in group)),
    )
