"""The page of dependencies: what is installed with IOTA, why, in which version, and under which licence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from locking import asked, licences

from documentation.markdown import prose, table
from iota.requirements.locks import GROUPS, KINDS, Pin, from_dials, lock

_INTRODUCTION = """\
# Dependencies

What is installed with IOTA, and why. Versions are those of the lock files in `src/iota/requirements`: one set for
DIALS 3.12 of Debian 12 (`debian-12`), one for DIALS 3.30 and any other (`dials-3.30`, for Python 3.11 to 3.14). Each
has the SHA-256 of every file that may be installed; `scripts/setup` installs nothing else ([how to install a wheel the
same way](../howto/install.md)), and `iota.doctor` says which installed versions differ.

IOTA is under the BSD 3-clause licence. It imports these packages and contains none of them: its wheel has only files
of its own, also those of its pages (`src/iota/web/static`). All licences below allow that. MPL-2.0 and LGPL-3.0
(pebble) ask something of those who change these packages or pass them on, not of programs that import them; who passes
on a whole environment with IOTA in it keeps the licence files of the packages in it. The only package under the GPL,
cfel-fmt, is for tests and is not installed for users.

DIALS, dxtbx and cctbx (BSD 3-clause) bring what they were compiled to go with, and pip never replaces it:
"""

_GROUPS = {
    "run": "Needed to run",
    "filters": "HDF5 filters",
    "cluster": "The extra `cluster`: jobs of batch systems",
    "mpi": "The extra `mpi`",
    "arrow": "The extra `arrow`",
    "build": "To install a checkout",
    "dev": "For tests and checks only",
}


_JAVASCRIPT = Path(__file__).parents[1] / "javascript"


class Library(NamedTuple):
    """A library for browsers in NiceGUI's package; ``version`` finds its version in its first file."""

    name: str
    files: tuple[str, ...]  # below nicegui/static
    licence: str
    version: str


_OF_PAGES = (
    Library("Vue", ("vue.esm-browser.prod.js", "vue.esm-browser.js"), "MIT", r"vue v(\S+)"),
    Library("Quasar", ("quasar.umd.prod.js", "quasar.umd.js"), "MIT", r"Quasar Framework v(\S+)"),
    Library("Socket.IO", ("socket.io.min.js",), "MIT", r"Socket\.IO v(\S+)"),
    Library("Tailwind CSS", ("tailwindcss.min.js",), "MIT", r'="(4\.\d+\.\d+)"'),
    Library("DOMPurify", ("dompurify.mjs",), "Apache-2.0 OR MPL-2.0", r"DOMPurify (\S+)"),
    Library("Dart Sass", ("sass.dart.js", "sass.default.js"), "MIT", r"dart-sass\\t([\d.]+)"),
    Library("Immutable", ("immutable.es.js",), "MIT", r'"(5\.\d+\.\d+)"'),
    Library(
        "UnoCSS",
        ("unocss/core.global.js", *(f"unocss/preset-{name}.global.js" for name in ("mini", "wind3", "wind4"))),
        "MIT",
        r"unocss v(\S+)",
    ),
    Library("NiceGUI's own", ("nicegui.js",), "MIT", ""),
    Library("Roboto", ("fonts.css",), "OFL-1.1", ""),
    Library("Material Icons and Symbols", ("fonts.css",), "Apache-2.0", ""),
)


def page() -> str:
    """The page."""
    wanted, known = asked.read(), licences.read()
    names = sorted({name for kind in KINDS for name in from_dials(kind)})
    lines = [_INTRODUCTION]
    lines += table(("package", *KINDS), [(name, *(from_dials(kind).get(name, "") for kind in KINDS)) for name in names])
    for group in GROUPS:
        direct = {asked.name_of(requirement) for requirement in wanted.groups[group]}
        pins = _by_name(group)
        all_pins = _by_name("run") | pins  # on top of which the others are installed
        lines.append(f"## {_GROUPS[group]}\n")
        rows = [
            (name, _versions(all_pins.get(name, {}), name), known.get(name, ""), prose(wanted.reasons.get(name, "")))
            for name in sorted(direct)
        ]
        lines += table(("package", "version", "licence", "why"), rows)
        others = sorted(pins.keys() - direct)
        if others:
            lines.append("What these need in turn:\n")
            rows = [(name, _versions(pins[name], name), known[name], _needed_by(pins[name])) for name in others]
            lines += table(("package", "version", "licence", "needed by"), rows)
    return "\n".join([*lines, *_javascript(), *_pages()])


