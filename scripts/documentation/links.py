"""Where pages lead: links and anchors, files that are named in text, and the way to each page from the index."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from documentation.markdown import Page

INDEX = Path("docs", "README.md")
_NAMED = re.compile(r"(?:docs|scripts|src|tests|benchmarks)/[\w./-]+")
_HOST = re.compile(r"[a-z0-9.-]+\.[a-z]{2,}(:\d+)?")


def problems(root: Path, pages: Mapping[Path, Page]) -> Iterator[str]:
    """Links that lead nowhere, and pages below docs/ that nothing leads to.

    Links to other sites are only looked at: whether they answer is not known without a network.

    Args:
        root: folder of the project.
        pages: all its pages, by their path from there.
    """
    leads: dict[Path, set[Path]] = {}
    for path, page in pages.items():
        targets = leads.setdefault(path, set())
        for link in page.links:
            target, problem = _follow(root, path, link, pages)
            if problem:
                yield f"{path}: {problem}"
            elif target is not None:
                targets.add(target)
        for span in page.spans:
            if _NAMED.fullmatch(span) and not (root / span).exists():
                yield f"{path}: there is no {span}."
    reached = _reached(leads)
    for path in sorted(pages):
        if path.parts[0] == "docs" and path not in reached:
            yield f"{path}: no way leads here from {INDEX}."


def _follow(
    root: Path, page: Path, link: str, pages: Mapping[Path, Page]
) -> tuple[Path | None, str]:  # where it leads in the project, what is wrong
    parts = urlsplit(link)
    if parts.scheme:
        good = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc.lower())
        return None, "" if good else f"{link} is no address of a page."
    target = Path(os.path.normpath(page.parent / unquote(parts.path))) if parts.path else page
    if target.is_absolute() or target.parts[:1] == ("..",) or not (root / target).exists():
        return None, f"{link} leads to no file of the project."
    if parts.fragment and target in pages and parts.fragment not in pages[target].anchors:
        return None, f"{link} leads to no heading of {target}."
    return target, ""


def _reached(leads: Mapping[Path, set[Path]]) -> set[Path]:
    found: set[Path] = set()
    new = {INDEX}
    while new:
        found |= new
        new = {target for page in new for target in leads.get(page, ())} - found
    return found
