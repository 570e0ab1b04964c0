"""Writes a report as a self-contained HTML file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

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

_SHORT = 24  # letters of a cell that is not broken
_FITS_A_PAGE = 16  # rows of a table that is not broken
_STYLE = """
@page { size: A4; margin: 14mm 14mm 15mm; }
* { box-sizing: border-box; }
body { font: 13.5px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: #1c2730;
  background: #fff; max-width: 940px; margin: 36px auto 60px; padding: 0 20px; font-variant-numeric: tabular-nums; }
h1 { font-size: 23px; line-height: 1.25; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 15.5px; margin: 30px 0 8px; padding-top: 10px; border-top: 1px solid #d5dbe1; break-after: avoid; }
p { margin: 6px 0; max-width: 78ch; }
.aside { color: #5c6b78; font-size: 12.5px; overflow-wrap: anywhere; margin: 1px 0; break-after: avoid; }
.key { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 10px; margin: 18px 0 4px; }
.key div { border: 1px solid #d5dbe1; border-radius: 6px; padding: 8px 12px 9px; break-inside: avoid; }
.key b { display: block; font-size: 19px; line-height: 1.3; font-weight: 600; letter-spacing: -0.01em; }
.key span { color: #5c6b78; font-size: 12px; line-height: 1.35; display: block; }
.pictures { display: grid; gap: 14px 18px; margin: 10px 0; }
figure { margin: 0; break-inside: avoid; min-width: 0; } img { max-width: 100%; max-height: 480px; }
dl { display: grid; grid-template-columns: 112px 1fr; margin: 4px 0; }
dt, dd { padding: 2.5px 0; margin: 0; } dt { color: #5c6b78; }
table { border-collapse: collapse; margin: 6px 0; } table.wide { width: 100%; }
th { text-align: left; font-weight: 600; color: #5c6b78; font-size: 12px; white-space: nowrap; }
td, th { padding: 3px 16px 3px 0; vertical-align: top; } td { overflow-wrap: anywhere; }
td:last-child, th:last-child { padding-right: 0; }
td { border-top: 1px solid #e6eaee; } tr { break-inside: avoid; } thead { display: table-header-group; }
tr.total td { border-top: 1.5px solid #8a97a3; font-weight: 600; }
.n { text-align: right; } .n, .keep { white-space: nowrap; } .whole { break-inside: avoid; }
pre { font: 12px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; background: #f4f6f8; border-radius: 6px;
  padding: 9px 12px; margin: 6px 0; white-space: pre-wrap; overflow-wrap: anywhere; orphans: 8; widows: 8; }
ol { margin: 6px 0; padding-left: 20px; } li { margin: 3px 0; }
.tall figure:first-child { grid-row: span 2; }
@media screen and (max-width: 640px) {
  .pictures { grid-template-columns: 1fr !important; } .key { grid-auto-flow: row; grid-template-columns: 1fr 1fr; }
}
@media print {
  body { margin: 0; padding: 0; max-width: none; font-size: 10pt; line-height: 1.4;
    -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  h1 { font-size: 17pt; } h2 { font-size: 12pt; margin-top: 16pt; } pre { font-size: 8.5pt; border: 1px solid #d5dbe1; }
  p { orphans: 3; widows: 3; }
}
"""


def html_text(blocks: Sequence[Block]) -> str:
    """Write a report."""
    title = next((block.words for block in blocks if isinstance(block, Title)), "IOTA")
    head = (
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    )
    body = "\n".join(map(_block, blocks))
    return f"<!doctype html>\n<html lang='en'><head>{head}</head><body>\n{body}\n</body></html>\n"


def _block(block: Block) -> str:
    match block:
        case Title():
            lines = "".join(f"<div class='aside'>{escape(line)}</div>" for line in block.lines)
            return f"<h1>{escape(block.words)}</h1>{lines}"
        case Heading():
            return f"<h2>{escape(block.words)}</h2>"
        case Words():
            return f"<p{' class=aside' if block.is_aside else ''}>{escape(block.words)}</p>"
        case KeyNumbers():
            numbers = "".join(f"<div><b>{escape(n)}</b><span>{escape(what)}</span></div>" for n, what in block.numbers)
            return f"<div class='key'>{numbers}</div>"
        case FactList():
            lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in block.facts)
            return f"<dl>{lines}</dl>"
        case Table():
            return "" if block.instead_of_pictures else _table(block)
        case Pictures():
            figures = "".join(f"<figure>{svg}</figure>" for svg in block.svgs)
            columns = f"grid-template-columns: repeat({block.in_a_row}, 1fr)"
            tall = " tall" if block.first_is_tall else ""
            return f"<div class='pictures{tall}' style='{columns}'>{figures}</div>"
        case Photographs():
            figures = "".join(
                f"<figure><img src='data:image/png;base64,{b64encode(png).decode()}' alt='{escape(words)}'></figure>"
                for png, words in block.pngs
            )
            return f"<div class='pictures'>{figures}</div>"
        case Code():
            return f"<pre>{escape(chr(10).join(block.lines))}</pre>"
        case References():
            return f"<ol>{''.join(f'<li>{escape(paper)}</li>' for paper in block.papers)}</ol>"


def _table(table: Table) -> str:
    kinds = [
        " class=n" if k in table.numbers else " class=keep" if all(len(row[k]) <= _SHORT for row in table.rows) else ""
        for k in range(len(table.head))
    ]

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    last = len(table.rows) - 1
    lines = [
        f"<tr{' class=total' if table.last_is_total and k == last else ''}>{cells(row, 'td')}</tr>"
        for k, row in enumerate(table.rows)
    ]
    kind = f"{'wide ' if len(table.head) > 3 else ''}{'whole' if len(table.rows) <= _FITS_A_PAGE else ''}"
    head = f"<thead><tr>{cells(table.head, 'th')}</tr></thead>"
    return f"<table class='{kind}'>{head}<tbody>{''.join(lines)}</tbody></table>"
