"""``iota.geometry``: refines the detector geometry against the indexed spots of many stills."""

from __future__ import annotations

import math
import re
import shlex
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from iota.cli.broken_pipe import ends_on_broken_pipe
from iota.cli.next_steps import command
from iota.cli.own_scope import own_scope_parser, sorted_by_kind
from iota.cli.terminal import Terminal
from iota.errors import IotaError, UsageError
from iota.params.refining import GEOMETRY
from iota.refinement.record import GeometryRefinement, GeometrySearch, RefinedParameter, geometry_facts, search_facts
from iota.runs import RunFolder

_DESCRIPTION = """\
Refine the detector geometry (distance, shift, rotation, tilts, and groups of panels if wanted) together with the
crystals against the indexed spots of a run, or of .expt and .refl files. Refinements without one fifth of the images
at a time show whether the geometry is better for images that were not used. Writes RUN/geometry/NNN with a reference
geometry (refined.expt), a CrystFEL geometry (refined.geom), a picture of the displacements, and the record
(geometry.json).

If too few lattices are indexed, as with a beam centre that is some pixels off, beam centre and distance are searched
for with the spots of the hits (search=auto). Then RUN/geometry/NNN has the geometry that was found (found.expt,
found.geom) with which the images are to be processed again.
"""
_EXAMPLES = """\
parameters
  name=value or a script (.phil, .param); the prefix geometry. can be omitted. iota.geometry --parameters prints all
  parameters with their help.

examples
  Run 3, the detector as a whole, with the unit cell that was given for the run:
      iota.geometry 3
  Also each panel, or group of panels, below the whole detector:
      iota.geometry 3 levels=0,1
  With a cell that is known from elsewhere:
      iota.geometry integration/003 unit_cell="79.2 79.2 38.1 90 90 90"
  Files of dials.stills_process or dials.ssx_index:
      iota.geometry indexed.expt indexed.refl --output refined
  Search for the beam centre within 40 px, and for the distance within 5 %:
      iota.geometry 3 search=on search_radius=40
  Process again with the result:
      iota.run images/ advanced.reference_geometry=integration/003/geometry/001/refined.expt

exit status
  0 done, 2 usage or input error, or too few lattices and no other geometry found, 130 interrupted
"""
_FILE_ENDINGS = (".expt", ".refl")
_MAX_ROWS = 16  # of groups and panels
_PATH = re.compile(r"\S*/")  # names of panels may be those of groups of an HDF5 file


def make_parser() -> ArgumentParser:
    """Make the parser of the command line."""
    parser = own_scope_parser(
        "iota.geometry",
        _DESCRIPTION,
        _EXAMPLES,
        "RUN | FILES",
        "number or folder of a run, or pairs of .expt and .refl files with indexed stills",
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="folder for the results instead of geometry/NNN")
    parser.add_argument("--json", action="store_true", help="print the record, geometry.json, and nothing else")
    return parser


@ends_on_broken_pipe
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = make_parser().parse_intermixed_args(argv)
    if options.parameters:
        print(GEOMETRY.help())
        return 0
    terminal = Terminal(silent=options.silent or options.json)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the other commands do
    try:
        paths, scripts, assignments = sorted_by_kind(options.arguments)
        values = GEOMETRY.read(scripts, assignments)
        run = _run_of(paths)
        from iota.refinement.files import refine_to_files  # imports DIALS, 1.2 s: not for a wrong command line

        source = run or [Path(path) for path in paths]
        record, folder = refine_to_files(source, values, options.output, terminal.step)
    except IotaError as error:
        terminal.errors.print(f"iota.geometry: {error}", markup=False, soft_wrap=True)
        return error.exit_status
    except KeyboardInterrupt:
        terminal.errors.print("iota.geometry: interrupted; no geometry was written.")
        return 130
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(record), indent=1).decode())
    elif isinstance(record, GeometrySearch):
        _print_search(terminal.console, record, folder, run)
    elif folder is not None:
        _print_refinement(terminal.console, record, folder, run)
    return 0


def _run_of(paths: Sequence[str]) -> RunFolder | None:
    """The run that was named; None where files were.

    Raises:
        UsageError: neither, or both.
        RunFolderError: it is no run.
    """
    if paths and all(path.endswith(_FILE_ENDINGS) for path in paths):
        return None
    if len(paths) != 1:
        raise UsageError(
            "iota.geometry takes one run, by its number or its folder such as integration/001, or .expt files with"
            " their .refl files."
        )
    return RunFolder.find(paths[0])


