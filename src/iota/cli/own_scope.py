"""Command lines of ``iota.merge`` and ``iota.export``: ``RUN``, scripts, ``name=value``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import iota
from iota.errors import UsageError
from iota.params import is_assignment
from iota.runs import RunFolder


def own_scope_parser(command: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """Make the parser of such a command."""
    parser = argparse.ArgumentParser(
        prog=command,
        usage=f"{command} [options] RUN [SCRIPT ...] [name=value ...]",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "arguments",
        nargs="*",
        metavar="RUN | SCRIPT | name=value",
        help="number or folder of a run, scripts, parameters",
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
    assignments = [argument for argument in arguments if is_assignment(argument)]
    paths = [argument for argument in arguments if not is_assignment(argument)]
    scripts = [Path(path) for path in paths if Path(path).suffix in (".phil", ".param")]
    runs = [path for path in paths if Path(path).suffix not in (".phil", ".param")]
    if len(runs) != 1:
        raise UsageError(f"{command} takes one run: its number, or its folder such as integration/001.")
    return RunFolder.find(runs[0]), scripts, assignments
