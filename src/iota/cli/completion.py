"""Shell completion of options, parameter names and values."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

import argcomplete
from argcomplete.completers import FilesCompleter

from iota.params import choices

_PROGRAMS = ("iota.run", "iota.single_image")


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a request for completions from the shell, and end the process; otherwise, do nothing."""
    for action in parser._actions:
        if action.dest == "arguments":
            action.completer = complete_argument  # type: ignore[attr-defined]  # argcomplete's own way
    argcomplete.autocomplete(parser, always_complete_options="long")


def complete_argument(prefix: str, **_: Any) -> list[str]:
    """Possible completions of a path, a script or a parameter."""
    return [*_parameters(prefix, choices()), *FilesCompleter()(prefix)]


def _parameters(prefix: str, known: Mapping[str, Iterable[str]]) -> list[str]:
    """Parameters by full name up to the next dot, so that hundreds are not listed at once; after ``=`` their values."""
    name, equals, _ = prefix.partition("=")
    if equals:
        return [f"{name}={value}" for value in known.get(name, ())]
    depth = prefix.count(".") + 1
    found = set()
    for full in known:
        if full.startswith(prefix):
            parts = full.split(".")
            found.add(full + "=" if len(parts) <= depth else ".".join(parts[:depth]) + ".")
    return sorted(found)


def completion_script(shell: str) -> str:
    """The line for the start-up file of a shell."""
    return str(argcomplete.shellcode(list(_PROGRAMS), shell=shell))
