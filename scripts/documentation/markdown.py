"""Writing Markdown, and reading what a page of it holds: headings, links, and what a reader may type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark").enable("table")
_HTML_LINK = re.compile(r"""(?:src|href)=["']([^"']+)["']""")


@dataclass
class Page:
    """What a page of Markdown holds."""

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)  # of images, too
    spans: list[str] = field(default_factory=list)  # `code` in a sentence
    blocks: list[str] = field(default_factory=list)  # of commands: indented, or fenced without a language or as shell


def read(path: Path) -> Page:
    """Read a page."""
    page = Page(path)
    tokens = _PARSER.parse(path.read_text(encoding="utf-8"))
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "code_block" or (token.type == "fence" and token.info in ("", "sh", "bash")):
            page.blocks.append(token.content)
        elif token.type == "html_block":
            page.links += _HTML_LINK.findall(token.content)
        elif token.type == "inline":
            if before is not None and before.type == "heading_open":
                page.anchors.add(_new_anchor(token, page.anchors))
            for child in token.children or ():
                _take(child, page)
    return page


def _take(token: Token, page: Page) -> None:
    if token.type in ("link_open", "image"):
        page.links.append(str(token.attrs.get("href") or token.attrs.get("src")))
    elif token.type == "html_inline":
        page.links += _HTML_LINK.findall(token.content)
    elif token.type == "code_inline":
        page.spans.append(token.content)


def _new_anchor(heading: Token, taken: set[str]) -> str:
    text = "".join(child.content for child in heading.children or ())
    first = anchor(text)
    names = [first, *(f"{first}-{k}" for k in range(1, 1000))]
    return next(name for name in names if name not in taken)


def anchor(heading: str) -> str:
    """What a link to a heading ends in, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def code(text: str) -> str:
    """Text as code, also in a table."""
    return f"`{text}`".replace("|", "\\|") if text else ""


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a table and an empty one; cells are Markdown."""
    yield f"| {' | '.join(names)} |"
    yield f"|{' --- |' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(' '.join(cell.split()) for cell in row)} |"
    yield ""


def prose(text: str) -> str:
    """Plain text, such as a help, with what Markdown would read as its own marks made plain."""
    return re.sub(r"([*_<>|\[\]])", r"\\\1", text)
