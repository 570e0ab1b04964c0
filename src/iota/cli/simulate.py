"""``iota.simulate DIR``: simulates a data set with known truth."""

from __future__ import annotations

import argparse
import dataclasses
import re
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from iota.cli.broken_pipe import ends_on_broken_pipe
from iota.errors import IotaError, UsageError
from iota.installation import predecessor_warning
from iota.simulate import (
    DETECTORS,
    FORMATS,
    TUTORIAL_FRAMES,
    Beam,
    Crystal,
    Dataset,
    Detector,
    Experiment,
    Frames,
    GeometryErrors,
    make_detector,
    misstated,
    tutorial,
    write_dataset,
)
from iota.simulate.truth import GEOMETRY_FILE

DESCRIPTION = """\
Simulates diffraction stills of randomly oriented crystals from the numbers given below, and writes them together with
the truth: the orientation of each crystal in truth_frames.jsonl, the true intensities in truth_<form>.hkl, all settings
in truth.json. Without options: 36 frames of lysozyme on a detector of one megapixel, 20 % of them blank."""

USUAL_FRAMES = 36
_EXIT_STATUS = "Exit status: 0 done, 2 usage error or a folder that is not empty, 130 interrupted."


def make_parser() -> argparse.ArgumentParser:
    """Options of the command; the defaults are those of the settings they fill."""
    crystal, frames, beam = Crystal(), Frames(), Beam()
    parser = argparse.ArgumentParser(
        prog="iota.simulate",
        description=DESCRIPTION,
        epilog=_EXIT_STATUS,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder for the frames, new or empty")
    _add_output_options(parser)
    parser.add_argument(
        "--tutorial",
        action="store_true",
        help=f"the {TUTORIAL_FRAMES} images of docs/tutorial.md, or the first N of these",
    )
    group = parser.add_argument_group("crystals")
    group.add_argument("--name", default=crystal.name, help="prefix of the file names")
    group.add_argument(
        "--cell", type=_cell, default=crystal.unit_cell, metavar="a,b,c,al,be,ga", help="unit cell in A and degrees"
    )
    group.add_argument(
        "--space-group", default=crystal.space_group, metavar="SYMBOL", help="space group, e.g. P43212 or C2"
    )
    group.add_argument(
        "--second-form", type=_cell, default=None, metavar="CELL", help="unit cell of a second crystal form"
    )
    group.add_argument(
        "--second-space-group", default=None, metavar="SYMBOL", help="space group of the second form, if different"
    )
    group.add_argument(
        "--second-fraction",
        type=float,
        default=0.3,
        metavar="X",
        help="fraction of crystals of the second form, 0 to 1",
    )
    group.add_argument(
        "--mosaic",
        type=float,
        default=crystal.mosaic_deg,
        metavar="DEG",
        help="standard deviation of mosaic spread in degrees",
    )
    group.add_argument(
        "--domain-size", type=float, default=crystal.domain_size_A, metavar="A", help="size of mosaic domains in A"
    )
    group.add_argument(
        "--b-factor", type=float, default=crystal.b_factor_A2, metavar="A2", help="Wilson B factor in A^2"
    )
    group.add_argument(
        "--cell-spread",
        type=float,
        default=crystal.cell_spread,
        metavar="X",
        help="relative standard deviation of cell axes",
    )
    group.add_argument(
        "--d-min", type=float, default=None, metavar="A", help="resolution limit in A; None: corner of the detector"
    )
    group = parser.add_argument_group("frames")
    group.add_argument(
        "--blank-fraction",
        type=float,
        default=None,
        metavar="X",
        help=f"fraction of frames without a crystal; None: {frames.blank_fraction:g}, or what weak frames leave",
    )
    group.add_argument(
        "--weak-fraction",
        type=float,
        default=None,
        metavar="X",
        help=f"fraction of very weak frames; None: {frames.weak_fraction:g}, or what blank frames leave",
    )
    group.add_argument(
        "--multi-fraction",
        type=float,
        default=frames.multi_fraction,
        metavar="X",
        help="fraction of frames with several lattices",
    )
    group.add_argument(
        "--flux",
        type=float,
        default=frames.brightness,
        metavar="N",
        help="mean number of photons in a full spot at 4 A",
    )
    group.add_argument(
        "--scale-spread", type=float, default=frames.scale_spread, metavar="X", help="standard deviation of ln(scale)"
    )
    group.add_argument(
        "--background", type=float, default=frames.background, metavar="N", help="mean number of photons per pixel"
    )
    group = parser.add_argument_group("beam and detector")
    group.add_argument("--wavelength", type=float, default=beam.wavelength_A, metavar="A", help="wavelength in A")
    group.add_argument("--bandwidth", type=float, default=beam.bandwidth_fwhm, metavar="X", help="bandwidth dE/E, FWHM")
    group.add_argument(
        "--polarisation",
        type=float,
        default=beam.polarisation_fraction,
        metavar="X",
        help="horizontally polarised fraction",
    )
    group.add_argument(
        "--detector",
        default="1m",
        metavar="NAME",
        help=f"detector: {', '.join(DETECTORS)}; quads has 4 panels, eight and jungfrau have 8, cspad has 64",
    )
    group.add_argument(
        "--distance",
        type=float,
        default=None,
        metavar="MM",
        help="true detector distance in mm; None: typical of the detector",
    )
    _add_geometry_errors(parser.add_argument_group("wrong geometry in the headers"))
    return parser


def _add_geometry_errors(group: argparse._ArgumentGroup) -> None:
    """Options for headers that are wrong; by default, they state the true geometry."""
    group.add_argument(
        "--wrong-distance",
        type=float,
        default=0.0,
        metavar="PERCENT",
        help="the distance in the header is too large by this percentage; the pixels stay the same",
    )
    group.add_argument(
        "--wrong-beam",
        type=_pair("FAST,SLOW in pixels, such as 3,-2"),
        default=(0.0, 0.0),
        metavar="FAST,SLOW",
        help="beam centre in the header minus the true one, in pixels of the first panel; the pixels stay the same",
    )
    group.add_argument(
        "--wrong-tilt",
        type=_tilt,
        default=(0.0, 0.0),
        metavar="X[,Y]",
        help="the true detector is tilted by X degrees about the horizontal axis, and by Y about the vertical one;"
        " the header states none",
    )
    group.add_argument(
        "--wrong-rotation",
        type=float,
        default=0.0,
        metavar="DEG",
        help="the true detector is rotated about the beam by this many degrees (counterclockwise as seen along the"
        " beam); the header states none",
    )
    group.add_argument(
        "--displaced-panels",
        type=_pair("PX,DEG, such as 1,0.1"),
        default=(0.0, 0.0),
        metavar="PX,DEG",
        help="the true panels are shifted at random within their planes, and turned about their centres, by these rms"
        " values in pixels and degrees; the header states the design",
    )
    group.add_argument(
        "--distance-drift",
        type=float,
        default=0.0,
        metavar="MM",
        help="the true distance grows by this much, in mm, from the first frame to the last; the header states that of"
        " the first",
    )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n",
        "--frames",
        type=int,
        default=None,
        metavar="N",
        help=f"number of frames; None: {USUAL_FRAMES}, or {TUTORIAL_FRAMES} for the tutorial",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="random seed; the same seed gives the same frames"
    )
    parser.add_argument("--nproc", type=int, default=2, metavar="N", help="number of processes")
    parser.add_argument(
        "--format", choices=FORMATS, default=None, help="cbf: one file per frame; nxs: one file; None: cbf if possible"
    )
    parser.add_argument("--force", action="store_true", help="replace simulated frames in DIR")
    parser.add_argument("--silent", action="store_true", help="print neither progress nor summary")


