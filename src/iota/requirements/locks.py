"""The lock files: those for this Python, and how an installation differs from them.

Started as a file by ``scripts/setup``, before anything is installed: only the standard library is imported here. It
prints the folder of the locks for the Python that runs it.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
#: Each DIALS that has locks; the last is taken for any DIALS that has none of its own.
KINDS = ("debian-12", "dials-3.30")
#: What all of IOTA needs, HDF5 filters, the extras of ``pyproject.toml``, and what a checkout is installed with.
GROUPS = ("run", "filters", "cluster", "mpi", "arrow", "build", "dev")

_PIN = re.compile(r"([a-z0-9][a-z0-9-]*)==([A-Za-z0-9.+!]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_ASKED = re.compile(r"[A-Za-z0-9._-]+(?!.*extra\s*==)")
_NEEDED_BY = re.compile(r"# needed by (.+)")


class Pin(NamedTuple):
    """One package of a lock; ``needed_by`` has ``iota-sx`` where IOTA itself asks for it."""

    name: str
    version: str
    hashes: tuple[str, ...] = ()
    needed_by: tuple[str, ...] = ()


class Comparison(NamedTuple):
    """An installation compared with its locks."""

    kind: str
    n_compared: int
    differing: list[tuple[Pin, str]]  # what was locked, and the version that is installed
    missing: list[str]  # without which IOTA does not work
    groups: list[str]  # those that anything differs from or is missing of


def read(path: Path) -> list[Pin]:
    """Read a lock or a list of pins; raises ``ValueError`` for any other line."""
    pins: list[Pin] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.removesuffix("\\").strip()
        if found := _PIN.fullmatch(text):
            pins.append(Pin(found[1], found[2]))
        elif pins and (found := _HASH.fullmatch(text)):
            pins[-1] = pins[-1]._replace(hashes=(*pins[-1].hashes, found[1]))
        elif pins and (found := _NEEDED_BY.fullmatch(text)):
            pins[-1] = pins[-1]._replace(needed_by=tuple(found[1].split(", ")))
        elif text and not text.startswith("#"):
            raise ValueError(f"{path}, line {number}: neither a package with its version nor a SHA-256: {text}")
    return pins


def lock(kind: str, group: str) -> list[Pin]:
    """Packages of one group, in alphabetical order; those of ``run`` are in no other group."""
    return read(HERE / kind / f"{group}.lock")


def from_dials(kind: str) -> dict[str, str]:
    """Versions of what comes with DIALS, by package."""
    return {pin.name: pin.version for pin in read(HERE / kind / "from-dials.txt")}


def installed(package: str) -> str:
    """Version of a package; empty if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def numpy_of_dials() -> str:
    """Version of the numpy that came with DIALS, also where a virtual environment hides it behind another."""
    outside = [path for path in sys.path if sys.prefix == sys.base_prefix or not path.startswith(sys.prefix + os.sep)]
    found = next(iter(distributions(name="numpy", path=outside)), None)
    return found.version if found else installed("numpy")


def kind_here(numpy: str = "") -> str:
    """The locks for this Python: those made for the numpy of its DIALS."""
    numpy = numpy or numpy_of_dials()
    return next((kind for kind in KINDS if from_dials(kind)["numpy"] == numpy), KINDS[-1])


def compare(kind: str = "", installed: Callable[[str], str] = installed) -> Comparison:
    """Compare the installed packages with the locks; optional groups only if all their packages are installed.

    A package that IOTA asks for and that comes with DIALS is in no lock, and is missing where it is not there.
    """
    kind = kind or kind_here()
    locks = {group: lock(kind, group) for group in GROUPS}
    there = {group: [(pin, installed(pin.name)) for pin in pins] for group, pins in locks.items()}
    counted = {group: found for group, found in there.items() if group == "run" or all(here for _, here in found)}
    one_of_each = {pin.name: (pin, here) for found in counted.values() for pin, here in found}
    missing = [pin.name for pin, here in there["run"] if not here] + [name for name in _asked() if not installed(name)]
    return Comparison(
        kind,
        len(one_of_each),
        [(pin, here) for pin, here in one_of_each.values() if here not in ("", pin.version)],
        sorted(set(missing)),
        [group for group, found in counted.items() if any(here != pin.version for pin, here in found)],
    )


def _asked() -> list[str]:
    """Requirements of IOTA itself, without extras; some come with DIALS and are in no lock."""
    try:
        asked = map(_ASKED.match, requires("iota-sx") or ())
    except PackageNotFoundError:  # not installed, only found: its sources are on the path
        return []
    return [match[0] for match in asked if match]


def install_command(groups: Sequence[str], *options: str) -> str:
    """The command that installs some groups with the versions and hashes of their locks."""
    folder = HERE / kind_here()
    locks = [word for group in groups for word in ("-r", str(folder / f"{group}.lock"))]
    return shlex.join([sys.executable, "-m", "pip", "install", "--require-hashes", "--no-deps", *options, *locks])


if __name__ == "__main__":
    sys.stdout.write(f"{HERE / kind_here()}\n")
