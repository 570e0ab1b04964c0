"""What ``pyproject.toml`` asks for, group by group."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import tomllib
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from iota.requirements.locks import GROUPS

ROOT = Path(__file__).parents[2]
PROJECT = "iota-sx"


class Target(NamedTuple):
    """What one set of locks is made for."""

    python: str  # the oldest
    limits: list[str]  # what must not be newer than DIALS there can stand


class Asked(NamedTuple):
    """What the project asks for itself."""

    groups: dict[str, list[Requirement]]
    targets: dict[str, Target]  # by the name of a folder
    reasons: dict[str, str]  # by package


def read(path: Path = ROOT / "pyproject.toml") -> Asked:
    """Read ``pyproject.toml``."""
    settings: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    project, own = settings["project"], settings["tool"]["iota"]
    asked = {
        "run": project["dependencies"],
        "filters": own["filters"],
        "build": settings["build-system"]["requires"],
        **project["optional-dependencies"],
    }
    return Asked(
        {group: [Requirement(text) for text in asked[group]] for group in GROUPS},
        {kind: Target(**target) for kind, target in own["locks"].items()},
        own["reasons"],
    )


def name_of(requirement: Requirement) -> str:
    """Name of a package as locks spell it."""
    return canonicalize_name(requirement.name)
