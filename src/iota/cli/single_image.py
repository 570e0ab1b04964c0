"""``iota.single_image``: processes one image quickly, for beamline staff and control systems."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import iota
from iota.cli.broken_pipe import ends_on_broken_pipe
from iota.cli.completion import complete
from iota.crystallography.cells import cell_text
from iota.errors import IotaError, UsageError
from iota.inputs.crystfel.geometry import split_geometry
from iota.params import is_assignment
from iota.records import FrameRef, Task

if TYPE_CHECKING:
    from iota.engine.frame.single_image import ImageReport

_EXAMPLES = """\
examples
  iota.single_image images/img_00001.cbf
  iota.single_image images/img_00001.cbf --action integrate --json
  iota.single_image master.h5 --index 17 --action spotfind
  iota.single_image detector.geom run.cxi --index 17
  iota.single_image img.cbf cctbx_xfel.target_unit_cell="79.2 79.2 38.1 90 90 90" cctbx_xfel.target_space_group=P43212

The line __RESULTS__ contains, in this order: number of spots, spots with saturated pixels, score (spots between 40 and
4.5 A outside ice rings), resolution (A, -1 if unknown), number of ice rings, 0, mean counts per spot, and {reason for
the failure}.

exit status
  0 done, 1 no diffraction or no lattice found, 2 usage or input error, 130 interrupted
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="iota.single_image",
        usage="iota.single_image [options] IMAGE ... [name=value ...]",
        description="Find spots, resolution, ice rings and the lattice of one image. Nothing is written without"
        " --output_dir.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "arguments",
        nargs="+",
        metavar="IMAGE | GEOM | name=value",
        help="images, a CrystFEL geometry (.geom) that describes them, and parameters of IOTA or of the backend",
    )
    parser.add_argument("--version", action="version", version=f"IOTA {iota.__version__}")
    parser.add_argument(
        "--action", choices=("spotfind", "index", "integrate"), default="index", help="last step (default: index)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per line instead of text")
    parser.add_argument(
        "--index", type=int, default=1, metavar="N", help="number of the image in a multi-image file, counted from 1"
    )
    parser.add_argument("--min_bragg", type=int, metavar="N", help="minimum number of spots for a hit")
    parser.add_argument("--paramfile", type=Path, metavar="SCRIPT", help="script with parameters of IOTA")
    parser.add_argument("--output_dir", type=Path, metavar="DIR", help="folder for the files and logs of DIALS")
    parser.add_argument(
        "--output_file", type=Path, metavar="FILE", help="append a line: 0 n_spots image space_group unit_cell"
    )
    parser.add_argument(
        "--wait", type=float, default=30, metavar="S", help="maximum time to wait for the image (default: 30 s)"
    )
    parser.add_argument("--termfile", type=Path, metavar="FILE", help="stop waiting when this file appears")
    parser.add_argument(
        "--nproc", type=int, default=1, metavar="N", help="number of images processed in parallel (default: 1)"
    )
    parser.add_argument("--verbose", action="store_true", help="also print the messages of the backend (on stderr)")
    return parser


