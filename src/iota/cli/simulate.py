"""``iota.simulate DIR``: simulates a data set with known truth."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from iota.cli.broken_pipe import ends_on_broken_pipe
from iota.cli.simulate_options import USUAL_FRAMES, add_options, with_negative_lists
from iota.errors import IotaError, UsageError
from iota.installation import predecessor_warning
from iota.simulate import (
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

_EXIT_STATUS = "Exit status: 0 done, 2 usage error or a folder that is not empty, 130 interrupted."


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="iota.simulate",
        description=DESCRIPTION,
        epilog=_EXIT_STATUS,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_options(parser)
    return parser


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
    options = make_parser().parse_args(with_negative_lists(sys.argv[1:] if argv is None else argv))
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


if __name__ == "__main__":
    sys.exit(main())
