"""Whole commands side by side on the same images: dials.stills_process and iota.run.

Each round runs one after the other with the same parameters (those iota.run would use, cell and space group given) and
the same number of processes, the next round in the opposite order; figures are medians. Other work on the machine
spoils seconds, and ratios less.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from iota.errors import IotaError
from iota.simulate.detector import PILATUS

from .measure import SetFigures, measure
from .programs import IotaRun, Program, StillsProcess
from .report import print_set
from .sets import SETS, ImageSet, Simulated, simulated_set, thaumatin_set
from .timing import adopt_orphans

ROOT = Path(__file__).parents[2]
FRAMES = {"blank": 1200, "mixed": 400, "hits": 40, "thaumatin": 12}
QUICK_FRAMES = {"blank": 24, "mixed": 24, "hits": 8, "thaumatin": 4}
REAL = Path(os.environ.get("IOTA_SHARED_DATA", ROOT.parent / "shared" / "data")) / "thaumatin_stills"


def main() -> int:
    options = _parser().parse_args()
    console = Console()
    try:
        _compare(options, console)
    except (IotaError, RuntimeError) as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _compare(options: argparse.Namespace, console: Console) -> None:
    frames = {**(QUICK_FRAMES if options.quick else FRAMES), **options.frames}
    rounds = options.rounds or (1 if options.quick else 3)
    programs: list[Program] = [StillsProcess(), IotaRun()]
    if options.with_off:
        programs.append(IotaRun("iota.run, acceleration=off", "advanced.acceleration=off"))
    options.cache.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    simulated = Simulated(options.cache.absolute(), options.detector, options.nproc, console.print)
    blanks = simulated_set(simulated, "blank", max(options.nproc, frames["blank"])).images[: options.nproc]
    done: list[SetFigures] = []
    with tempfile.TemporaryDirectory(dir=options.cache.absolute(), prefix="run_") as scratch:
        folder = options.keep.absolute() if options.keep else Path(scratch)
        for name in options.sets:
            images = _image_set(simulated, name, frames[name])
            if images is None:
                console.print(f"thaumatin is left out: there is no {REAL} (set IOTA_SHARED_DATA)")
                continue
            done.append(measure(images, blanks, programs, rounds, folder, console.print))
            print_set(console, done[-1])
            if options.json:
                options.json.write_text(json.dumps([asdict(figures) for figures in done], indent=1) + "\n")
    console.print(f"Load of the machine before the sets: {', '.join(f'{one.load_before:.1f}' for one in done)}")


def _image_set(simulated: Simulated, name: str, n: int) -> ImageSet | None:
    return thaumatin_set(REAL, n) if name == "thaumatin" else simulated_set(simulated, name, n)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=_sets, default=list(SETS), metavar="NAMES", help=f"of {','.join(SETS)} (all)")
    parser.add_argument(
        "--frames",
        type=_frames,
        default={},
        metavar="N | SET=N,...",
        help=f"frames of all sets or of some ({','.join(f'{name}={n}' for name, n in FRAMES.items())})",
    )
    parser.add_argument("--rounds", type=_number, metavar="N", help="rounds (3)")
    parser.add_argument("--quick", action="store_true", help="few frames and one round: a first look")
    parser.add_argument("--with-off", action="store_true", help="also iota.run with advanced.acceleration=off")
    parser.add_argument("-n", "--nproc", type=_number, default=2, metavar="N", help="processes of each program (2)")
    parser.add_argument("--detector", choices=list(PILATUS), default="6m", help="of the simulated frames (6m)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave what the programs write in DIR")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    parser.add_argument(
        "--cache",
        type=Path,
        default=ROOT / "build" / "bench",
        metavar="DIR",
        help="simulated frames (build/bench); delete it when iota.simulate changes",
    )
    return parser


def _sets(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in SETS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no set {unknown[0]}; known are {', '.join(SETS)}")
    return names


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{text} is not above 0")
    return number


def _frames(text: str) -> dict[str, int]:
    try:
        if text.isdigit():
            return dict.fromkeys(SETS, _number(text))
        numbers = {name: _number(number) for name, number in (word.split("=") for word in text.split(","))}
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor like blank=120,hits=40") from error
    _sets(",".join(numbers))
    return numbers


if __name__ == "__main__":
    sys.exit(main())