@ends_on_broken_pipe
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = make_parser()
    complete(parser)
    options = parser.parse_intermixed_args(argv)
    try:
        return _run(options)
    except IotaError as error:
        print(f"iota.single_image: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    if options.index < 1 or options.nproc < 1:
        raise UsageError("--index and --nproc must be 1 or more.")
    from iota.processing import single_image  # imports DIALS, 1.2 s: not for --help

    assignments = [argument for argument in options.arguments if is_assignment(argument)]
    geometry, images = split_geometry([argument for argument in options.arguments if not is_assignment(argument)])
    if geometry is not None:
        assignments.append(f"image_import.crystfel_geometry={Path(geometry).absolute()}")
    if not images:
        raise UsageError("No image was given.")
    if options.min_bragg is not None:
        assignments.append(f"data_selection.image_triage.minimum_Bragg_peaks={options.min_bragg}")
    parameters, target = single_image.read_parameters([options.paramfile] if options.paramfile else [], assignments)
    for image in images:
        _wait_for(Path(image), options.wait, options.termfile)
    with _folder(options.output_dir) as folder:
        work = single_image.Work(
            target=target,
            folder=str(folder),
            keep=options.output_dir is not None,
            action=options.action,
            verbose=options.verbose,
            find_symmetry=parameters.values.cctbx_xfel.determine_sg_and_reindex,
            strong_sigma=parameters.values.data_selection.image_triage.strong_sigma,
            quick_start=options.action == "spotfind" and len(images) == 1,
        )
        tasks = [_task(image, options.index, len(images)) for image in images]
        status = 0
        for report in single_image.reports(work, tasks, options.nproc):
            _print(report, options)
            status = max(status, 0 if report.outcome in ("spots", "indexed", "integrated") else 1)
    return status


def _task(image: str, index: int, n_images: int) -> Task:
    path = Path(image).absolute()
    name = f"{path.stem}_{index:05d}" if index > 1 else path.stem
    if n_images > 1:  # images of several folders may share a name
        name = "_".join([*path.parent.parts[1:], name])
    return Task("process", FrameRef(str(path), index - 1 if index > 1 else None), name)


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """The folder to which DIALS writes: the given one, or a temporary one."""
    with tempfile.TemporaryDirectory(prefix="iota_") as temporary:
        folder = given or Path(temporary)
        try:
            for name in ("dials", "final", "logs"):
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder} cannot be written: {error.strerror}.") from error
        yield folder


def _wait_for(image: Path, seconds: float, termfile: Path | None) -> None:
    """Wait until the image exists.

    Raises:
        UsageError: it does not come in time, or the waiting was ended.
    """
    end = time.monotonic() + seconds
    while not image.exists():
        if termfile is not None and termfile.exists():
            raise UsageError(f"Stopped waiting for {image}: {termfile} exists.")
        if time.monotonic() >= end:
            raise UsageError(f"There is no such image: {image} (waited {seconds:g} s, --wait).")
        time.sleep(0.05)


def _print(report: ImageReport, options: argparse.Namespace) -> None:
    if options.output_file:
        _append_line(report, options.output_file)
    if options.json:
        print(msgspec.json.encode(report).decode(), flush=True)
        return
    for name, text in _lines(report):
        print(f"{name:<12}{text}")
    failed = report.reason or ""
    resolution = -1 if report.resolution_A is None else report.resolution_A
    print(
        f"__RESULTS__ {report.n_spots} {report.n_overloads} {report.score} {resolution} {len(report.ice_rings_A)} 0"
        f" {report.mean_intensity or 0} {{{failed}}}"
    )
    if failed:
        print(f"__ERRORS__ {failed}")
    sys.stdout.flush()


def _lines(report: ImageReport) -> Iterator[tuple[str, str]]:
    yield "IMAGE", report.image
    ice = "" if report.n_spots_no_ice is None else f", {report.n_spots_no_ice} outside ice rings"
    overloads = f", {report.n_overloads} with saturated pixels" if report.n_overloads else ""
    yield "SPOTS", f"{report.n_spots}{ice}{overloads}"
    if report.resolution_A is not None:
        yield "RESOLUTION", f"{report.resolution_A:.2f} A"
    rings = ", ".join(f"{ring:.2f}" for ring in report.ice_rings_A)
    yield "ICE RINGS", f"{rings} A" if rings else "none"
    if report.n_indexed is not None and report.unit_cell is not None:
        yield "INDEXING", f"{report.n_indexed} spots, RMSD {report.rmsd_px:.2f} px ({report.settings})"
        yield "LATTICE", f"{report.bravais} ({report.space_group})"
        yield "CELL", f"{cell_text(report.unit_cell)} (A, degrees)"
    for lattice in report.lattices:
        yield (
            "INTEGRATED",
            f"{lattice.n_integrated} reflections ({lattice.n_strong} strong) to {lattice.d_min_A:.2f} A",
        )
    if report.reason:
        yield "FAILED", report.reason
    for sentence in report.remarks:
        yield "NOTE", sentence
    yield "SECONDS", ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in report.seconds.items())


def _append_line(report: ImageReport, path: Path) -> None:
    """Append the line that the image tracker of the original IOTA reads."""
    group = (report.space_group or "NA").replace(" ", "")
    cell = cell_text(report.unit_cell) if report.unit_cell else "NA"
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"0 {report.n_spots} {report.image} {group} {cell}\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error


if __name__ == "__main__":
    sys.exit(main())
