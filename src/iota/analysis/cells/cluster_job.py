"""Clusters of cells, found by a process of its own: ``python -m iota.analysis.cells.cluster_job``.

Standard input is one line, a :class:`ClusterQuestion` as JSON.  It answers with lines: shares of the work that is done,
and in the end a :class:`ClusterAnswer`.  When nobody reads any more it ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import numpy as np

from iota.analysis.cells.clustering import Cluster, cluster_cells
from iota.analysis.table.table import RunTable
from iota.errors import IotaError
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


class ClusterAnswer(msgspec.Struct, kw_only=True):
    """A share of the work, clusters, or a sentence on why there are none."""

    progress: float | None = None
    sentence: str = ""
    clusters: list[FoundCluster] | None = None


def _say(answer: ClusterAnswer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def find_clusters(question: ClusterQuestion) -> list[FoundCluster]:
    """Find clusters in what is finished of a run, saying how far it is.

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
        lambda share: _say(ClusterAnswer(progress=share)),
    )
    if question.write_files:
        write_cluster_files(folder, [(cluster.frames, cluster.target_script()) for cluster in clusters])
    found = [FoundCluster(cluster=cluster, rows=[row_of[f] for f in cluster.frames]) for cluster in clusters]
    for one in found:
        one.cluster.frames = []
    return found


def main() -> None:
    """Answer one question."""
    os.nice(5)
    question = msgspec.json.decode(sys.stdin.buffer.readline(), type=ClusterQuestion)
    try:
        _say(ClusterAnswer(progress=1.0, clusters=find_clusters(question)))
    except IotaError as error:
        _say(ClusterAnswer(sentence=str(error)))


if __name__ == "__main__":
    main()
