"""Seconds and memory of clustering unit cells, against all pairs of NCDist where that can still run.

    .venv/bin/python benchmarks/clustering.py [CELLS ...]

Two crystal forms 3 % apart, 65 and 35 of 100, with noise, and 5 % misindexed; and cells of a cold start, 4 % of them
true, with their multiples.  Each number of cells is clustered in a
process of its own.  All pairs need a threshold, for which the best of some is taken; ours needs none.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import multiprocessing
import resource
import sys
import time

import numpy as np
from cctbx.uctbx.determine_unit_cell import NCDist
from scipy.cluster import hierarchy

from iota.analysis.cells.clustering import describe_clusters, label_cells, multiples_of_clusters
from iota.crystallography.lattices import niggli_cell
from iota.simulate.cold_cells import MULTIPLE, cold_cells

CELL = np.array([79.2, 79.2, 38.1, 90.0, 90.0, 90.0])
SYMMETRIES = [("aP", "P 1")]
MAX_FOR_ALL_PAIRS = 2000
MAX_DRAWN = 20_000
THRESHOLDS_A2 = (40, 60, 80, 100, 150, 200, 300)


def two_forms(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Cells `[n, 6]` and the true form of each, -1 where misindexed."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.35).astype(int)
    cells = np.tile(CELL, (n, 1))
    cells[:, :3] *= (1 + 0.03 * truth[:, None]) * (1 + rng.normal(size=(n, 3)) * 0.002)
    cells[:, 3:] += rng.normal(size=(n, 3)) * 0.1
    bad = rng.random(n) < 0.05
    cells[bad, :3] = CELL[:3] * np.exp(rng.uniform(-0.5, 0.7, (bad.sum(), 3)))
    cells[bad, 3:] = rng.uniform(75, 105, (bad.sum(), 3))
    truth[bad] = -1
    return cells, truth


def adjusted_rand_index(one: np.ndarray, other: np.ndarray) -> float:
    """Agreement of two clusterings, each stray a cluster of its own; 1 is full."""
    from sklearn.metrics import adjusted_rand_score

    labels = []
    for given in (one, other):
        apart = given.astype(int).copy()
        strays = apart < 0
        apart[strays] = apart.max() + 1 + np.arange(strays.sum())
        labels.append(apart)
    return float(adjusted_rand_score(*labels))


def all_pairs(cells: np.ndarray) -> np.ndarray:
    """Single linkage of NCDist of all pairs, as the predecessor clustered."""
    points = []
    for cell in cells:
        a, b, c, *angles = niggli_cell(cell)
        alpha, beta, gamma = np.cos(np.radians(angles)).tolist()
        points.append((a * a, b * b, c * c, 2 * b * c * alpha, 2 * a * c * beta, 2 * a * b * gamma))
    distances = [NCDist(a, b) for k, a in enumerate(points) for b in points[k + 1 :]]
    return hierarchy.linkage(distances, method="single")


def measure(n: int) -> None:
    """Cluster so many cells and print what it took."""
    cells, truth = two_forms(n)
    codes = np.zeros(n, dtype=int)
    label_cells(cells[:100], codes[:100], SYMMETRIES)  # imports
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    labels = label_cells(cells, codes, SYMMETRIES)
    clusters = describe_clusters(labels, cells, codes, SYMMETRIES)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sizes = [cluster.n_lattices for cluster in clusters]
    true = [int(np.count_nonzero(truth == k)) for k in (0, 1)]
    print(
        f"{n:8d} cells {seconds:7.2f} s  {(peak - before) / 1024:5.0f} MB more ({peak / 1024:.0f} MB in all)"
        f"  ARI with truth {adjusted_rand_index(labels, truth):.3f}  sizes {sizes[:4]}, true {true}",
        flush=True,
    )
    measure_cold(n)
    if n <= MAX_FOR_ALL_PAIRS:
        began = time.process_time()
        tree = all_pairs(cells)
        seconds = time.process_time() - began
        found = [hierarchy.fcluster(tree, threshold, criterion="distance") for threshold in THRESHOLDS_A2]
        best = max(found, key=lambda one: adjusted_rand_index(one, truth))
        print(
            f"         all pairs {seconds:7.2f} s  ARI with truth {adjusted_rand_index(best, truth):.3f},"
            f" with ours {adjusted_rand_index(best, labels):.3f}",
            flush=True,
        )


def measure_cold(n: int) -> None:
    """Cluster so many cells of a cold start, count multiples, and print what it took."""
    drawn, truth = cold_cells(min(n, MAX_DRAWN), [(CELL.tolist(), "P 43 21 2")], [0.04])
    rng = np.random.default_rng(2)
    chosen = np.arange(n) % len(drawn)  # of many, each cell again with other errors: drawing all takes minutes
    cells = drawn[chosen]
    cells[:, :3] *= 1 + (n > len(drawn)) * 0.003 * rng.normal(size=(n, 3))
    codes = np.zeros(n, dtype=int)
    began = time.process_time()
    labels = label_cells(cells, codes, SYMMETRIES)
    clusters = describe_clusters(labels, cells, codes, SYMMETRIES)
    multiples_of_clusters(labels, cells, codes, SYMMETRIES, clusters)
    seconds = time.process_time() - began
    best = max(clusters, key=lambda cluster: cluster.n_lattices + cluster.n_multiples)
    true = [int(np.count_nonzero(truth[chosen] == kind)) for kind in (0, MULTIPLE)]
    found = f"{best.n_lattices} lattices, {best.n_multiples} multiples, true {true}"
    print(f"    cold start {seconds:7.2f} s  {found}", flush=True)


if __name__ == "__main__":
    for number in [int(word) for word in sys.argv[1:]] or [1000, 2000, 20_000, 100_000, 1_000_000]:
        process = multiprocessing.get_context("spawn").Process(target=measure, args=(number,))
        process.start()
        process.join()
