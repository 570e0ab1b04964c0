"""Writes docs/reference/ from the code, or says where the code and the pages differ."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from documentation import (
    backend_parameters,
    commands,
    dependencies,
    http_api,
    modules,
    outcomes,
    parameters,
    python_api,
)

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
PAGES = {
    "parameters.md": parameters,
    "backend-parameters.md": backend_parameters,
    "outcomes.md": outcomes,
    "commands.md": commands,
    "http-api.md": http_api,
    "python-api.md": python_api,
    "modules.md": modules,
    "dependencies.md": dependencies,
}
_MADE = "<!-- Made by scripts/reference from the code; what is changed here is lost. -->\n\n"


def texts() -> dict[str, str]:
    """All pages, by their file names."""
    return {name: _MADE + module.page().rstrip("\n") + "\n" for name, module in PAGES.items()}


def problems(folder: Path = FOLDER) -> Iterator[str]:
    """What is not documented, and pages that are not what the code says."""
    for module in PAGES.values():
        yield from module.undocumented()
    for name, text in texts().items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield f"docs/reference/{name} is not what the code says: run scripts/reference."


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check; returns the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where anything is missing")
    if parser.parse_args(argv).check:
        found = list(problems())
        print(*found, sep="\n") if found else print("The reference is complete and what the code says.")
        return 1 if found else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
