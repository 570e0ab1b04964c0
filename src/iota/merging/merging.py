"""``iota.merge`` step by step: selects and scales lattices, writes the MTZ (by dials.merge) and table 1."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import iota
from iota.analysis.cells.consensus import Consensus
from iota.analysis.cells.fitting import NO_FILES, OTHER_CELL, OTHER_TYPE, reason_to_exclude
from iota.analysis.intensities.frames_needed import growth
from iota.analysis.intensities.merge_record import MergeRecord
from iota.analysis.intensities.merged import Observations, cumulative, scatter_variance, table_one
from iota.analysis.summary import SummaryBuilder
from iota.atomic_files import write_atomically
from iota.charts.figures_of_run import write_merging_figure
from iota.crystallography.compatibility import cell_problem
from iota.crystallography.indices import unique_reflections
from iota.crystallography.metric_symmetry import indexing_ambiguities
from iota.crystallography.space_groups import bravais_symbol
from iota.engine.backend.installation import dials_version
from iota.engine.merging import scaling as dials
from iota.errors import UsageError
from iota.merging.indexing_ambiguity import resolve_ambiguity
from iota.merging.merge_folders import MergeFolder, new_merge_folder
from iota.merging.merge_programs import check_engine, prime_command, run_command, xia2_command
from iota.params.merging import MERGING
from iota.records import FrameResult
from iota.runs import RunFolder, iterate_ledger, read_state
from iota.runs.lists import read_list
from iota.runs.state import is_at_work

_MIN_LATTICES = 2

Step = Callable[[str], AbstractContextManager[None]]


def merge_run(run: RunFolder, values: Any, step: Step) -> tuple[MergeRecord, Path]:
    """Merge the integrated lattices of a run into ``merge/NNN`` of its folder.

    Args:
        run: folder of the run.
        values: parameters, see :mod:`iota.params.merging`.
        step: shows what is being done.

    Returns:
        What came out, and the folder it is in.

    Raises:
        UsageError: there is nothing to merge, or the space group does not fit the lattice.
        BackendError: the engine cannot run, or failed.
        RunFolderError: the folder cannot be written.
    """
    check_engine(values.engine)
    only = set(read_list(Path(values.frames))) if values.frames else None
    results, n_finished = [], 0
    for result in iterate_ledger(run.ledger):
        n_finished += 1
        if result.lattices and (only is None or result.frame in only):
            results.append(result)
    builder = SummaryBuilder(len(results))
    for result in results:
        builder.add(result)
    summary = builder.summary()
    if summary.consensus is None:
        of = f" of the images in {values.frames}" if values.frames else ""
        raise UsageError(f"Nothing{of} is integrated in {run.path}, so there is nothing to merge.")
    space_group = str(values.space_group or summary.consensus.space_group)
    if bravais_symbol(space_group) != summary.consensus.bravais:
        raise UsageError(
            f"Space group {space_group} does not fit the lattice of the run, {summary.consensus.bravais}. Process again"
            f" with cctbx_xfel.target_space_group={space_group.replace(' ', '')} if it is right."
        )
    problem = cell_problem(summary.consensus.unit_cell, space_group)
    if problem:  # of the same lattice, but in another setting
        raise UsageError(problem)
    merging = MergeRecord(
        run=str(run.path),
        engine=values.engine,
        started=time.time(),
        versions={"iota": iota.__version__},
        space_group=space_group,
        unit_cell=summary.consensus.unit_cell,
        d_min_A=round(float(values.d_min or (summary.d_min_A or (2.0, 2.0, 2.0))[1]), 2),
        n_lattices=0,
        ambiguities=indexing_ambiguities(summary.consensus.unit_cell, space_group),
    )
    _progress(run, n_finished, merging)
    chosen = _fitting(results, summary.consensus, values.uc_tolerance, merging)
    if len(chosen) < _MIN_LATTICES:
        raise UsageError(f"{len(chosen)} lattice fits the consensus; at least {_MIN_LATTICES} are needed to merge.")
    merging.n_lattices = len(chosen)
    with new_merge_folder(run) as folder:
        write_atomically(folder.path / "merge.phil", MERGING.text(values))
        if values.engine == "dials":
            _with_dials(run, folder, chosen, values, merging, step)
        else:
            crystal = (merging.space_group, merging.d_min_A)
            with step(f"Merging with {values.engine}"):
                if values.engine == "prime":
                    merging.commands.append(prime_command(run, folder.path, chosen, summary, crystal))
                else:
                    merging.commands.append(xia2_command(run, folder.work, chosen, crystal))
                run_command(merging.commands[-1], folder, values.engine)
        record = msgspec.json.format(msgspec.json.encode(merging), indent=1).decode() + "\n"
        write_atomically(folder.work / "merge.json", record)
    return merging, folder.path


def _progress(run: RunFolder, n_finished: int, merging: MergeRecord) -> None:
    """The remark for a run that has not finished all its frames."""
    state = read_state(run.state) if run.state.exists() else None
    merging.n_frames_finished, merging.n_frames = n_finished, state.n_frames if state else n_finished
    if state is None or state.status == "finished":
        return
    how = "is still in progress" if is_at_work(state) else "was not completed"
    what = f"{n_finished} of {state.n_frames} images were finished when merging started"
    merging.remarks.append(f"The run {how}: {what}, and only their lattices were merged.")


def _fitting(
    results: list[FrameResult], consensus: Consensus, tolerance: float, merging: MergeRecord
) -> list[tuple[FrameResult, int]]:
    """Lattices of the consensus and its symmetry, in the order of collection; counts the others."""
    reasons = dict.fromkeys((OTHER_TYPE, OTHER_CELL, NO_FILES), 0)
    chosen = []
    for result in sorted(results, key=lambda result: result.frame):
        for k, lattice in enumerate(result.lattices):
            reason = reason_to_exclude(result, lattice, consensus, tolerance)
            if reason:
                reasons[reason] += 1
            else:
                chosen.append((result, k))
    merging.left_out = {reason: number for reason, number in reasons.items() if number}
    return chosen


def _with_dials(
    run: RunFolder,
    place: MergeFolder,
    chosen: list[tuple[FrameResult, int]],
    values: Any,
    merging: MergeRecord,
    step: Step,
) -> None:

    merging.versions["DIALS"] = dials_version()
    folder, logs = place.work, place.path
    names = [f"lattice_{k + 1}" for k in range(len(chosen))]
    with step(f"Combining {len(chosen)} lattices"):
        dials.combine([dials.source(run.path, result, k) for result, k in chosen], merging.space_group, folder)
    prefix = "combined"
    if merging.ambiguities and values.resolve_ambiguity:
        crystal = (merging.unit_cell, merging.space_group, merging.d_min_A)
        resolved = resolve_ambiguity(place, merging.ambiguities, crystal, values, step)
        merging.commands += resolved.commands
        merging.reindexed, merging.n_unclear = resolved.counts, resolved.n_unclear
        prefix = "reindexed"
    elif merging.ambiguities:
        merging.remarks.append("The indexing ambiguity was not resolved, so the intensities appear twinned.")
    with step("Scaling"):
        arguments = [
            f"{prefix}.expt",
            f"{prefix}.refl",
            f"d_min={merging.d_min_A:.2f}",
            f"partiality_cutoff={values.min_partiality:g}",
            "model=KB",  # one scale a still; a B factor of each follows its partialities and makes all worse
            "KB.decay_correction=False",
            "error_model=None",
            "outlier_rejection=None",
            "full_matrix=False",
            "output.html=None",
        ]
        merging.commands.append(dials.run_dials("scale", arguments, folder, logs))
    with step("Merging"):
        scaled = dials.read_scaled(folder, names)
        data = _observations(scaled, merging)
        dials.write_weighted(folder, _variances(scaled, data, merging))
        arguments = ["scaled.expt", "weighted.refl", f"d_min={merging.d_min_A:.2f}", "assess_space_group=False"]
        merging.commands.append(dials.run_dials("merge", [*arguments, "output.html=None"], folder, logs))
        dials.name_space_group(folder / "merged.mtz")
        merging.shells, merging.overall = table_one(data, values.n_shells, values.seed)
        merging.cumulative = cumulative(data, values.seed)
        reached = [result.lattices[k].d_min_A or np.nan for result, k in chosen]
        grown = growth(np.bincount(data.unique, minlength=len(data.d_A)), data.d_A, reached)
        merging.frames_needed = [grown.frames_needed(share) for share in (0.95, 0.99)]
        write_merging_figure(merging.shells, merging.cumulative, folder)
    # large, and in the run or in scaled.* already
    for name in ("combined", "strongest", "symmetrized", "reindexed", "weighted"):
        for ending in ("expt", "refl"):
            (folder / f"{name}.{ending}").unlink(missing_ok=True)


def _numbers(scaled: Any, merging: MergeRecord) -> tuple[Any, Any]:
    _, d_A, number = unique_reflections(merging.unit_cell, merging.space_group, merging.d_min_A, scaled.hkl)
    return d_A, number


def _observations(scaled: Any, merging: MergeRecord) -> Observations:
    d_A, number = _numbers(scaled, merging)
    used = number >= 0
    return Observations(
        number[used], scaled.lattice[used], scaled.intensity[used], scaled.variance[used], np.asarray(d_A)
    )


def _variances(scaled: Any, data: Observations, merging: MergeRecord) -> Any:
    """Variances for all scaled observations; those not used in table 1 keep their own."""
    _, number = _numbers(scaled, merging)
    variance = scaled.variance.copy()
    variance[number >= 0] = scatter_variance(data)
    return variance
