"""The page of modules: what each is for, in the first line of its docstring, and the layers that they form."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import tomllib

_ROOT = Path(__file__).parents[2]
_SOURCE = _ROOT / "src" / "iota"
_INTRODUCTION = """\
# Modules

Where a given job is done: one line for each module. [How the data flow](../explanations/data-flow.md) describes the way
of a frame through the packages, which are listed here in that order: first what many packages use, then inputs, run
folders, analysis and engine, workers, the coordinator, and last what people see.

A package may import those below it, but none above or beside it (`scripts/check` enforces this):

"""


def page() -> str:
    """The page."""
    layers = _layers()
    upwards = [_SOURCE / name for layer in reversed(layers) for name in layer]
    lines = [_INTRODUCTION + _picture(layers), "## Outside packages\n"]
    lines += [*(_item(path.with_suffix(".py")) for path in upwards if not path.is_dir()), ""]
    for path in upwards:
        if path.is_dir():
            lines += [f"## {path.name}\n", f"{_first_line(path / '__init__.py')}\n", *_modules(path)]
    return "\n".join(lines)


def undocumented() -> Iterator[str]:
    """Modules without a first line, or with one that continues on the next line."""
    for path in sorted(_SOURCE.rglob("*.py")):
        text = _docstring(path)
        if not text or (len(text.splitlines()) > 1 and text.splitlines()[1].strip()):
            yield f"{path.relative_to(_ROOT)} does not say in one line what it is for."


def _layers() -> list[list[str]]:
    """Packages and modules of the layers contract, the highest first."""
    settings = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (one for one in settings["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def _picture(layers: list[list[str]]) -> str:
    return "".join(f"    {'   '.join(layer)}\n" for layer in layers) + "\n"


def _modules(package: Path) -> Iterator[str]:
    for path in sorted(package.glob("*.py")):
        if path.name != "__init__.py":
            yield _item(path)
    yield ""
    for inner in sorted(path.parent for path in package.glob("*/__init__.py")):
        yield f"### {'.'.join(inner.relative_to(_SOURCE).parts)}\n"
        yield f"{_first_line(inner / '__init__.py')}\n"
        yield from _modules(inner)


def _item(path: Path) -> str:
    return f"- [{path.name}](../../{path.relative_to(_ROOT)}): {_first_line(path)}"


def _first_line(path: Path) -> str:
    return _docstring(path).split("\n")[0].replace("``", "`").replace(":mod:", "").replace("<", "\\<")


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
