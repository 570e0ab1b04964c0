"""Contents of the report on a run, finished or not."""

from __future__ import annotations

import contextlib
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

import iota
from iota.analysis.cells.proportions import percent
from iota.analysis.facts import Fact, lattice_facts, of_what, run_facts
from iota.analysis.grid_tally import Tally
from iota.analysis.intensities.merge_record import TABLE_HEAD, merging_facts, table_rows
from iota.analysis.summary import Summary
from iota.analysis.table.columns import CELL, COLUMNS
from iota.analysis.table.table import RunTable
from iota.charts.description import Drawing
from iota.charts.drift import drift_charts
from iota.charts.histograms import BEAM, MOSAICITY, QUANTITIES, RESOLUTION, WILSON
from iota.charts.merging import by_resolution, over_lattices
from iota.charts.run_charts import RunCharts
from iota.charts.spot_settings import heat_maps
from iota.charts.svg import svg
from iota.errors import IotaError, ParameterError
from iota.geometry.drift.record import GeometryDrift
from iota.params import compare, defaults, read
from iota.params.from_target import given_lattice, value_used, words_in
from iota.records import OUTCOME_WORDS, OUTCOMES
from iota.report.blocks import (
    Block,
    Code,
    FactList,
    Heading,
    KeyNumbers,
    Photographs,
    Pictures,
    References,
    Table,
    Title,
    Words,
)
from iota.report.index_pictures import IndexPictures
from iota.report.merged import Merged, newest_merging
from iota.report.methods import methods, references
from iota.runs import RunFolder, RunState
from iota.runs.determination import DeterminedLattice, read_determination
from iota.runs.folder import RunInfo
from iota.runs.geometry_revisions import geometry_picture, used_pictures
from iota.runs.state import is_at_work

_MAX_REASONS = 20
_MAX_CLUSTERS = 20
_MAX_PARAMETERS = 200  # lines; a user's script may hold whole lists
_STEPS = 8  # time intervals in the table of rates


@dataclass(frozen=True)
class Source:
    """What a report is made from: files of the run, and counts over its frames."""

    folder: RunFolder
    table: RunTable
    state: RunState | None
    summary: Summary
    charts: RunCharts
    indices: IndexPictures
    tally: Tally = field(default_factory=dict)


def report_blocks(source: Source) -> list[Block]:
    """Make the report."""
    folder, summary = source.folder, source.summary
    info, determined, merged = _info(folder), _determined(folder), newest_merging(folder.path)
    values, parameters = _parameters(folder)
    return [
        _title(source, info, values),
        _key_numbers(summary),
        *_outcomes(source),
        *_facts("Summary", run_facts(summary), ""),
        *_facts("Consensus lattice", lattice_facts(summary), "No integrated frames."),
        *_quantities(source),
        *_indices(source),
        *_geometry(source),
        *_grid_search(source),
        *_clusters(folder),
        *_merging(merged),
        *_failures(summary),
        *parameters,
        Heading("Methods"),
        Words(
            methods(
                summary,
                {} if info is None else info.versions,
                values,
                _minimum_spots(folder, values),
                given_lattice(folder.target) is not None,
                determined,
                merged,
            )
        ),
        References(references(merged)),
        *_repeat(folder, info, merged),
    ]


# -- what the run was


def _info(folder: RunFolder) -> RunInfo | None:
    try:
        return msgspec.json.decode(folder.info.read_bytes(), type=RunInfo)
    except (OSError, msgspec.DecodeError):
        return None


def _determined(folder: RunFolder) -> list[DeterminedLattice]:
    try:
        return read_determination(folder).lattices
    except (OSError, msgspec.DecodeError):
        return []


def _parameters(folder: RunFolder) -> tuple[Any | None, list[Block]]:
    """Values of the run's script, None where it cannot be read, and the section on what differs from the defaults."""
    blocks: list[Block] = [Heading("Parameters that differ from the defaults")]
    values = None
    try:
        values = read([folder.script]).values
        blocks += _difference("IOTA", compare.script_difference(folder.script))
    except IotaError as error:
        blocks.append(Words(str(error)))
    try:
        script = None if values is None else folder.script
        lines = compare.target_difference(folder.target, script=script)
        blocks += _difference("Backend (dials.stills_process)", lines)
    except IotaError as error:
        blocks.append(Words(str(error)))
    return values, blocks


