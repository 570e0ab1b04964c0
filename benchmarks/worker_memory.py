"""Whether a process that works through thousands of images keeps its size, for each thing such a process does.

    .venv/bin/python benchmarks/worker_memory.py [--megapixels 1|6|0.3] [--frames N] [--at N] [WAY ...]

Simulates a dozen images and has one worker process go through them again and again, each time under another path.
Prints its resident memory, and how much of that is in use (the rest is what malloc keeps), after the first and after
the last frames.  ``docs/decisions/0021-memory-of-a-worker.md`` has the figures.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from iota.simulate.dataset import write_dataset
from iota.simulate.detector import make_detector
from iota.simulate.experiment import Experiment, Frames

GROWTH = 1.15  # wanted at most, of resident memory
_DETECTORS = {"0.3": "300k", "1": "1m", "6": "6m"}

Step = Callable[[int], str]  # does what is asked with frame number n, and returns what came of it


class Memory(NamedTuple):
    """Of this process, in bytes."""

    resident: int
    in_use: int  # what programs asked malloc for and have not freed


class _Mallinfo2(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()  # noqa: SIM905
    )


def memory_now() -> Memory:
    """How much memory this process has now; that which is in use needs glibc 2.33."""
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _Mallinfo2
    info = libc.mallinfo2()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Memory(pages * 4096, info.uordblks + info.hblkhd)


class Images:
    """Simulated frames, given again and again under paths of their own."""

    def __init__(self, folder: Path, detector: str, n: int = 12) -> None:
        self.folder = folder
        self.files = []
        frames = Frames(blank_fraction=0.0, weak_fraction=0.0, multi_fraction=0.3)
        for file_format in ("cbf", "nxs"):
            made = folder / file_format
            write_dataset(made, Experiment(detector=make_detector(detector), frames=frames), n, file_format=file_format)
            self.files.append(sorted([*made.glob("*.cbf"), *made.glob("*.nxs")]))
        self.n = n

    def cbf(self, number: int) -> Path:
        """A file that has no other image, and was not seen before."""
        return self._linked(self.files[0][number % self.n], f"frame_{number:05d}.cbf")

    def nxs(self, number: int) -> Path:
        """A file with many images, which was not seen before."""
        return self._linked(self.files[1][0], f"master_{number:05d}.nxs")

    def _linked(self, file: Path, name: str) -> Path:
        link = self.folder / "links" / name
        link.parent.mkdir(exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(file)
        return link


CELL = "indexing.known_symmetry.unit_cell = 79.2 79.2 38.1 90 90 90\n"
KNOWN = CELL + 'indexing.known_symmetry.space_group = "P43212"\n'
INSIGNIFICANT = "significance_filter.enable = True\nsignificance_filter.isigi_cutoff = 100000\n"
WRONG = CELL.replace("79.2 79.2 38.1", "30 41 52") + "indexing.known_symmetry.space_group = P222\n"


def _frames(images: Images, folder: Path, task: str = "process", more: str = "", **words: object) -> Step:
    """What a worker of a run does with each frame."""
    from iota.engine.backend import parameters as backend
    from iota.engine.frame import worker
    from iota.engine.frame.config import EngineConfig
    from iota.params.to_backend import own_defaults_phil
    from iota.records import FrameRef, Scouted, Screened, Settings, Task

    lines: str = words.pop("target", KNOWN)  # type: ignore[assignment]
    settings = words.pop("settings", ("",))
    one_file = words.pop("one_file", None)
    for name in ("dials", "final", "logs", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    target = backend.with_lines("", [own_defaults_phil(), lines])
    worker.start(EngineConfig(target, str(folder), scratch=str(folder / "tmp"), memory_GB=8.0, **words))  # type: ignore[arg-type]

    def step(number: int) -> str:
        if one_file is None:
            frame = FrameRef(str(images.cbf(number)))
        else:
            frame = FrameRef(str(images.files[1][0] if one_file else images.nxs(number)), number % images.n)
        tried = tuple(Settings(f"settings {k}", phil) for k, phil in enumerate(settings))  # type: ignore[arg-type, var-annotated]
        report = worker.run(Task(task, frame, f"frame_{number % 50}", tried, more=more, trial=bool(more)))  # type: ignore[arg-type]
        if isinstance(report, Scouted):
            return report.reason or "scouted"
        return "screened" if isinstance(report, Screened) else report.outcome

    return step


def _viewer(images: Images, folder: Path) -> Step:
    """What the process that opens images for the browser does when a person goes through a run."""
    from iota.engine.viewer.pixels import Pixels

    pixels = Pixels(folder)

    def step(number: int) -> str:
        source = {"path": str(images.cbf(number))}
        pixels.open(source)
        pixels.tiles(source, [(0, level, 0, 0) for level in range(4)])
        pixels.spots(source)
        pixels.strong(source)
        return "shown"

    return step


def _settings() -> list[str]:
    from iota.engine.backend import indexing_settings

    return [settings.phil for settings in indexing_settings.settings_to_try("")]


def ways() -> dict[str, Callable[[Images, Path], Step]]:
    """What a process may do with frames, by name."""
    from iota.engine.frame.filter import LatticeFilter
    from iota.engine.frame.grid import Grid
    from iota.engine.frame.picture_choice import Pictures

    several = "indexing.multiple_lattice_search.max_lattices = 3\n"
    return {
        "run": lambda i, f: _frames(i, f),
        "run, several lattices": lambda i, f: _frames(i, f, target=KNOWN + several),
        "run, no cell": lambda i, f: _frames(i, f, target="", settings=_settings(), find_symmetry=True),
        "run, one HDF5 file": lambda i, f: _frames(i, f, one_file=True),
        "run, many HDF5 files": lambda i, f: _frames(i, f, one_file=False),
        "run, pictures": lambda i, f: _frames(i, f, pictures=Pictures(predictions=True, vectors=True, trumpet=True)),
        "acceleration=off": lambda i, f: _frames(i, f, accelerate=False),
        "ha14": lambda i, f: _frames(i, f, grid=Grid()),
        "ha14, 3 points": lambda i, f: _frames(i, f, grid=Grid(area_range=1, height_range=0)),
        "grid search, smart": lambda i, f: _frames(i, f, grid=Grid("smart")),
        "learning": lambda i, f: _frames(i, f, "scout", target="", settings=_settings()),
        "screening": lambda i, f: _frames(i, f, "screen"),
        "optimisation": lambda i, f: _frames(i, f, more="spotfinder.filter.min_spot_size = 4\n"),
        "fail: triage": lambda i, f: _frames(
            i, f, target=KNOWN + "dispatch.hit_finder.minimum_number_of_reflections = 100000\n"
        ),
        "fail: indexing": lambda i, f: _frames(i, f, target=WRONG),
        "fail: indexing, off": lambda i, f: _frames(i, f, target=WRONG, accelerate=False),
        "fail: integration": lambda i, f: _frames(
            i, f, target=KNOWN + "significance_filter { enable = True\n isigi_cutoff = 100000 }\n"
        ),
        "fail: filter": lambda i, f: _frames(i, f, lattice_filter=LatticeFilter(min_reflections=100_000)),
        "viewer": _viewer,
    }


def _measure(name: str, images: Images, n_frames: int, at: int, longest_s: float, answers: Connection) -> None:
    """Do it in this process, and say how much memory it had."""
    with tempfile.TemporaryDirectory(dir=images.folder) as folder:
        step = ways()[name](images, Path(folder))
        outcomes: Counter[str] = Counter()
        early = memory_now()
        began = time.monotonic()
        for number in range(n_frames):
            outcomes[step(number)] += 1
            if number + 1 == at:
                early = memory_now()
            if time.monotonic() - began > longest_s:
                break
        late = memory_now()
    answers.send((sum(outcomes.values()), early, late, dict(outcomes), time.monotonic() - began))


def main() -> int:
    """Measure; the exit status is 1 where a process has grown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", choices=sorted(_DETECTORS), default="1")
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--at", type=int, default=50, help="after how many frames the growth begins to count")
    parser.add_argument("--seconds", type=float, default=1e9, help="longest time for each")
    parser.add_argument("way", nargs="*", metavar="WAY", help=f"{', '.join(ways())}; all without any")
    given = parser.parse_args()
    print(
        "| what | images | resident, MB | in use, MB | resident grows to | s |\n| --- | --- | --- | --- | --- | --- |"
    )
    status = 0
    with tempfile.TemporaryDirectory(prefix="iota_memory_") as folder:
        images = Images(Path(folder), _DETECTORS[given.megapixels])
        for name in given.way or ways():
            n, early, late, outcomes, seconds = _in_process(name, images, given)
            growth = late.resident / early.resident
            status |= growth > GROWTH
            resident, used = (f"{a / 1e6:.0f} to {b / 1e6:.0f}" for a, b in zip(early, late, strict=True))
            print(f"| {name} | {n} | {resident} | {used} | {growth:.3f} | {seconds:.0f} | {outcomes}", flush=True)
    return status


def _in_process(name: str, images: Images, given: argparse.Namespace) -> tuple[int, Memory, Memory, object, float]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    words = (name, images, given.frames, given.at, given.seconds, there)
    process = context.Process(target=_measure, args=words)
    process.start()
    there.close()
    try:
        return here.recv()  # type: ignore[no-any-return]
    finally:
        process.join()


if __name__ == "__main__":
    sys.exit(main())
