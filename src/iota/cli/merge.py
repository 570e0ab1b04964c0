"""``iota.merge``: merges the integrated stills of a run."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from iota.analysis.intensities.merge_record import TABLE_HEAD, MergeRecord, merging_facts, table_rows
from iota.cli.broken_pipe import ends_on_broken_pipe
from iota.cli.own_scope import own_scope_parser, sorted_arguments
from iota.cli.terminal import Terminal, plain_console
from iota.errors import IotaError
from iota.params.merging import MERGING

_DESCRIPTION = """\
Scale and merge the integrated stills of a run. Lattices consistent with the consensus are selected, and an indexing
ambiguity is resolved if there is one. Writes RUN/merge/NNN with merged.mtz, table 1 (table.txt, merge.json), charts,
logs and the script for repeating the merging.
"""
_EXAMPLES = """\
parameters
  name=value or a script (.phil, .param); the prefix merging. can be omitted. iota.merge --parameters prints all
  parameters with their help.

examples
  Run 3 of this project, in the space group in which it was processed:
      iota.merge 3
  In a given space group, to 2.1 A:
      iota.merge integration/003 space_group=P43212 d_min=2.1
  With PRIME, if it is fully installed:
      iota.merge 3 engine=prime
  Repeat an earlier merging:
      iota.merge 3 integration/003/merge/001/merge.phil

exit status
  0 done, 2 usage or input error, or the merging program failed or cannot be run, 130 interrupted
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    return own_scope_parser("iota.merge", _DESCRIPTION, _EXAMPLES)


@ends_on_broken_pipe
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = make_parser().parse_intermixed_args(argv)
    if options.parameters:
        print(MERGING.help())
        return 0
    terminal = Terminal(silent=options.silent)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the page's Cancel ends it like Ctrl-C
    try:
        run, scripts, assignments = sorted_arguments("iota.merge", options.arguments)
        values = MERGING.read(scripts, assignments)
        from iota.merging.merging import merge_run  # imports DIALS, 1.2 s: not for what is wrong on the command line

        merging, folder = merge_run(run, values, terminal.step)
        run.write_text(folder / "table.txt", merging_as_text(merging, folder))
    except IotaError as error:
        terminal.errors.print(f"iota.merge: {error}", markup=False, soft_wrap=True)
        return error.exit_status
    except KeyboardInterrupt:
        terminal.errors.print("iota.merge: interrupted; nothing was merged.")
        return 130
    print_merging(terminal.console, merging, folder)
    return 0


def print_merging(console: Console, merging: MergeRecord, folder: Path) -> None:
    """Print what was merged, table 1 and what to do next."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, sentence in merging_facts(merging):
        grid.add_row(f" {name}", sentence)
    console.print()
    console.print(grid)
    rows = table_rows(merging)
    if rows:
        console.print()
        console.print(_table(rows))
    console.print(f" Folder  {folder}", soft_wrap=True, markup=False)
    if (folder / "merged.mtz").is_file():
        console.print(f" MTZ     {shlex.quote(str(folder / 'merged.mtz'))}", soft_wrap=True)


def merging_as_text(merging: MergeRecord, folder: Path) -> str:
    """The same as text, for a file."""
    console = plain_console(width=110, no_color=True, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        print_merging(console, merging, folder)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _table(rows: list[list[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), title=" TABLE 1", title_justify="left", title_style="bold")
    for name in TABLE_HEAD:
        table.add_column(name.replace(" (", "\n("), justify="right", no_wrap=True)
    for row in rows[:-1]:
        table.add_row(*row)
    table.add_section()
    table.add_row(*rows[-1])
    return table


if __name__ == "__main__":
    sys.exit(main())
