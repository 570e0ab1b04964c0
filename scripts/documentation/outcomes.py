"""The page of outcomes: what each means, and what to try."""

from __future__ import annotations

from collections.abc import Iterator

from documentation.markdown import code, prose, table
from iota.analysis.hints import hints_of
from iota.records import MEANINGS, OUTCOME_WORDS, OUTCOMES

_INTRODUCTION = """\
# Outcomes

Every image has exactly one outcome, and the reason is given as one sentence in `iota.log`, in the ledger and in the
browser, where the tab "Why it failed" shows the same hints with examples. The images of each outcome are listed in
`OUTCOME.lst`, and all except `integrated` in `not_integrated.lst`. The headings are the names used in files, followed
by the words used in pages, terminal and report.
"""


def page() -> str:
    """The page."""
    lines = [_INTRODUCTION]
    for outcome in OUTCOMES:
        lines += [f"## {outcome}\n", f"*{OUTCOME_WORDS[outcome].capitalize()}*: {prose(MEANINGS[outcome])}\n"]
        rows = [(_said(pattern), prose(hint.sentence), code(hint.setting)) for pattern, hint in hints_of(outcome)]
        if rows:
            lines += table(("the reason contains", "what to try", "parameter"), rows)
    return "\n".join(lines)


def _said(pattern: str) -> str:
    return " or ".join(f'"{words}"' for words in pattern.split("|")) if pattern else "any other"


def undocumented() -> Iterator[str]:
    """Outcomes without a meaning, and failures about which nothing can be done."""
    for outcome in OUTCOMES:
        if not MEANINGS.get(outcome):
            yield f"The outcome {outcome} has no meaning in iota.records.MEANINGS."
        if outcome != "integrated" and not hints_of(outcome):
            yield f"The outcome {outcome} has no hint in iota.analysis.hints."
