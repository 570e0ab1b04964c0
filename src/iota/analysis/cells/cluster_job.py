"""Clusters unit cells in a separate process."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from iota.analysis.cells.clustering import Cluster, cluster_cells
from iota.analysis.table.table import RunTable
from iota.processes.protocol import Tell
from iota.processes.question import Question
from iota.runs import RunFolder
from iota.runs.lists import write_cluster_files


class ClusterQuestion(msgspec.Struct, kw_only=True):
    """Which run, and the options of ``analysis.clustering``."""

    folder: str
    threshold: float | None = None  # A^2; None: by the peaks of density
    n_images: int | None = None
    limit: int = 5
    write_files: bool = True


class FoundCluster(msgspec.Struct, kw_only=True):
    """A cluster, with the rows of its frames instead of the frames."""

    cluster: Cluster
    rows: list[int]


def find_clusters(question: ClusterQuestion, tell: Tell = lambda share: None) -> list[FoundCluster]:
    """Cluster the cells of the finished frames of a run, and report progress.

    Raises:
        RunFolderError: the run cannot be read, or its lists not be written.
    """
    folder = RunFolder.open(Path(question.folder))
    table = RunTable(folder)
    table.update()
    rows = np.flatnonzero(table.column("n_lattices") > 0)
    results = list(table.records(rows))
    row_of = {result.frame: row for result, row in zip(results, rows.tolist(), strict=True)}
    clusters = cluster_cells(
        results,
        question.threshold,
        question.n_images,
        question.limit,
        tell,
    )
    if question.write_files:
        write_cluster_files(folder, [(cluster.frames, cluster.target_script()) for cluster in clusters])
    found = [FoundCluster(cluster=cluster, rows=[row_of[f] for f in cluster.frames]) for cluster in clusters]
    for one in found:
        one.cluster.frames = []
    return found


CLUSTERS = Question(
    f"{__name__}:{find_clusters.__name__}",
    ClusterQuestion,
    list[FoundCluster],
    "Clustering",
    seconds=3600,
    advice="Try fewer images, chosen at random.",
    nice=5,
)
