"""Prints the summary of a run, for terminal and log."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from iota.analysis.cells.clustering import Cluster
from iota.analysis.cells.proportions import percent
from iota.analysis.facts import lattice_facts, run_facts
from iota.analysis.failures import Failure
from iota.analysis.summary import Summary
from iota.cli.next_steps import command, next_steps
from iota.cli.terminal import plain_console
from iota.crystallography.cells import cell_text
from iota.processing.conclusion import Conclusion
from iota.records import OUTCOME_WORDS, Outcome
from iota.runs import RunFolder
from iota.runs.determination import DeterminedLattice

_MAX_REASONS = 5
# colours that differ in lightness too, so that they can be distinguished without colour vision
OUTCOME_STYLES: dict[Outcome, str] = {
    "integrated": "bold bright_green",
    "failed_import": "magenta",
    "failed_triage": "bright_black",
    "too_many_spots": "bright_magenta",
    "failed_spotfinding": "yellow",
    "failed_indexing": "bright_yellow",
    "failed_refinement": "bright_red",
    "failed_integration": "red",
    "failed_filter": "cyan",
    "crashed": "bold red",
    "timed_out": "bold magenta",
}


def print_summary(
    console: Console, conclusion: Conclusion, lattices: Sequence[DeterminedLattice], folder: RunFolder
) -> None:
    """Print outcomes, consensus lattice, clusters, resolution, where the files are and what to do next."""
    summary = conclusion.summary
    console.print()
    console.print(_outcomes(summary))
    console.print(_findings(summary, lattices))
    for fact in lattice_facts(summary):
        if fact.is_warning:
            console.print(Text(f" ! {fact.label}: {fact.text}", style="yellow"), soft_wrap=True)
    if summary.failures:
        console.print()
        console.print(_reasons(summary.failures))
    if conclusion.clusters is not None:
        console.print(_clusters(conclusion.clusters))
    console.print()
    # paths and commands stay whole, to be copied
    console.print(Text.assemble((" Run folder", "bold"), f"  {folder.path}"), soft_wrap=True)
    console.print(_places(conclusion, folder))
    report = f"{command('iota.report')} {shlex.quote(str(folder.path))}"
    console.print(f"   report    {report}, one page to print or send", soft_wrap=True)
    console.print(f"   repeat    {command('iota.run')} {shlex.quote(str(folder.script))}", soft_wrap=True)
    console.print()
    console.print(Text(" Next", style="bold"))
    for line in next_steps(conclusion, folder):
        console.print(Text("   " + line), soft_wrap=True)


def summary_text(conclusion: Conclusion, lattices: Sequence[DeterminedLattice], folder: RunFolder) -> str:
    """The same as text without colours, for the log."""
    console = plain_console(width=110, no_color=True, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        print_summary(console, conclusion, lattices, folder)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _outcomes(summary: Summary) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=" SUMMARY", title_justify="left", title_style="bold", pad_edge=True)
    table.add_column("outcome")
    table.add_column("frames", justify="right")
    table.add_column("fraction", justify="right")
    table.add_column("", no_wrap=True)
    total = max(1, summary.n_frames)
    rows = [(OUTCOME_WORDS[o], n, OUTCOME_STYLES[o]) for o, n in summary.counts.items()]
    if summary.n_finished < summary.n_frames:
        rows.append(("not processed", summary.n_frames - summary.n_finished, "dim"))
    for name, number, style in rows:
        bar = "█" * max(1, round(30 * number / total))
        table.add_row(name, f"{number:,}", percent(number, total), Text(bar, style=style))
    table.add_section()
    table.add_row("all frames", f"{summary.n_frames:,}", "100 %", "")
    return table


def _findings(summary: Summary, lattices: Sequence[DeterminedLattice]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for fact in run_facts(summary):
        grid.add_row(f" {fact.label}", fact.text)
    grid.add_row()
    facts = lattice_facts(summary)
    if not facts:
        grid.add_row(" Lattice", "none: no frames were integrated")
    for fact in facts:
        if not fact.is_warning:
            grid.add_row(f" {fact.label}", fact.text)
    for lattice in lattices:
        grid.add_row(
            f" Determined {lattice.number}", f"{lattice.label.partition(': ')[2]}, from {lattice.n_scouted} frames"
        )
    return grid


def _reasons(failures: Sequence[Failure]) -> RenderableType:
    """The most frequent reasons."""
    most = sorted(failures, key=lambda failure: -failure.n)[:_MAX_REASONS]
    table = Table(box=box.SIMPLE_HEAD, title=" WHY FRAMES FAILED", title_justify="left", title_style="bold")
    table.add_column("frames", justify="right")
    table.add_column("reason")
    for failure in most:
        table.add_row(f"{failure.n:,}", Text(failure.reason or OUTCOME_WORDS[failure.outcome]))
    if len(failures) > len(most):
        n_more = len(failures) - len(most)
        reasons = "reason" if n_more == 1 else "reasons"
        table.add_row("", f"and {n_more} more {reasons}; iota.log lists them frame by frame")
    return table


def _clusters(clusters: Sequence[Cluster]) -> RenderableType:
    if not clusters:
        return Text("\n No cluster of unit cells reaches the minimum size (analysis.clustering.limit).")
    table = Table(box=box.SIMPLE_HEAD, title="UNIT CELL CLUSTERS", title_justify="left", title_style="bold")
    for name in ("#", "lattices", "multiples", "lattice", "unit cell (A, degrees)", "SD of a b c"):
        table.add_column(
            name, justify="right" if name in ("#", "lattices", "multiples") else "left", no_wrap=name != "lattice"
        )
    for number, cluster in enumerate(clusters, start=1):
        table.add_row(
            str(number),
            f"{cluster.n_lattices:,}",
            f"{cluster.n_multiples:,}" if cluster.n_multiples else "",
            f"{cluster.bravais} ({cluster.space_group})",
            cell_text(cluster.unit_cell, 1),
            cell_text(cluster.unit_cell_spread[:3]),
        )
    if any(cluster.n_multiples for cluster in clusters):
        table.caption = " multiples: other lattices that are supercells or subcells of the cluster (index 2 to 4)"
        table.caption_justify = "left"
    return table


def _places(conclusion: Conclusion, folder: RunFolder) -> RenderableType:
    summary = conclusion.summary
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True, min_width=11)
    grid.add_column(overflow="fold")
    grid.add_row("   log", f"{folder.log.name} (all frames), logs/ (of the backend, by frame)")
    grid.add_row("   lists", "input.lst, integrated.lst, not_integrated.lst, failed_*.lst")
    if summary.n_integrated:
        scripts = [path for path in folder.path.glob("*.phil") if not path.name.startswith("uc_cluster_")]
        prime = ", ".join(sorted(path.name for path in scripts if path != folder.target))
        grid.add_row("   merging", f"{prime}, a script for PRIME based on these results")
        grid.add_row("   results", "final/int_*.pickle, dials/*_integrated.expt and .refl")
    if (folder.path / "visualization").is_dir():
        charts = f", charts of the run: {', '.join(conclusion.charts)}" if conclusion.charts else ""
        grid.add_row("   pictures", f"visualization/{charts}")
    return grid