def _minimum_spots(folder: RunFolder, values: Any | None) -> int | None:
    """Spots from which an image was a hit in a run, whether IOTA's parameter or a target file said so; None if unknown.

    Args:
        folder: of the run.
        values: IOTA's, None where they cannot be read.
    """
    try:
        words = words_in(folder.target.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ParameterError):
        return None
    if values is None:
        return None
    triage, minimum = (
        value_used(f"data_selection.image_triage.{name}", values, defaults().values, words)
        for name in ("flag_on", "minimum_Bragg_peaks")
    )
    if triage == "False":
        return 1
    return int(minimum) if minimum and minimum.isdigit() else None


def _difference(words: str, lines: Sequence[str]) -> list[Block]:
    if not lines:
        return [Words(f"{words}: none.")]
    rest = len(lines) - _MAX_PARAMETERS
    more = [f"# and {rest} more lines, see the scripts of the run"] if rest > 0 else []
    return [Words(f"{words}:"), Code([*lines[:_MAX_PARAMETERS], *more])]


def _title(source: Source, info: RunInfo | None, values: Any | None) -> Title:
    description = "" if values is None or not values.description else f": {values.description}"
    lines = [str(source.folder.path), _standing(source)]
    if info is not None:
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.started))
        versions = ", ".join(
            version if version.lower().startswith(name.lower()) else f"{_NAMES.get(name, name)} {version}"
            for name, version in info.versions.items()
        )
        lines.append(f"Started {started} on {info.host} with {versions}.")
    lines.append(f"Report written {time.strftime('%Y-%m-%d %H:%M')} by IOTA {iota.__version__}.")
    return Title(f"IOTA run {source.folder.path.name}{description}", lines)


_NAMES = {"iota": "IOTA", "python": "Python"}


def _standing(source: Source) -> str:
    state, summary = source.state, source.summary
    so_far = f"{summary.n_finished:,} of {summary.n_frames:,} frames have been processed"
    if state is None:
        return f"The status of the run is not recorded; {so_far}."
    if is_at_work(state):
        return f"The run is in progress; {so_far} and are reported here."
    if state.status in ("running", "watching"):
        return f"The run was killed; {so_far}. iota.run --resume processes the remaining frames."
    words = {"finished": "The run is finished", "aborted": "The run was stopped", "failed": "The run failed"}
    reason = f" {state.reason.rstrip('.')}." if state.reason else ""
    return f"{words.get(state.status, 'The run is queued')}; {so_far}.{reason}"


# -- results


def _key_numbers(summary: Summary) -> KeyNumbers:
    fraction = f", {percent(summary.n_integrated, summary.n_hits)} of hits" if summary.n_hits else ""
    integrated = f"integrated{fraction}"
    hits = f", {percent(summary.n_hits, summary.n_read)} of {of_what(summary)}" if summary.n_read else ""
    numbers = [
        (f"{summary.n_finished:,}", f"of {summary.n_frames:,} frames finished"),
        (f"{summary.n_hits:,}", f"hits{hits}"),
        (f"{summary.n_integrated:,}", integrated),
    ]
    if summary.d_min_A:
        numbers.append((f"{summary.d_min_A[1]:.2f} Å", "median resolution"))
    if summary.consensus is not None:
        a, b, c = summary.consensus.unit_cell[:3]
        numbers.append((summary.consensus.bravais, f"{a:.2f} {b:.2f} {c:.2f} Å"))
    return KeyNumbers(numbers)


def _facts(heading: str, facts: Sequence[Fact], otherwise: str) -> list[Block]:
    if not facts:
        return [Heading(heading), Words(otherwise)]
    return [Heading(heading), FactList([(fact.label, fact.text) for fact in facts])]


def _pictures(charts: Sequence[Drawing], in_a_row: int = 1, *, first_is_tall: bool = False) -> Pictures:
    return Pictures([svg(chart) for chart in charts], in_a_row, first_is_tall)