def _print_search(console: Console, record: GeometrySearch, folder: Path | None, run: RunFolder | None) -> None:
    """Print what was found by a search, and what to do next."""
    _print_facts(console, search_facts(record))
    if folder is None:
        what = (
            "keep the geometry, and find out otherwise why frames are not indexed, for instance because of a wrong cell"
        )
    else:
        _print_files(console, record.files, folder)
        what = f"{_again(folder / 'found.expt', run)}\n   then refine the geometry of that run"
    console.print(f"\n Next\n   {what}", soft_wrap=True, markup=False)


def _print_refinement(console: Console, record: GeometryRefinement, folder: Path, run: RunFolder | None) -> None:
    """Print what was refined, the parameters, and what to do next."""
    _print_facts(console, geometry_facts(record))
    if 0 in record.levels:
        console.print(_table(record))
    parts = _table_of_parts(record)
    if parts is not None:
        console.print(parts)
    _print_files(console, record.files, folder)
    console.print(f"\n Next\n   {_next(record, folder, run)}", soft_wrap=True, markup=False)


def _print_facts(console: Console, facts: Sequence[tuple[str, str]]) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, sentence in facts:
        grid.add_row(f" {name}", sentence)
    console.print()
    console.print(grid)


def _print_files(console: Console, files: Mapping[str, str], folder: Path) -> None:
    console.print(f" Folder  {folder}", soft_wrap=True, markup=False)
    table = Table.grid(padding=(0, 2))
    for name, what in files.items():
        table.add_row(f"   {name}", what)
    console.print(table)


def _table(record: GeometryRefinement) -> Table:
    """Parameters of the detector as a whole."""
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), title=" DETECTOR", title_justify="left", title_style="bold"
    )
    table.add_column("parameter", no_wrap=True)
    for name in ("change", "uncertainty"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for parameter in record.parameters:
        if parameter.level == 0:
            is_known = parameter.uncertainty is not None
            table.add_row(
                f"{parameter.name} ({parameter.unit})",
                f"{parameter.change:+.4f}" if is_known else "-",
                f"{parameter.uncertainty:.4f}" if is_known else "-",
                "significant" if parameter.is_significant else "" if is_known else "not determined",
            )
    return table


def _table_of_parts(record: GeometryRefinement) -> Table | None:
    """Motions of groups and panels, a row each; of many, those that moved most significantly."""
    groups: dict[tuple[int, str], list[RefinedParameter]] = {}
    for parameter in record.parameters:
        if parameter.level > 0:
            groups.setdefault((parameter.level, parameter.group), []).append(parameter)
    if not groups:
        return None
    shown = sorted(groups, key=lambda group: -max(map(_times_uncertainty, groups[group])))[:_MAX_ROWS]
    title = " GROUPS AND PANELS, relative to the group that contains them"
    if len(shown) < len(groups):
        title += f"\n the {len(shown)} with the most significant motions of {len(groups)}; all are in geometry.json"
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), title=title, title_justify="left", title_style="bold")
    table.add_column("group", overflow="fold")
    for parameter in groups[shown[0]]:
        name = parameter.name.replace(" about ", "\nabout ")
        table.add_column(f"{name}\n({parameter.unit})", justify="right")
    for group in sorted(shown, key=list(groups).index):
        table.add_row(_PATH.sub("", group[1]), *map(_with_uncertainty, groups[group]))
    return table


def _with_uncertainty(parameter: RefinedParameter) -> str:
    """The change with the uncertainty of its last digit, 0.073(3), as crystallographers write it."""
    if not parameter.uncertainty:
        return "-"
    digits = max(0, -math.floor(math.log10(float(f"{parameter.uncertainty:.0e}"))))
    return f"{parameter.change:+.{digits}f}({round(parameter.uncertainty * 10**digits)})"


def _times_uncertainty(parameter: RefinedParameter) -> float:
    return abs(parameter.change) / parameter.uncertainty if parameter.uncertainty else 0.0


def _next(record: GeometryRefinement, folder: Path, run: RunFolder | None) -> str:
    if not record.is_better:
        return "keep the geometry: the refined one does not fit the images that were not used for it any better."
    return _again(folder / "refined.expt", run)


def _again(reference: Path, run: RunFolder | None) -> str:
    """How to process images with a reference geometry."""
    repeated = "images/" if run is None else shlex.quote(str(run.script))
    given = shlex.quote(f"advanced.reference_geometry={reference.absolute()}")
    return f"process with the {reference.stem} geometry:  {command('iota.run')} {repeated} {given}"


if __name__ == "__main__":
    sys.exit(main())