def experiment_from_options(options: argparse.Namespace) -> Experiment:
    """Settings according to the options.

    Raises:
        UsageError: the images of the tutorial are asked for, and others as well.
    """
    if options.tutorial:
        free = ("folder", "frames", "nproc", "format", "force", "silent", "tutorial")
        parser = make_parser()
        others = [name for name in vars(options) if name not in free]
        given = [name for name in others if getattr(options, name) != parser.get_default(name)]
        if given:
            raise UsageError(f"--tutorial has its own settings; omit --{given[0].replace('_', '-')}.")
        return tutorial()
    first = Crystal(
        name=options.name,
        unit_cell=options.cell,
        space_group=options.space_group,
        b_factor_A2=options.b_factor,
        mosaic_deg=options.mosaic,
        domain_size_A=options.domain_size,
        cell_spread=options.cell_spread,
        d_min_A=options.d_min,
    )
    crystals: tuple[Crystal, ...] = (first,)
    if options.second_form is not None:
        if not 0 < options.second_fraction < 1:
            raise UsageError(f"--second-fraction {options.second_fraction:g} must be between 0 and 1, e.g. 0.3.")
        second = dataclasses.replace(
            first,
            name=f"{options.name}_form2",
            unit_cell=options.second_form,
            space_group=options.second_space_group or options.space_group,
            share=options.second_fraction,
        )
        crystals = (dataclasses.replace(first, share=1.0 - options.second_fraction), second)
    detector, header = _detectors(options)
    blank_fraction, weak_fraction = _fractions(options)
    return Experiment(
        crystals=crystals,
        detector=detector,
        header=header,
        drift_mm_per_frame=options.distance_drift / max(_n_frames(options) - 1, 1),
        beam=Beam(options.wavelength, options.bandwidth, options.polarisation),
        frames=Frames(
            brightness=options.flux,
            scale_spread=options.scale_spread,
            background=options.background,
            blank_fraction=blank_fraction,
            weak_fraction=weak_fraction,
            multi_fraction=options.multi_fraction,
        ),
        seed=options.seed,
    )


