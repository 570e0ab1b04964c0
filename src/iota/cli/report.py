"""``iota.report``: writes the report of a run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import iota
from iota.cli.broken_pipe import ends_on_broken_pipe
from iota.cli.terminal import Terminal
from iota.errors import IotaError, UsageError
from iota.report.content import report_blocks
from iota.report.html import html_text
from iota.report.make import read_source
from iota.report.markdown import markdown_text
from iota.runs import RunFolder
from iota.runs.folder import replace_text

_DESCRIPTION = """\
Write a report on a run: summary, charts, lattices, merging statistics, reasons for failures, parameters that differ
from the defaults, a methods paragraph with references, and the commands that reproduce the results. report.html is one
self-contained file, laid out for A4; report.md has the same content as text and tables. A run in progress is reported
as it stands.
"""
_EXAMPLES = """\
examples
  Run 3 of this project, into integration/003/report.html and report.md:
      iota.report 3
  Only the HTML page, in another place:
      iota.report integration/003 --output ~/lysozyme.html
  A run with very many lattices, whose reflections have not been counted yet:
      iota.report 3 --quick

exit status
  0 done, 2 usage or input error, 130 interrupted
"""
_WRITERS = {".html": html_text, ".md": markdown_text}


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="iota.report",
        usage="iota.report [options] RUN",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="number of the run in this project, or its folder")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write only this file, in the format given by its extension, .html or .md (default: RUN/report.html and"
        " RUN/report.md)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="do not count further reflections; charts of Miller indices show those counted so far, or are omitted",
    )
    parser.add_argument("--silent", action="store_true", help="print nothing but errors")
    parser.add_argument("--version", action="version", version=f"IOTA {iota.__version__}", help="show the version")
    return parser


@ends_on_broken_pipe
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = make_parser().parse_args(argv)
    terminal = Terminal(silent=options.silent)
    try:
        folder = RunFolder.find(options.run)
        paths = _outputs(folder, options.output)
        source = read_source(folder, terminal.step, count_indices=not options.quick)
        blocks = report_blocks(source)
        for path in paths:
            _write(path, _WRITERS[path.suffix](blocks))
            terminal.note(f"Written: {path}")
    except IotaError as error:
        terminal.errors.print(f"iota.report: {error}", markup=False, soft_wrap=True)
        return error.exit_status
    except KeyboardInterrupt:
        terminal.errors.print("iota.report: interrupted.")
        return 130
    return 0


def _outputs(folder: RunFolder, output: str | None) -> list[Path]:
    """Files to write."""
    if output is None:
        return [folder.path / f"report{ending}" for ending in _WRITERS]
    path = Path(output).expanduser().absolute()
    if path.suffix not in _WRITERS:
        raise UsageError(f"--output {output} must end in .html or .md.")
    return [path]


def _write(path: Path, text: str) -> None:
    try:
        replace_text(path, text)
    except IotaError as error:
        reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else error
        raise UsageError(f"{path} cannot be written: {reason}. Choose another place with --output FILE.") from error


if __name__ == "__main__":
    sys.exit(main())
