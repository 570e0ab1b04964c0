"""``iota.export``: export of a run to DIALS, xia2 and CrystFEL."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from iota.cli.broken_pipe import ends_on_broken_pipe
from iota.cli.own_scope import own_scope_parser, sorted_arguments
from iota.cli.terminal import Terminal
from iota.crystallography.cells import cell_text
from iota.errors import IotaError
from iota.exports.record import Export
from iota.params.exporting import EXPORT

_DESCRIPTION = """\
Export a run to other programs: composite .expt and .refl files of all lattices for DIALS and xia2, a stream with its
geometry for CrystFEL, and lists of images. The files are written to RUN/export/NNN, together with export.json, which
describes them. A run in progress can also be exported; earlier exports are not replaced.
"""
_EXAMPLES = """\
parameters
  name=value or a script (.phil, .param); the prefix export. can be omitted. iota.export --parameters prints all
  parameters with their help.

examples
  Everything of run 3:
      iota.export 3
  For CrystFEL only, including blanks, so that the hit rate can be determined:
      iota.export 3 format=crystfel chunks=all
  One crystal form, as composite files:
      iota.export 3 format=dials frames=integration/003/uc_cluster_1.lst lattices=consensus

exit status
  0 done, 2 usage or input error, or no integrated lattices, 130 interrupted
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    return own_scope_parser("iota.export", _DESCRIPTION, _EXAMPLES)


@ends_on_broken_pipe
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = make_parser().parse_intermixed_args(argv)
    if options.parameters:
        print(EXPORT.help())
        return 0
    terminal = Terminal(silent=options.silent)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it, half of an export is not left
    try:
        run, scripts, assignments = sorted_arguments("iota.export", options.arguments)
        values = EXPORT.read(scripts, assignments)
        from iota.exports.export import export_run  # imports DIALS, 1.2 s: not for what is wrong on the command line

        export, folder = export_run(run, values, terminal.step)
    except IotaError as error:
        terminal.errors.print(f"iota.export: {error}", markup=False, soft_wrap=True)
        return error.exit_status
    except KeyboardInterrupt:
        terminal.errors.print("iota.export: interrupted; what was written has been removed.")
        return 130
    _print_export(terminal.console, export, folder)
    return 0


def _print_export(console: Console, export: Export, folder: Path) -> None:
    """Print what was written and what to do next."""
    left_out = ", ".join(f"{number} {reason}" for reason, number in export.left_out.items())
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    lattices = f"{export.n_lattices} lattices on {export.n_frames} images"
    grid.add_row(" Exported", f"{lattices}{f'; excluded: {left_out}' if left_out else ''}")
    grid.add_row(" Crystal", f"{export.space_group}, {cell_text(export.unit_cell)}  (A, degrees)")
    for remark in export.remarks:
        grid.add_row(" Note", remark)
    console.print()
    console.print(grid)
    console.print(f" Folder    {folder}", soft_wrap=True, markup=False)
    files = Table.grid(padding=(0, 2))
    for _ in range(3):
        files.add_column()
    for file in export.files:
        files.add_row(f"   {file.name}", file.what, _size(file.n_bytes))
    console.print(files)
    place = shlex.quote(str(folder))
    steps = []
    if "dials" in export.formats:
        steps.append(f"scale with DIALS:    dials.scale {place}/integrated_*.expt {place}/integrated_*.refl")
    if "crystfel" in export.formats:
        steps.append(f"merge with CrystFEL: partialator -i {place}/run.stream -o run.hkl -y POINTGROUP")
    if steps:
        console.print("\n Next")
    for text in steps:
        console.print(f"   {text}", soft_wrap=True, markup=False)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:.1f} kB"


if __name__ == "__main__":
    sys.exit(main())
