"""Writes a report as Markdown: text and tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

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

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")


def markdown_text(blocks: Sequence[Block]) -> str:
    """Write a report; a heading under which there are only pictures is left out."""
    parts: list[str] = []
    for block, text in zip(blocks, map(_block, blocks), strict=True):
        if isinstance(block, Heading) and parts and parts[-1].startswith("## "):
            parts.pop()
        if text:
            parts.append(text)
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Title():
            return f"# {_plain(block.words)}\n\n" + "  \n".join(map(_plain, block.lines))
        case Heading():
            return f"## {_plain(block.words)}"
        case Words():
            return _plain(block.words)
        case FactList():
            return _table(Table(head=["", ""], rows=block.facts))
        case Table():
            return _table(block)
        case Code():
            fence = "```" if not any("```" in line for line in block.lines) else "~~~~~~"
            return "\n".join([fence, *block.lines, fence])
        case References():
            return "\n".join(f"{k}. {_plain(paper)}" for k, paper in enumerate(block.papers, start=1))
        case KeyNumbers() | Pictures() | Photographs():
            return ""


def _plain(text: str) -> str:
    """Text in which nothing is taken for a mark."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _table(table: Table) -> str:
    rule = ["---:" if k in table.numbers else "---" for k in range(len(table.head))]
    rows = [[_plain(cell) for cell in row] for row in table.rows]
    if table.last_is_total and rows:
        rows[-1] = [f"**{cell}**" if cell else "" for cell in rows[-1]]
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(map(_plain, table.head)), rule, *rows])