def _outcomes(source: Source) -> list[Block]:
    summary, charts = source.summary, source.charts
    rows = [
        [OUTCOME_WORDS[outcome], f"{summary.counts[outcome]:,}", percent(summary.counts[outcome], summary.n_frames)]
        for outcome in OUTCOMES
        if outcome in summary.counts
    ]
    rest = summary.n_frames - summary.n_finished
    if rest > 0:
        rows.append(["not finished", f"{rest:,}", percent(rest, summary.n_frames)])
    head = ["outcome", "frames", "fraction"]
    blocks: list[Block] = [
        Heading("Outcomes"),
        _pictures([charts.outcome_bar(900)]),
        _pictures([charts.rates(), charts.funnel()], in_a_row=2),
        Table(head=head, rows=rows, numbers=frozenset((1, 2)), instead_of_pictures=True),
    ]
    if summary.rates:
        blocks.append(_rates_table(summary))
    return blocks


def _rates_table(summary: Summary) -> Table:
    width = -(-len(summary.rates) // _STEPS)
    rows = []
    for first in range(0, len(summary.rates), width):
        steps = summary.rates[first : first + width]
        read, hits, indexed, integrated = (
            sum(getattr(step, name) for step in steps) for name in ("n_read", "n_hits", "n_indexed", "n_integrated")
        )
        rows.append(
            [
                f"{steps[0].start_s:,.0f} to {steps[-1].end_s:,.0f}",
                f"{read:,}",
                percent(hits, read) if read else "",
                percent(indexed, hits) if hits else "",
                percent(integrated, hits) if hits else "",
            ]
        )
    head = ["time (s)", "frames", "hits / frames", "indexed / hits", "integrated / hits"]
    return Table(head=head, rows=rows, numbers=frozenset(range(1, 5)), instead_of_pictures=True)


def _quantities(source: Source) -> list[Block]:
    if not source.summary.n_lattices:
        return []
    charts = source.charts
    names = [*CELL, RESOLUTION.name, WILSON.name, MOSAICITY.name]
    rows = []
    for name in names:
        values = charts.quantiles(name)
        if values:
            label = QUANTITIES[name].label
            rows.append([label[:1].upper() + label[1:] if len(label) > 9 else label, *map(COLUMNS[name].text, values)])
    head = ["", "2 %", "25 %", "median", "75 %", "98 %"]
    return [
        Heading("Unit cells, resolution, Wilson B and mosaicity"),
        _pictures([charts.histogram(name) for name in CELL], in_a_row=3),
        _pictures([charts.histogram(name) for name in names[6:] if charts.quantiles(name)], in_a_row=3),
        Table(head=head, rows=rows, numbers=frozenset(range(1, 6)), instead_of_pictures=True),
    ]


def _indices(source: Source) -> list[Block]:
    found = source.indices
    if not source.summary.n_lattices:
        return []
    blocks: list[Block] = [Heading("Measured reflections"), Words(found.words or found.sentence, is_aside=True)]
    if found.slices:
        blocks.append(Pictures(found.slices, in_a_row=3))
        blocks.append(Pictures([found.completeness, found.colours], in_a_row=2))
    return blocks


def _geometry(source: Source) -> list[Block]:
    if not source.summary.n_lattices:
        return []
    charts = source.charts
    histograms = [charts.histogram(quantity.name) for quantity in BEAM]
    pictures = [_pictures([charts.beam(), *histograms], in_a_row=3, first_is_tall=True)]
    return [Heading("Geometry"), *pictures, *_revisions(source), *_drift(source.summary.geometry_drift)]


def _revisions(source: Source) -> list[Block]:
    """How the detector was moved by the run."""
    folder, found = source.folder, []
    for one, number in used_pictures(folder, source.summary.revisions):
        with contextlib.suppress(OSError):
            found.append((geometry_picture(folder, number).read_bytes(), one.finding))
    return [Photographs(found)] if found else []


def _drift(drift: GeometryDrift | None) -> list[Block]:
    if drift is None:
        return []
    rows = [
        [f"{block.first:,.0f} to {block.last:,.0f}"]
        + [f"{course.measured_mm[k]:+.3f} ± {course.uncertainty_mm[k]:.3f}" for course in drift.courses]
        for k, block in enumerate(drift.blocks)
    ]
    head = ["images", *(f"{course.name} (mm)" for course in drift.courses)]
    table = Table(head=head, rows=rows, numbers=frozenset(range(1, len(head))), instead_of_pictures=True)
    return [_pictures(drift_charts(drift), in_a_row=2), table]


def _grid_search(source: Source) -> list[Block]:
    if not source.tally:
        return []
    rows = [[str(area), str(height), *map(str, numbers)] for (area, height), numbers in sorted(source.tally.items())]
    head = ["spot area (px)", "spot height", "tried", "indexed", "chosen"]
    table = Table(head=head, rows=rows, numbers=frozenset(range(5)), instead_of_pictures=True)
    return [Heading("Grid search of spot-finding settings"), _pictures(heat_maps(source.tally), in_a_row=2), table]


def _clusters(folder: RunFolder) -> list[Block]:
    """Clusters of cells that were written into the run folder."""
    found = [path for path in folder.path.glob("uc_cluster_*.phil") if path.stem.rpartition("_")[2].isdigit()]
    rows = []
    for path in sorted(found, key=lambda path: int(path.stem.rpartition("_")[2]))[:_MAX_CLUSTERS]:
        try:
            text, frames = path.read_text(encoding="utf-8"), path.with_suffix(".lst").read_bytes().count(b"\n")
        except (OSError, UnicodeDecodeError):
            continue
        cell = re.search(r"unit_cell *= *([\d. ]+)", text)
        group = re.search(r'space_group *= *"?([^"\n]+)', text)
        rows.append([path.stem, f"{frames:,}", group.group(1) if group else "", cell.group(1) if cell else ""])
    if not rows:
        return []
    head = ["list", "frames", "space group", "unit cell (Å, °)"]
    return [Heading("Clusters of unit cells"), Table(head=head, rows=rows, numbers=frozenset((1,)))]


def _merging(merged: Merged | None) -> list[Block]:
    if merged is None:
        return []
    blocks: list[Block] = [Heading("Merging"), FactList([*merging_facts(merged), ("Folder", merged.folder)])]
    if merged.overall is not None:
        numbers = frozenset(range(len(TABLE_HEAD)))
        blocks.append(Table(head=TABLE_HEAD, rows=table_rows(merged), numbers=numbers, last_is_total=True))
    if merged.shells:
        blocks.append(_pictures([by_resolution(merged.shells), over_lattices(merged.cumulative)], in_a_row=2))
    return blocks


def _failures(summary: Summary) -> list[Block]:
    most = sorted(summary.failures, key=lambda failure: -failure.n)[:_MAX_REASONS]
    blocks: list[Block] = [Heading("Why frames failed")]
    if not most:
        return [*blocks, Words("No failures." if summary.n_finished else "No frames finished yet.")]
    rows = []
    for failure in most:
        hint = failure.hint
        words = "" if hint is None else hint.sentence + (f" ({hint.setting})" if hint.setting else "")
        rows.append([f"{failure.n:,}", OUTCOME_WORDS[failure.outcome], failure.reason, words])
    blocks.append(Table(head=["frames", "outcome", "reason", "what to try"], rows=rows, numbers=frozenset((0,))))
    if len(summary.failures) > len(most):
        blocks.append(
            Words(f"At least {len(summary.failures) - len(most)} less frequent reasons are not listed.", True)
        )
    return blocks


def _repeat(folder: RunFolder, info: RunInfo | None, merged: Merged | None) -> list[Block]:
    run = shlex.quote(str(folder.path))
    lines = []
    if info is not None:
        first, *words = info.command_line or ["iota.run"]
        name = first.rpartition("/")[2]
        lines += [
            "# the command that started the run",
            f"cd {shlex.quote(info.working_folder)}",
            " ".join([name, *map(_quoted, words)]),
        ]
    lines += ["# rerun from the script", f"iota.run {shlex.quote(str(folder.script))}"]
    if merged is not None:
        lines += ["# merging", f"iota.merge {run} {shlex.quote(merged.folder + '/merge.phil')}"]
    return [Heading("How to reproduce these results"), Code([*lines, "# this report", f"iota.report {run}"])]


def _quoted(word: str) -> str:
    name, equals, value = word.partition("=")
    return f"{name}={shlex.quote(value)}" if equals and name.isidentifier() else shlex.quote(word)