def _detectors(options: argparse.Namespace) -> tuple[Detector, Detector | None]:
    """The true detector and that of the headers; None if they state the truth."""
    shift_px, turn_deg = options.displaced_panels
    errors = GeometryErrors(
        distance_percent=options.wrong_distance,
        beam_px=options.wrong_beam,
        tilt_deg=options.wrong_tilt,
        rotation_deg=options.wrong_rotation,
        panel_shift_px=shift_px,
        panel_turn_deg=turn_deg,
    )
    true, header = misstated(make_detector(options.detector, options.distance), errors, options.seed)
    return true, None if header == true else header


def _fractions(options: argparse.Namespace) -> tuple[float, float]:
    """Fractions of blank and of weak frames; one that was not given leaves the other its room."""
    blank, weak, usual = options.blank_fraction, options.weak_fraction, Frames()
    if blank is None:
        blank = usual.blank_fraction if weak is None else min(usual.blank_fraction, max(1.0 - weak, 0.0))
    if weak is None:
        weak = min(usual.weak_fraction, max(1.0 - blank, 0.0))
    return blank, weak


def _n_frames(options: argparse.Namespace) -> int:
    """Number of frames that the options ask for."""
    if options.frames is not None:
        return int(options.frames)
    return TUTORIAL_FRAMES if options.tutorial else USUAL_FRAMES


@ends_on_broken_pipe
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = make_parser().parse_args(_with_negative_lists(sys.argv[1:] if argv is None else argv))
    warning = predecessor_warning()
    if warning:
        print(f"iota.simulate: {warning}", file=sys.stderr)
    try:
        dataset, seconds = _write(options, experiment_from_options(options))
    except IotaError as error:
        print(f"iota.simulate: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"iota.simulate: interrupted; {options.folder} contains some of the frames.", file=sys.stderr)
        return 130
    if not options.silent:
        print(_summary(dataset, seconds))
    return 0


def _write(options: argparse.Namespace, experiment: Experiment) -> tuple[Dataset, float]:
    """Write the data set, with a progress bar on the terminal (stderr)."""
    start = time.monotonic()
    n_frames = _n_frames(options)
    file_format = options.format or ("cbf" if len(experiment.detector.panels) == 1 else "nxs")
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # No thread that refreshes: the processes that make frames are forked from this one.
    with Progress(*columns, console=console, disable=options.silent, transient=True, auto_refresh=False) as bar:
        task = bar.add_task("frames", total=n_frames)
        dataset = write_dataset(
            options.folder,
            experiment,
            n_frames,
            file_format=file_format,
            nproc=options.nproc,
            force=options.force,
            progress=lambda done: bar.update(task, completed=done, refresh=True),
        )
    return dataset, time.monotonic() - start


def _summary(dataset: Dataset, seconds: float) -> str:
    """What was written and what to do next."""
    geometry = dataset.folder / GEOMETRY_FILE
    wrong = f"The geometry in the headers is wrong; the true one: {geometry}\n" if geometry.exists() else ""
    kinds = ", ".join(f"{dataset.kinds[kind]} {kind}" for kind in ("normal", "weak", "blank") if kind in dataset.kinds)
    return (
        f"{dataset.n_frames} frames ({kinds}; {dataset.n_multi} with several lattices) in {seconds:.0f} s:"
        f" {dataset.folder}\n"
        f"Truth: {dataset.folder / 'truth.json'} and the files named there\n"
        f"{wrong}"
        f"Next: iota.run {shlex.quote(str(dataset.folder))}"
    )


def _with_negative_lists(words: Sequence[str]) -> list[str]:
    """The words of the command line, with lists such as ``-3,-2`` joined to their options.

    argparse takes negative numbers for values, but lists of them for options.
    """
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].startswith("--") and re.fullmatch(r"-[\d.][\d.,eE+-]*,[\d.,eE+-]*", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _pair(meaning: str) -> Callable[[str], tuple[float, float]]:
    """Reads two numbers; ``meaning`` says which, in the message if there are not two."""

    def read(text: str) -> tuple[float, float]:
        values = _numbers(text)
        if len(values) != 2:
            raise argparse.ArgumentTypeError(f"{text!r} is not {meaning}")
        return values[0], values[1]

    return read


def _tilt(text: str) -> tuple[float, float]:
    """One or two angles; the second one is 0 if it is missing."""
    values = _numbers(text)
    if len(values) not in (1, 2):
        raise argparse.ArgumentTypeError(f"{text!r} is not one or two angles in degrees, such as 0.5 or 0.5,-0.3")
    return values[0], values[1] if len(values) == 2 else 0.0


def _numbers(text: str) -> tuple[float, ...]:
    """Numbers separated by commas or blanks; none if one cannot be read."""
    try:
        return tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError:
        return ()


def _cell(text: str) -> tuple[float, ...]:
    """Six numbers of a unit cell, separated by commas or blanks."""
    values = _numbers(text)
    if len(values) != 6:
        raise argparse.ArgumentTypeError(f"{text!r} is not six numbers such as 79.2,79.2,38.1,90,90,90")
    return values


if __name__ == "__main__":
    sys.exit(main())
