"""Ends a run: writes lists of images, the PRIME script, and clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from iota.analysis.cells.clustering import Cluster, cluster_cells
from iota.analysis.intensities.prime import prime_script
from iota.analysis.summary import Summary, summary_of
from iota.analysis.table.table import RunTable
from iota.errors import RunFolderError
from iota.params import Parameters, read
from iota.processing.geometry.checks import conclude_geometry
from iota.records import FrameRef, Outcome
from iota.runs import RunFolder, iterate_ledger
from iota.runs.determination import DeterminedLattice, read_determination
from iota.runs.folder import cannot_write
from iota.runs.lists import read_input_list, with_recorded, write_cluster_files, write_outcome_lists
from iota.runs.lock import RunLock
from iota.workers.cores import default_processes


class Conclusion(msgspec.Struct, kw_only=True):
    """The results derived from the records of a run."""

    summary: Summary
    clusters: list[Cluster] | None = None  # None: they were not asked for
    charts: list[str] = []  # names of those that were drawn
    viewer: str = "dials.image_viewer"  # with which a person wants to look at images


def conclude(
    folder: RunFolder,
    parameters: Parameters,
    frames: Sequence[FrameRef],
    outcomes: Mapping[FrameRef, Outcome],
    *,
    checks_geometry: bool = True,
) -> Conclusion:
    """Write the results of a run, finished or not.

    Args:
        folder: of the run.
        parameters: of the run.
        frames: of the run, in the order of the input.
        outcomes: of those that are finished.
        checks_geometry: whether the geometry is checked now, for some seconds; else what was found before is kept.

    Raises:
        RunFolderError: the folder cannot be written, or its ledger not be read.
    """
    write_outcome_lists(folder, with_recorded(frames, outcomes), outcomes)
    table = RunTable(folder)
    table.update()
    table.save()  # so that whoever looks at a large run later need not read all of its ledger
    summary = summary_of(table, max(len(frames), table.n_rows))
    if checks_geometry:
        summary.geometry, summary.geometry_drift = conclude_geometry(folder, table, summary.consensus, frames)
    _write_prime_script(folder, parameters, summary)
    return Conclusion(
        summary=summary,
        clusters=_clusters(folder, parameters),
        charts=_charts(folder, parameters, table, summary),
        viewer=parameters.values.gui.image_viewer,
    )


def conclude_again(folder: RunFolder, assignments: Sequence[str] = ()) -> tuple[Conclusion, list[DeterminedLattice]]:
    """Write the results of a finished or aborted run again.

    Args:
        folder: of the run.
        assignments: parameters that are to be other than in the script of the run.

    Raises:
        RunFolderError: the run still goes on, or its files cannot be read or written.
        ParameterError: an assignment is not understood.
    """
    if not folder.script.is_file():
        raise RunFolderError(f"{folder.script} does not exist, so this run cannot be analysed.")
    parameters = read([folder.script], assignments)
    with RunLock(folder):
        frames = read_input_list(folder)
        outcomes: dict[FrameRef, Outcome] = {}
        for result in iterate_ledger(folder.ledger):
            outcomes[result.frame] = result.outcome
        conclusion = conclude(folder, parameters, frames, outcomes)
    return conclusion, read_determination(folder).lattices


def _write_prime_script(folder: RunFolder, parameters: Parameters, summary: Summary) -> None:
    values = parameters.values
    n_processes = values.mp.n_processors or default_processes()
    path = folder.path
    text = prime_script(summary, values.description, path / "final", path / "prime", n_processes)
    if text is not None:
        folder.write_text(path / f"{values.advanced.prime_prefix}.phil", text)


def _clusters(folder: RunFolder, parameters: Parameters) -> list[Cluster] | None:
    options = parameters.values.analysis.clustering
    if not options.flag_on:
        return None
    clusters = cluster_cells(iterate_ledger(folder.ledger), options.threshold, options.n_images, options.limit)
    files = [(cluster.frames, cluster.target_script()) for cluster in clusters]
    write_cluster_files(folder, files if options.write_files else [])
    return clusters


def _charts(folder: RunFolder, parameters: Parameters, table: RunTable, summary: Summary) -> list[str]:
    if not parameters.values.analysis.summary_graphs:
        return []
    from iota.charts.figures_of_run import write_run_figures  # matplotlib takes 0.5 s, and is wanted now and then

    path = folder.path / "visualization"
    try:
        return write_run_figures(table, summary, path)
    except OSError as error:
        raise RunFolderError(cannot_write(path, error)) from error
