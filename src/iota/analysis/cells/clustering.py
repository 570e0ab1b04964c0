"""Clusters unit cells into crystal forms, supercells and misindexed frames."""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from iota.analysis.cells.density import Labels, density_clusters, linked
from iota.analysis.cells.multiples import CellTree
from iota.analysis.cells.proportions import Z_95
from iota.crystallography.cells import Cell, cell_text, median_cell
from iota.crystallography.lattices import cells_in_one_setting, niggli_cell
from iota.crystallography.space_groups import point_group
from iota.crystallography.vonorms import absolute_positions, relative_positions, vonorms
from iota.records import FrameRef, FrameResult

_REACH = 0.03  # relative; cells of one crystal form are closer to their neighbours, and less spread, than this
_MAX_RELATED = 10_000  # cells among which multiples are looked for
_MAX_WITH_RELATIVES = 20  # clusters of which they are looked for
_SEED = 1057  # which cells are taken, when fewer are wanted, is the same each time
_MAX_DESCRIBED = 5000  # cells of which median and spread are taken
_GROWTH = 1.1  # a growing collection is clustered again when it is so much larger

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.integer[Any]]
Symmetries = Sequence[tuple[str, str]]  # Bravais symbol and space group, by code


class Cluster(msgspec.Struct, kw_only=True):
    """Lattices with one cell, the largest cluster first."""

    n_lattices: int
    bravais: str  # of most of them
    space_group: str
    unit_cell: Cell  # median of those of that symmetry (A, degrees)
    unit_cell_spread: Cell  # standard deviation of the same
    n_multiples: int = (
        0  # other lattices that are super- or sublattices of it, of index 2 to 4, minus those expected by chance
    )
    frames: list[FrameRef] = []  # each once, in the order of the ledger

    def target_script(self) -> str:
        """Script that makes this cluster the target of a run."""
        return f"""\
cctbx_xfel {{
  target_unit_cell = {cell_text(self.unit_cell)}
  target_space_group = "{self.space_group}"
}}
"""

    def filter_script(self) -> str:
        """Script that keeps the lattices of this cluster only, those within five standard deviations and 1 to 5 %."""
        spread = max(sd / value for sd, value in zip(self.unit_cell_spread, self.unit_cell, strict=True))
        return f"""\
cctbx_xfel {{
  filter {{
    flag_on = True
    pointgroup = "{point_group(self.space_group)}"
    unit_cell = {cell_text(self.unit_cell)}
    uc_tolerance = {min(0.05, max(0.01, 5 * spread)):.3f}
  }}
}}
"""


def label_cells(
    cells: npt.ArrayLike, codes: Codes, symmetries: Symmetries, threshold_A2: float | None = None
) -> Labels:
    """Cluster of each cell, without a number of clusters in advance.

    Cells are compared as lattices (:mod:`iota.crystallography.vonorms`): neither setting nor centring matters.

    Args:
        cells: conventional cells (A, degrees), `[n, 6]`.
        codes: symmetry of each cell, `[n]`.
        symmetries: Bravais symbol and space group, by code.
        threshold_A2: None finds clusters by the peaks of their density, relative to the size of cells; a number links
            cells that are nearer than this, in the measure of NCDist (A^2), as the predecessor did.

    Returns:
        Number of the cluster, the largest is 0; -1 for cells that belong to none, `[n]`.
    """
    table = np.asarray(cells, dtype=np.float64).reshape(-1, 6)
    norms = vonorms(table, codes, [space_group for _, space_group in symmetries])
    if threshold_A2 is None:
        return density_clusters(relative_positions(norms), _REACH)
    return linked(absolute_positions(norms), threshold_A2)


def describe_clusters(
    labels: Labels, cells: npt.ArrayLike, codes: Codes, symmetries: Symmetries, least: int = 5
) -> list[Cluster]:
    """Size, symmetry and cell of the clusters that have so many members, without their frames; the k-th is label k."""
    table = np.asarray(cells, dtype=np.float64).reshape(-1, 6)
    counts = np.bincount(labels[labels >= 0])
    order = np.argsort(labels, kind="stable")[np.count_nonzero(labels < 0) :]
    found = []
    for members in np.split(order, np.cumsum(counts)[:-1]) if len(order) else []:
        if len(members) < least:
            break
        found.append(_describe(table[members], codes[members], symmetries))
    return found


