"""Says what is wrong with the pages of the project: dead links, pages that nothing leads to, what cannot be typed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from documentation import links, typed
from documentation.markdown import Page, read

ROOT = Path(__file__).parents[2]


def pages_of(root: Path) -> dict[Path, Page]:
    """All pages that are, or will be, part of the project, by their path from its folder."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(listed, cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()
    return {Path(name): read(root / name) for name in sorted(names) if (root / name).is_file()}


def problems(root: Path = ROOT) -> Iterator[str]:
    """A sentence on each."""
    pages = pages_of(root)
    yield from links.problems(root, pages)
    for path, page in pages.items():
        yield from (f"{path}: {problem}" for problem in typed.problems(page))


def main() -> int:
    """Print what is wrong; returns the exit status."""
    found = list(problems())
    print(*found, sep="\n") if found else print(
        "All pages can be reached; their links, options and parameters are valid."
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
