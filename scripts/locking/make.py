"""Writes the locks with uv. All groups are resolved at once, so that a package has one version in all of them."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from iota.requirements.locks import GROUPS, HERE, KINDS, from_dials, lock, read
from locking.asked import PROJECT, Asked, Target

_HEADER = "# Made by scripts/lock from pyproject.toml; what is changed here is lost.\n"
# Where the wheels of each lock have to be: on other machines pip says what it misses.
_PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin")
_PYTHONS = {"debian-12": ("3.11",), "dials-3.30": ("3.11", "3.12", "3.13", "3.14")}


def make(asked: Asked, upgrade: Sequence[str]) -> None:
    """Write every lock; ``upgrade`` has options of uv that say what may become newer."""
    for kind in KINDS:
        target = asked.targets[kind]
        with tempfile.TemporaryDirectory() as name:
            everything = Path(name) / "all.txt"
            if not upgrade or upgrade != ["--upgrade"]:
                everything.write_text(_pins_so_far(kind))
            _compile(kind, target, _texts(asked, GROUPS), everything, upgrade)
            _write(kind, asked, target, everything)
        for platform in _PLATFORMS[: 2 if kind == "debian-12" else 3]:
            for python in _PYTHONS[kind]:
                _try_wheels(kind, platform, python)


def _pins_so_far(kind: str) -> str:
    """What uv keeps where it still fits."""
    groups = [group for group in GROUPS if (HERE / kind / f"{group}.lock").exists()]
    return "".join(f"{pin.name}=={pin.version}\n" for group in groups for pin in lock(kind, group))


def _texts(asked: Asked, groups: Sequence[str]) -> list[str]:
    return [str(requirement) for group in groups for requirement in asked.groups[group]]


def _compile(
    kind: str, target: Target, requirements: list[str], output: Path, options: Sequence[str], fixed: Path | None = None
) -> None:
    """Resolve ``requirements`` into ``output``; ``fixed`` has versions from which nothing may differ.

    What comes with DIALS is left out, but for numpy: that has to suit numba. It is taken out afterwards.
    """
    given = from_dials(kind)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "asked.in").write_text("\n".join(requirements))
        (folder / "limits.txt").write_text("\n".join([*target.limits, f"numpy=={given['numpy']}"]))
        (folder / "from-dials.txt").write_text("\n".join(sorted(given.keys() - {"numpy"})))
        uv("pip", "compile", folder / "asked.in", "--quiet", "--output-file", output, "--generate-hashes",
           "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--annotation-style", "line",
           "--python-version", target.python, "--only-binary", ":all:",
           "--constraints", folder / "limits.txt", "--excludes", folder / "from-dials.txt",
           *(("--constraints", fixed) if fixed else ()), *options)  # fmt: skip


def uv(*arguments: str | Path) -> None:
    """Run the uv of this environment."""
    subprocess.run([Path(sys.executable).with_name("uv"), *arguments], check=True, stdout=subprocess.DEVNULL)


def _write(kind: str, asked: Asked, target: Target, everything: Path) -> None:
    """Write one lock per group; what ``run`` has is left out of the others, which are installed on top of it."""
    in_run: set[str] = set()
    for group in GROUPS:
        with tempfile.TemporaryDirectory() as name:
            output = Path(name) / "group.txt"
            _compile(kind, target, _texts(asked, [group]), output, (), fixed=everything)
            entries = dict(_entries(output.read_text()))
        text = "".join(entry for package, entry in entries.items() if package not in in_run | {"numpy"})
        path = HERE / kind / f"{group}.lock"
        path.write_text(_HEADER + text, encoding="utf-8")
        if group == "run":
            in_run = {pin.name for pin in read(path)}


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Names and lines of what uv has written, with our words for who needs a package."""
    for match in re.finditer(r"^([a-z0-9-]+)==.*\n(?:    .*\n)*", text, re.M):
        lines, _, who = match[0].rpartition("    # via ")
        needed_by = [PROJECT if one.startswith("-r ") else one for one in who.strip().split(", ")]
        yield match[1], f"{lines}    # needed by {', '.join(one for one in needed_by if not one.startswith('-c '))}\n"


def _try_wheels(kind: str, platform: str, python: str) -> None:
    """See that there is a wheel of each package with one of its hashes, for one machine and Python."""
    locks = [word for group in GROUPS for word in ("-r", HERE / kind / f"{group}.lock")]
    with tempfile.TemporaryDirectory() as folder:
        uv("pip", "install", "--quiet", "--dry-run", "--target", folder, "--require-hashes", "--no-deps",
           "--only-binary", ":all:", "--python-platform", platform, "--python-version", python, *locks)  # fmt: skip
