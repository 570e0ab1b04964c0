"""Command lines of ``iota.merge``, ``iota.export`` and ``iota.geometry``: ``RUN``, scripts, ``name=value``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import iota
from iota.errors import UsageError
from iota.params import is_assignment
from iota.runs import RunFolder


def own_scope_parser(
    command: str, description: str, epilog: str, takes: str = "RUN", means: str = "number or folder of a run"
) -> argparse.ArgumentParser:
    """Make the parser of such a command, which takes a run, or what else is said."""
    parser = argparse.ArgumentParser(
        prog=command,
        usage=f"{command} [options] {takes} [SCRIPT ...] [name=value ...]",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "arguments",
        nargs="*",
        metavar=f"{takes} | SCRIPT | name=value",
        help=f"{means}, scripts, parameters",
    )
    parser.add_argument("--parameters", action="store_true", help="print all parameters with help, and exit")
    parser.add_argument("--silent", action="store_true", help="print nothing but errors")
    parser.add_argument("--version", action="version", version=f"IOTA {iota.__version__}", help="show the version")
    return parser


def sorted_arguments(command: str, arguments: Sequence[str]) -> tuple[RunFolder, list[Path], list[str]]:
    """The run, scripts and assignments among the arguments.

    Raises:
        UsageError: there is not one run among them.
        RunFolderError: it is none.
    """
    runs, scripts, assignments = sorted_by_kind(arguments)
    if len(runs) != 1:
        raise UsageError(f"{command} takes one run: its number, or its folder such as integration/001.")
    return RunFolder.find(runs[0]), scripts, assignments


def sorted_by_kind(arguments: Sequence[str]) -> tuple[list[str], list[Path], list[str]]:
    """Runs or other paths, scripts, and assignments."""
    assignments = [argument for argument in arguments if is_assignment(argument)]
    paths = [argument for argument in arguments if not is_assignment(argument)]
    scripts = [Path(path) for path in paths if Path(path).suffix in (".phil", ".param")]
    return [path for path in paths if Path(path).suffix not in (".phil", ".param")], scripts, assignments