def _by_name(group: str) -> dict[str, dict[str, Pin]]:
    """Packages of a group by name, then by the lock they are in."""
    found: dict[str, dict[str, Pin]] = {}
    for kind in KINDS:
        for pin in lock(kind, group):
            found.setdefault(pin.name, {})[kind] = pin
    return found


def _versions(pins: dict[str, Pin], name: str) -> str:
    """One version where all locks have it, else each with its lock."""
    each = {kind: pins[kind].version if kind in pins else from_dials(kind).get(name, "not there") for kind in KINDS}
    if len(set(each.values())) == 1:
        return next(iter(each.values()))
    return ", ".join(
        f"{version} ({'of DIALS, ' if kind not in pins and version != 'not there' else ''}{kind})"
        for kind, version in each.items()
    )


def _needed_by(pins: dict[str, Pin]) -> str:
    return ", ".join(sorted({name for pin in pins.values() for name in pin.needed_by}))


def _javascript() -> Iterator[str]:
    """What checks the scripts and style sheets of the pages, from the lock file of npm."""
    asked_for, locked = _read_json("package.json"), _read_json("package-lock.json")["packages"]
    direct = {f"node_modules/{name}": name for name in asked_for["devDependencies"]}
    yield "## To check the JavaScript\n"
    yield (
        "Installed by `scripts/setup-javascript` in `scripts/javascript`, from the lock file there, with Node.js of the"
        " system.\n"
    )
    yield from table(
        ("package", "version", "licence", "why"),
        [
            (name, locked[path]["version"], locked[path]["license"], prose(asked_for["reasons"].get(name, "")))
            for path, name in sorted(direct.items())
        ],
    )
    others = [package for path, package in locked.items() if path and path not in direct]
    licence_names = ", ".join(sorted({package["license"] for package in others}))
    yield f"These need {len(others)} more packages, under these licences: {licence_names}.\n"


def _read_json(name: str) -> Any:
    return json.loads((_JAVASCRIPT / name).read_text(encoding="utf-8"))


def _pages() -> Iterator[str]:
    """What NiceGUI brings for browsers."""
    yield "## In the browser\n"
    yield (
        "IOTA's own scripts and styles use no library. The pages are made by NiceGUI, whose package has these, served"
        " from this machine; nothing is loaded from other sites. NiceGUI's package has more (charts, editors, maps),"
        " which IOTA's pages never load. Some name their licence in their first line; NiceGUI's package has no licence"
        " files of theirs.\n"
    )
    yield from table(
        ("library", "version", "licence"),
        [(one.name, _version(one), one.licence) for one in _OF_PAGES],
    )
    yield (
        "hdf5plugin's licence above is that of its own code; the filters in its package have open-source licences of"
        " their own, which its documentation lists under Project information.\n"
    )


def _static() -> Path:
    spec = find_spec("nicegui")
    assert spec is not None and spec.origin is not None, "NiceGUI is in the lock"
    return Path(spec.origin).with_name("static")


def _version(library: Library) -> str:
    text = (_static() / library.files[0]).read_text(encoding="utf-8")
    found = re.search(library.version, text) if library.version else None
    return found[1] if found else ""


def undocumented() -> Iterator[str]:
    """Packages without a reason, reasons without a package, and scripts of NiceGUI that are not on the page."""
    wanted = asked.read()
    direct = {asked.name_of(requirement) for group in wanted.groups.values() for requirement in group}
    for name in sorted(direct - wanted.reasons.keys()):
        yield f"{name} has no reason in [tool.iota.reasons] of pyproject.toml."
    for name in sorted(wanted.reasons.keys() - direct):
        yield f"{name} has a reason in pyproject.toml, and nothing asks for it."
    asked_for = _read_json("package.json")
    for name in sorted(asked_for["devDependencies"].keys() ^ asked_for["reasons"].keys()):
        yield f"{name} is asked for without a reason in scripts/javascript/package.json, or has a reason only."
    static = _static()
    scripts = {path.relative_to(static).as_posix() for path in static.rglob("*.*js") if path.suffix in (".js", ".mjs")}
    listed = {file for library in _OF_PAGES for file in library.files}
    for name in sorted(name for name in scripts - listed if not name.startswith(("lang/", "utils/"))):
        yield f"NiceGUI has {name}, which documentation/dependencies.py does not list with its licence."
