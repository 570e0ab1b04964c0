"""The outcome bar, and the funnel of frames that survive each stage."""

from __future__ import annotations

from collections.abc import Mapping

from iota.analysis.cells.proportions import percent
from iota.charts.colours import LATTICES, OUTCOME_COLOURS
from iota.charts.description import Row, Rows, Segment, Swatch
from iota.records import NOT_HITS, OUTCOME_WORDS, OUTCOMES, Outcome

_ORDER: tuple[Outcome, ...] = ("integrated", *(o for o in reversed(OUTCOMES) if o not in ("integrated", *NOT_HITS)))
BAR_ORDER: tuple[Outcome, ...] = (*_ORDER, *(o for o in reversed(NOT_HITS)))  # from best to worst


def outcome_bar(counts: Mapping[Outcome, int], n_frames: int, width: float = 1200) -> Rows:
    """Describe one bar in segments, one an outcome, and the rest that is not finished; below it the legend with counts.

    A segment is picked as its outcome.
    """
    total = max(n_frames, sum(counts.values()))
    if not total:
        return Rows(title="Outcomes", width=width, empty="No frames yet")
    segments, swatches = [], []
    for outcome in BAR_ORDER:
        n, colour, words = counts.get(outcome, 0), OUTCOME_COLOURS[outcome], OUTCOME_WORDS[outcome]
        if n:
            tip = f"{words}: {n} of {total} frames. Double-click to list the images."
            segments.append(Segment(value=n, colour=colour, tip=tip, pick=outcome))
            swatches.append(Swatch(f"{words} {n} ({percent(n, total)})", colour, pick=outcome))
    rest = total - sum(counts.values())
    if rest:
        segments.append(Segment(value=rest, colour=None))
        swatches.append(Swatch(f"not finished {rest}"))
    return Rows(title="Frames by outcome", width=width, whole=total, rows=[Row(segments)], swatches=swatches)


STAGES: tuple[tuple[str, tuple[Outcome, ...]], ...] = (
    ("not interrupted", ("crashed", "timed_out")),  # in which stage is not on record
    ("read", ("failed_import",)),
    ("hits", ("failed_triage", "too_many_spots", "failed_spotfinding")),
    ("indexed", ("failed_indexing",)),
    ("refined", ("failed_refinement",)),
    ("integrated", ("failed_integration",)),
    ("passed filter", ("failed_filter",)),
)


def funnel(counts: Mapping[Outcome, int]) -> Rows:
    """Describe how many frames survive each stage, and how many it stopped; a loss is picked as its outcome."""
    title, width, total = "Frames surviving each stage", 480.0, sum(counts.values())
    if not total:
        return Rows(title=title, width=width, empty="No frames finished yet")
    rows, remaining = [_stage("processed", total, [])], total
    for words, outcomes in STAGES:
        lost = [(outcome, counts[outcome]) for outcome in outcomes if counts.get(outcome)]
        remaining -= sum(n for _, n in lost)
        if lost or words != "not interrupted":
            rows.append(_stage(words, remaining, lost))
    return Rows(title=title, width=width, whole=total, rows=rows)


def _stage(words: str, remaining: int, lost: list[tuple[Outcome, int]]) -> Row:
    losses = [
        Segment(value=n, colour=OUTCOME_COLOURS[outcome], tip=f"{n} frames: {OUTCOME_WORDS[outcome]}", pick=outcome,
                words=f"\N{MINUS SIGN}{n}")
        for outcome, n in lost
    ]  # fmt: skip
    kept = [Segment(value=remaining, colour=LATTICES)] if remaining else []
    return Row([*kept, *losses], words, str(remaining))
