"""The page of outcomes: what each means, its causes, and what to try."""

from __future__ import annotations

from collections.abc import Iterator

from documentation.markdown import code, prose, table
from iota.causes import Cause
from iota.causes.advice import OTHERWISE, Hint
from iota.causes.templates import IN_LOG, Piece, pieces
from iota.records import MEANINGS, OUTCOME_WORDS, OUTCOMES

_INTRODUCTION = """\
# Outcomes

Every image has exactly one outcome. If it was not integrated, the ledger also holds the cause, a code with values. The
sentence that follows from them is shown in `iota.log`, by the commands and in the browser, where the tab
"Why it failed" counts causes, with examples and the same advice as here. The images of each outcome are listed in
`OUTCOME.lst`, and all except `integrated` in `not_integrated.lst`. The headings are the names used in files, followed
by the words used in pages, terminal and report.

Names in braces are those of the values in the ledger; their units are at the end of their names. A few causes, such as
lack of memory, also occur in other stages than the one they are listed under. The cause `other` has a text
that is not from this list, for instance from a ledger of an earlier version, as its value.
"""


def page() -> str:
    """The page."""
    lines = [_INTRODUCTION]
    for outcome in OUTCOMES:
        lines += [f"## {outcome}\n", f"*{OUTCOME_WORDS[outcome].capitalize()}*: {prose(MEANINGS[outcome])}\n"]
        if outcome in OTHERWISE:
            lines += [f"What to try: {_advice(OTHERWISE[outcome])}\n"]
        rows = [
            (code(cause.value), prose(_sentence(cause)), _advice(cause.hint(outcome)) if cause.has_own_hint else "")
            for cause in Cause
            if cause.outcome == outcome and cause is not Cause.OTHER
        ]
        if rows:
            lines += table(("cause", "sentence", "what to try instead"), rows)
    return "\n".join(lines)


def _advice(hint: Hint | None) -> str:
    if hint is None:
        return ""
    return prose(hint.sentence) + (f" ({code(hint.setting)})" if hint.setting else "")


def _sentence(cause: Cause) -> str:
    """The sentence with the names of its values."""
    return "".join(piece.words + _value(piece) for piece in pieces(cause.template))


def _value(piece: Piece) -> str:
    if piece.name == "see":
        return IN_LOG
    words = piece.choices[-1].replace("*", f"{{{piece.name}}}") if piece.choices else f"{{{piece.name}}}"
    return words if piece.name else ""


def undocumented() -> Iterator[str]:
    """Outcomes without a meaning, and failures about which nothing can be done."""
    for outcome in OUTCOMES:
        if not MEANINGS.get(outcome):
            yield f"The outcome {outcome} has no meaning in iota.records.MEANINGS."
        if outcome != "integrated" and outcome not in OTHERWISE:
            yield f"The outcome {outcome} has no hint in iota.causes.advice."
