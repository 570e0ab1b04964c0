"""The outcome bar, and the funnel of frames that survive each stage."""

from __future__ import annotations

from collections.abc import Mapping

from iota.analysis.cells.shares import percent
from iota.records import NOT_HITS, OUTCOME_WORDS, OUTCOMES, Outcome
from iota.report.charts.colours import OUTCOME_COLOURS
from iota.report.charts.svg import LETTER_PX, document, empty, label, shape

_ORDER: tuple[Outcome, ...] = ("integrated", *(o for o in reversed(OUTCOMES) if o not in ("integrated", *NOT_HITS)))
BAR_ORDER: tuple[Outcome, ...] = (*_ORDER, *(o for o in reversed(NOT_HITS)))  # from best to worst


def outcome_bar(counts: Mapping[Outcome, int], n_frames: int, width: float = 1200) -> str:
    """One bar in segments, one an outcome, and the rest that is not finished; a segment is picked as its outcome.

    Below it stands the legend with counts, in as many lines as it needs.
    """
    total = max(n_frames, sum(counts.values()))
    if not total:
        return empty(width, 70, "Outcomes", "No frames yet")
    parts: list[str] = []
    present = [(outcome, counts[outcome]) for outcome in BAR_ORDER if counts.get(outcome)]
    widths = _widths([n for _, n in present], total, width - 2)
    x = 1.0
    for (outcome, n), wide in zip(present, widths, strict=True):
        tip = f"<title>{OUTCOME_WORDS[outcome]}: {n} of {total} frames. Double-click to list its images.</title>"
        body = shape("rect", x=x, y=2, width=max(wide - 1, 0.8), height=30, fill=OUTCOME_COLOURS[outcome], rx=1.5)
        parts.append(shape("g", tip + body, data_pick=outcome))
        x += wide
    rest = total - sum(n for _, n in present)
    if rest:
        parts.append(shape("rect", x=x, y=2.5, width=max(width - 1 - x, 0.8), height=29, fill="none",
                           stroke="currentColor", stroke_opacity=0.35, stroke_dasharray="3 3", rx=1.5))  # fmt: skip
    legend, height = _legend(present, rest, total, width)
    return document(width, height, "Frames by outcome", "".join(parts) + legend)


def _widths(counts: list[int], total: int, room: float, least: float = 7.0) -> list[float]:
    """Widths in proportion, but wide enough to be clicked; what that takes comes from the large ones."""
    widths = [n / total * room for n in counts]
    lacking = sum(max(0.0, least - w) for w in widths)
    large = sum(w - least for w in widths if w > least) + (total - sum(counts)) / total * room
    share = min(1.0, lacking / large) if large > 0 else 0.0
    return [least if w <= least else w - share * (w - least) for w in widths]


def _legend(present: list[tuple[Outcome, int]], rest: int, total: int, width: float) -> tuple[str, float]:
    entries: list[tuple[str, str | None, str | None]] = [
        (f"{OUTCOME_WORDS[outcome]} {n} ({percent(n, total)})", OUTCOME_COLOURS[outcome], outcome)
        for outcome, n in present
    ]
    if rest:
        entries.append((f"not finished {rest}", None, None))
    parts, x, y = [], 1.0, 48.0
    for words, colour, pick in entries:
        wide = 15 + len(words) * LETTER_PX + 16
        if x + wide > width and x > 1:
            x, y = 1.0, y + 17
        box = shape("rect", x=x, y=y - 9, width=10, height=10, rx=2, fill=colour or "none",
                    stroke=None if colour else "currentColor", stroke_dasharray=None if colour else "2 2")  # fmt: skip
        parts.append(shape("g", box + label(x + 15, y, words, "start"), data_pick=pick))
        x += wide
    return "".join(parts), y + 6


STAGES: tuple[tuple[str, str, tuple[Outcome, ...]], ...] = (
    ("read", "read", ("failed_import",)),
    ("hits", "hits", ("failed_triage", "too_many_spots", "failed_spotfinding")),
    ("indexed", "indexed", ("failed_indexing",)),
    ("refined", "refined", ("failed_refinement",)),
    ("integrated", "integrated", ("failed_integration",)),
    ("kept", "passed filter", ("failed_filter",)),
)
INTERRUPTED: tuple[Outcome, ...] = ("crashed", "timed_out")  # in which stage is not on record


def funnel(counts: Mapping[Outcome, int], width: float = 480) -> str:
    """How many frames came through each stage, and how many it stopped; a loss is picked as its outcome."""
    total = sum(counts.values())
    if not total:
        return empty(width, 180, "Frames surviving each stage", "No frames finished yet")
    row, left, number_room = 30.0, 112.0, 58.0
    room = width - left - number_room
    parts, y, remaining = [], 4.0, total
    parts += _stage_row(y, "processed", remaining, total, left, room)
    y += row
    losses_before: tuple[tuple[Outcome, int], ...] = tuple((o, counts[o]) for o in INTERRUPTED if counts.get(o))
    if losses_before:
        parts += _loss_row(y, "not interrupted", losses_before, remaining, total, left, room)
        remaining -= sum(n for _, n in losses_before)
        y += row
    for _, words, outcomes in STAGES:
        lost = tuple((o, counts[o]) for o in outcomes if counts.get(o))
        parts += _loss_row(y, words, lost, remaining, total, left, room)
        remaining -= sum(n for _, n in lost)
        y += row
    return document(width, y + 2, "Frames surviving each stage", "".join(parts))


def _stage_row(y: float, words: str, n: int, total: int, left: float, room: float) -> list[str]:
    colour = OUTCOME_COLOURS["integrated"]
    return [
        label(left - 8, y + 15, words, "end"),
        shape("rect", x=left, y=y, width=max(room * n / total, 0.8), height=22, fill=colour, rx=2),
        label(left + room + 6, y + 15, str(n), "start"),
    ]


def _loss_row(
    y: float,
    words: str,
    lost: tuple[tuple[Outcome, int], ...],
    before: int,
    total: int,
    left: float,
    room: float,
) -> list[str]:
    after = before - sum(n for _, n in lost)
    parts = [label(left - 8, y + 15, words, "end")]
    colour = OUTCOME_COLOURS["integrated"]
    parts.append(shape("rect", x=left, y=y, width=room * after / total, height=22, fill=colour, rx=2))
    x = left + room * after / total
    for outcome, n in lost:
        wide = max(room * n / total, 3.0)
        tip = f"<title>{n} frames: {OUTCOME_WORDS[outcome]}</title>"
        body = shape("rect", x=x, y=y, width=wide, height=22, fill=OUTCOME_COLOURS[outcome], fill_opacity=0.85, rx=2)
        minus = f"\N{MINUS SIGN}{n}"
        if wide > len(minus) * LETTER_PX + 8:
            body += label(x + wide / 2, y + 15, minus, fill="#111")
        parts.append(shape("g", tip + body, data_pick=outcome))
        x += wide
    parts.append(label(left + room + 6, y + 15, f"{after}", "start"))
    return parts
