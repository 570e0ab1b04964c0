"""Options of ``iota.simulate``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from iota.simulate import DETECTORS, FORMATS, TUTORIAL_FRAMES, Beam, Crystal, Frames

USUAL_FRAMES = 36


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options; the defaults are those of the settings they fill."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder for the frames, new or empty")
    _add_output_options(parser)
    parser.add_argument(
        "--tutorial",
        action="store_true",
        help=f"the {TUTORIAL_FRAMES} images of docs/tutorial.md, or the first N of these",
    )
    _add_crystals(parser.add_argument_group("crystals"))
    _add_frames(parser.add_argument_group("frames"))
    _add_beam_and_detector(parser.add_argument_group("beam and detector"))
    _add_geometry_errors(parser.add_argument_group("wrong geometry in the headers"))


def _add_crystals(group: argparse._ArgumentGroup) -> None:
    """Options for crystals."""
    crystal = Crystal()
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


def _add_frames(group: argparse._ArgumentGroup) -> None:
    """Options for what is on the frames."""
    frames = Frames()
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


def _add_beam_and_detector(group: argparse._ArgumentGroup) -> None:
    """Options for the beam and the true detector."""
    beam = Beam()
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
    """Options for what is written."""
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


def with_negative_lists(words: Sequence[str]) -> list[str]:
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