def multiples_of_clusters(
    labels: Labels, cells: npt.ArrayLike, codes: Codes, symmetries: Symmetries, clusters: Sequence[Cluster]
) -> list[npt.NDArray[np.intp]]:
    """Cells that are super- or sublattices of clusters, excluding members; sets their number in the clusters.

    Of many cells only every n-th is examined; the number is scaled to all, minus those expected by chance.

    Args:
        labels: of the cells, as :func:`label_cells` gives them.
        cells: conventional cells (A, degrees), `[n, 6]`.
        codes: symmetry of each cell, `[n]`.
        symmetries: Bravais symbol and space group, by code.
        clusters: the k-th is label k; `n_multiples` of the largest is set.

    Returns:
        Indices of those cells, for each cluster that was examined.
    """
    step = -(-len(labels) // _MAX_RELATED)
    if not clusters or step == 0:
        return []
    table = np.asarray(cells, dtype=np.float64).reshape(-1, 6)[::step]
    labels = labels[::step]
    positions = relative_positions(vonorms(table, codes[::step], [space_group for _, space_group in symmetries]))
    tree = CellTree(positions)
    found = []
    for label, cluster in enumerate(clusters[:_MAX_WITH_RELATIVES]):
        cell = niggli_cell(cluster.unit_cell, cluster.space_group)
        spread = float(np.sqrt(positions[labels == label].var(axis=0).sum()))
        others = tree.multiples(cell, spread)
        others = others[labels[others] != label]
        by_chance = tree.by_chance(cell, spread) if len(others) else 0.0
        if len(others) > by_chance + Z_95 * np.sqrt(by_chance):
            cluster.n_multiples = round((len(others) - by_chance) * step)
        found.append(others * step)
    return found


def _describe(cells: Floats, codes: Codes, symmetries: Symmetries) -> Cluster:
    common = Counter(codes.tolist())  # of equal numbers the first cell's goes first, whatever codes there are
    bravais_counts: Counter[str] = Counter()
    for code, number in common.items():
        bravais_counts[symmetries[code][0]] += number
    bravais = bravais_counts.most_common(1)[0][0]
    code = next(code for code, _ in common.most_common() if symmetries[code][0] == bravais)
    same = np.isin(codes, [k for k, (name, _) in enumerate(symmetries) if name == bravais])
    alike = cells_in_one_setting(cells[same][:: 1 + np.count_nonzero(same) // _MAX_DESCRIBED], bravais)
    a, b, c, alpha, beta, gamma = alike.std(axis=0).tolist()
    return Cluster(
        n_lattices=len(cells),
        bravais=bravais,
        space_group=symmetries[code][1],
        unit_cell=median_cell(alike),
        unit_cell_spread=(a, b, c, alpha, beta, gamma),
    )


class CellClusters:
    """Clusters of a run, also while it continues: updated when the number of cells has grown by a tenth."""

    def __init__(self, threshold_A2: float | None = None, least: int = 5) -> None:
        self._threshold_A2, self._least = threshold_A2, least
        self._codes_of: dict[tuple[str, str], int] = {}
        self._cells, self._codes, self._rows = array("d"), array("H"), array("l")
        self._frames: list[FrameRef] = []
        self._labels: Labels = np.empty(0, dtype=np.intp)
        self._clusters: list[Cluster] = []

    def add(self, result: FrameResult) -> None:
        """Add the lattices of a frame."""
        if not result.lattices:
            return
        for lattice in result.lattices:
            key = (lattice.bravais, lattice.space_group)
            self._codes.append(self._codes_of.setdefault(key, len(self._codes_of)))
            self._cells.extend(lattice.unit_cell)
            self._rows.append(len(self._frames))
        self._frames.append(result.frame)

    def clusters(self) -> list[Cluster]:
        """Clusters of all cells so far, or of at least nine tenths of them, the largest first."""
        if len(self._codes) > _GROWTH * len(self._labels):
            cells, codes = np.array(self._cells).reshape(-1, 6), np.array(self._codes)
            symmetries = list(self._codes_of)
            self._labels = label_cells(cells, codes, symmetries, self._threshold_A2)
            self._clusters = describe_clusters(self._labels, cells, codes, symmetries, self._least)
            multiples_of_clusters(self._labels, cells, codes, symmetries, self._clusters)
            rows = np.array(self._rows)
            for number, cluster in enumerate(self._clusters):
                cluster.frames = [self._frames[k] for k in np.unique(rows[self._labels == number]).tolist()]
        return self._clusters


def cluster_cells(
    results: Iterable[FrameResult],
    threshold_A2: float | None = None,
    n_images: int | None = None,
    least: int = 5,
    progress: Callable[[float], object] = lambda share: None,
) -> list[Cluster]:
    """Cluster the cells of integrated lattices.

    Args:
        results: records of a run.
        threshold_A2: see :func:`label_cells`.
        n_images: how many frames, chosen at random; None is all.
        least: clusters with fewer lattices are left out.
        progress: called with the share of the work that is done, 0 to 1.

    Returns:
        Clusters, the largest first; none if nothing was integrated.
    """
    collected = CellClusters(threshold_A2, least)
    integrated: Iterable[FrameResult] = (result for result in results if result.lattices)
    if n_images is not None:
        integrated = list(integrated)
        picked = set(random.Random(_SEED).sample(range(len(integrated)), min(n_images, len(integrated))))
        integrated = [result for k, result in enumerate(integrated) if k in picked]
    for result in integrated:
        collected.add(result)
    progress(0.5)  # reading takes longer than what is left
    clusters = collected.clusters()
    progress(1.0)
    return clusters
