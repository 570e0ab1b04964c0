"""The page of commands: the ``make_parser`` of every module in ``iota.cli``."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import tomllib

import iota.cli
from documentation.markdown import code, prose, table

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"
_INTRODUCTION = """\
# Commands

Every command prints its help with `-h`. Options and arguments can be given in any order.
"""


@lru_cache(maxsize=1)
def parsers() -> dict[str, argparse.ArgumentParser]:
    """Parsers by the name of their command."""
    found = {}
    for module in pkgutil.iter_modules(iota.cli.__path__):
        make = getattr(importlib.import_module(f"iota.cli.{module.name}"), "make_parser", None)
        if make is not None:
            parser = make()
            found[parser.prog] = parser
    return dict(sorted(found.items()))


def installed(project: Path = _PROJECT) -> set[str]:
    """Names of the commands that are installed with IOTA."""
    return set(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["scripts"])


def page() -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *(line for parser in parsers().values() for line in _command(parser))])


def undocumented() -> Iterator[str]:
    """What has no help, and commands that have no parser here."""
    known = parsers()
    for name in sorted(installed() - known.keys()):
        yield f"The command {name} has no make_parser() in a module of iota.cli."
    for name, parser in known.items():
        if not parser.description:
            yield f"{name} has no description."
        if "exit status" not in (parser.epilog or "").lower():
            yield f"The epilog of {name} does not say its exit status."
        for action in parser._actions:
            if not action.help:
                yield f"{name}: {' '.join(action.option_strings) or action.metavar or action.dest} has no help."


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## {parser.prog}\n"
    yield f"{prose(parser.description or '').strip()}\n"
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    yield f"    {usage if parser.usage else f'{parser.prog} [options] {_positionals(parser)}'.strip()}\n"
    for group in parser._action_groups:
        if group._group_actions:
            rows = [(_names(action), _help(parser, action)) for action in group._group_actions]
            yield from table((group.title or "", "meaning"), rows)
    if parser.epilog:
        yield "```\n" + parser.epilog.strip() + "\n```\n"


def _positionals(parser: argparse.ArgumentParser) -> str:
    return " ".join(
        f"{action.metavar or action.dest}{' ...' if action.nargs in ('+', '*') else ''}"
        for action in parser._get_positional_actions()
    )


def _names(action: argparse.Action) -> str:
    value = action.metavar or (",".join(map(str, action.choices)) if action.choices else action.dest.upper())
    if not action.option_strings:
        return code(str(value))
    shown = "" if action.nargs == 0 else f" [{value}]" if action.nargs == "?" else f" {value}"
    return ", ".join(code(f"{name}{shown}") for name in action.option_strings)


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    text = str(action.help or "") % {**vars(action), "prog": parser.prog}
    with_defaults = isinstance(parser._get_formatter(), argparse.ArgumentDefaultsHelpFormatter)
    if with_defaults and action.option_strings and action.default not in (None, False, argparse.SUPPRESS):
        default = ",".join(map(str, action.default)) if isinstance(action.default, tuple) else action.default
        text += f" (default: {default})"
    return prose(text)
