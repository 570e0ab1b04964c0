"""What a person reads: a table for each set."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rich.console import Console
from rich.table import Table

from .measure import ProgramFigures, SetFigures


def print_set(console: Console, figures: SetFigures) -> None:
    """Print the figures of one set; a ratio above 1 says that the first program is slower or needs more."""
    n = figures.n_frames
    table = Table(title=f"{figures.name}: {n} frames, {figures.title}; {figures.nproc} processes", title_justify="left")
    table.add_column("median of 1 round" if figures.rounds == 1 else f"medians of {figures.rounds} rounds")
    for program in figures.programs:
        table.add_column(program.program, justify="right")
    for program in figures.programs[1:]:
        table.add_column("ratio" if len(figures.programs) == 2 else f"ratio, {program.program}", justify="right")

    def row(label: str, value: Callable[[ProgramFigures], float | None], form: str, ratio: int = 0) -> None:
        """One line; ``ratio`` 1 compares values of which more is better, -1 those of which less is."""
        values = [value(program) for program in figures.programs]
        if all(x is None for x in values):
            return
        cells = ["" if x is None else form.format(x) for x in values]
        table.add_row(label, *cells, *(_ratio(values[0], x, ratio) for x in values[1:]))

    row("frames/s, whole command", lambda p: n / p.seconds, "{:.2f}", 1)
    row("frames/s, without start", lambda p: _per_s(p.frame_s), "{:.2f}", 1)
    row("CPU s per frame, whole command", lambda p: p.cpu_s / n, "{:.3f}", -1)
    row("CPU s per frame, without start", lambda p: _positive(p.frame_cpu_s), "{:.3f}", -1)
    row("  read and decode, alone", lambda _: figures.read_cpu_s, "{:.3f}")
    row("start, s", lambda p: p.start_s, "{:.1f}")
    row("start, CPU s", lambda p: p.start_cpu_s, "{:.1f}")
    table.add_section()
    row("frames integrated", lambda p: p.quality.n_integrated, "{:.0f}")
    row(
        "frames discarded by triage",
        lambda p: None if p.run is None else p.run.outcomes.get("failed_triage", 0),
        "{:.0f}",
    )
    row("reflections per integrated frame", lambda p: p.quality.reflections_per_frame, "{:.0f}")
    known = "truth" if figures.name != "thaumatin" else "given cell"
    row(f"axes: error relative to {known}, %", lambda p: p.quality.cell_error_percent, "{:.3f}")
    row("orientation: error, deg", lambda p: p.quality.orientation_error_deg, "{:.4f}")
    row("wrong lattices", lambda p: p.quality.n_astray, "{:.0f}")
    row("merged CC with truth", lambda p: None if p.merged is None else p.merged.cc, "{:.4f}")
    row("  reflections measured twice or more", lambda p: None if p.merged is None else p.merged.n, "{:.0f}")
    row("  CC of those common to all", lambda p: None if p.merged is None else p.merged.cc_common, "{:.4f}")
    table.add_section()
    row("first integrated frame after, s", lambda p: None if p.run is None else p.run.first_integrated_s, "{:.1f}")
    row("coordinator, % of CPU", lambda p: None if p.run is None else p.run.coordinator_percent, "{:.1f}")
    row("  once started", lambda p: None if p.run is None else p.run.coordinating_percent, "{:.1f}")
    table.add_section()
    row("s per frame: read and decode, alone", lambda _: figures.read_s, "{:.4f}")
    for stage in _stages(figures):
        row(f"  {stage}", partial(_stage_s, stage), "{:.4f}")
    console.print()
    console.print(table)


def _stages(figures: SetFigures) -> list[str]:
    """Names of the stages of all runs, in order of appearance."""
    return list(dict.fromkeys(stage for program in figures.programs if program.run for stage in program.run.stages_s))


def _stage_s(stage: str, program: ProgramFigures) -> float | None:
    return None if program.run is None else program.run.stages_s.get(stage)


def _positive(x: float) -> float | None:
    """None for what is lost in the noise of a set that is too small."""
    return x if x > 0 else None


def _per_s(seconds: float) -> float | None:
    return 1 / seconds if seconds > 0 else None


def _ratio(first: float | None, other: float | None, sense: int) -> str:
    if not sense or not first or not other:
        return ""
    return f"{(other / first) ** sense:.2f}"
