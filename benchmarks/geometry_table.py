"""What runs make of headers with a wrong geometry, row after row, against the truth of simulated sets.

    .venv/bin/python benchmarks/geometry_table.py --jobs 2                      # all rows, three seeds, lysozyme
    .venv/bin/python benchmarks/geometry_table.py right beam-8 --cells known --seeds 1-20
    .venv/bin/python benchmarks/geometry_table.py --print                       # what has been measured so far

For each row, a set with the wrong header is simulated and processed, with the cell given or not, and so are the same
pixels with the right header and without refinement (the reference).  Directions of shifts and tilts, and signs of
rotations, depend on the seed.  Each case is a line of FOLDER/cases.jsonl and of the table; what is there already is not
measured again.  Sets and references are kept in FOLDER; delete it when ``iota.simulate`` or the processing changes.

Marks that a case misses are named at the end of its line: frames (below 95 % of the reference; all of it if the header
is right), wrong (lattices), changed (a right header), centre (0.05 px), distance (0.05 %; without a cell three stated
uncertainties), rotation (0.02 degrees), tilt (0.05 degrees), panels (95 % of the displacement gone after
the first geometry, 99 % in the end), CC (0.002), drift (0.03 mm).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import geometry_figures as figures
import numpy as np
from geometry_cases import CELLS, CRYSTALS, ROWS, Case, make_set, process, process_by_hand
from side_by_side import timing

from iota.errors import IotaError
from iota.simulate import read_detector, read_frames
from iota.simulate.detector import PILATUS

MAX_FOUND_PX = 15.0  # beam centre: without a cell, it need not be found if it is wrong by so much
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Setup:
    """How cases are run, and where."""

    folder: Path
    keep: Path | None
    n_processors: int
    words: tuple[str, ...]
    reference_words: tuple[str, ...]
    by_hand: int

    @property
    def sets(self) -> Path:
        return self.folder / "sets"

    def reference(self, case: Case) -> Path:
        """File with the figures of the reference of a case; the merged intensities are beside it."""
        return self.folder / "references" / f"{case.reference.name}.json"


def simulate(case: Case, setup: Setup) -> None:
    """Simulate the set of a case if it is not there."""
    make_set(case, setup.sets)


def make_reference(case: Case, setup: Setup) -> str:
    """Process the set of a reference, and store what it gave."""
    images = setup.sets / case.set_name
    path = setup.reference(case)
    with _run_folder(case, setup, "reference-") as folder:
        done = process(case, images, setup.reference_words, setup.n_processors, folder)
        found, _ = figures.read_lattices(case, done, images)
    said = {"frames": found.frames, "n_wrong": found.n_wrong, "cpu_s": done.cpu_s, "n_hits": _n_hits(images)}
    np.savez(path.with_suffix(".npz"), merged=found.merged, multiplicity=found.multiplicity)
    path.write_text(json.dumps(said) + "\n")
    return f"{case.name}: reference, {len(found.frames)} of {said['n_hits']} hits integrated, {done.cpu_s:.0f} CPU s"


def measure(case: Case, setup: Setup) -> dict[str, Any]:
    """Process the set of a case, and compare what it gave with the reference and the truth."""
    images = setup.sets / case.set_name
    truth, header = read_detector(images), read_detector(images, "header")
    reference = json.loads(setup.reference(case).read_text())
    with _run_folder(case, setup) as folder:
        if setup.by_hand:
            words = setup.reference_words
            done = process_by_hand(case, images, words, setup.n_processors, folder, setup.by_hand)
        else:
            done = process(case, images, setup.words, setup.n_processors, folder)
        found, detectors = figures.read_lattices(case, done, images)
        refined = [figures.read_geometry(path) for path in done.refined]
        uncertainties = figures.uncertainties(done.refined[-1]) if refined else {}
        geometry_cpu_s = figures.geometry_cpu_s(done.refined)
    final, n_geometries = figures.most_used(detectors) if detectors else (None, 0)
    result = {
        **asdict(case),
        "words": list(setup.words),
        "by_hand": setup.by_hand,
        "n_hits_true": reference["n_hits"],
        "n_reference": len(reference["frames"]),
        "n_integrated": len(found.frames),
        "lost": sorted(set(reference["frames"]) - set(found.frames)),
        "n_wrong": found.n_wrong,
        "n_wrong_reference": reference["n_wrong"],
        "cell_error_percent": found.cell_error_percent,
        "n_geometries": n_geometries,
        "change_px": figures.change_px(final, header) if final else None,
        "geometry": asdict(figures.compare(final, truth, header)) if final else None,
        "passes": [asdict(figures.compare(detector, truth, header)) for detector in refined],
        "uncertainties": uncertainties,
        "uncertainty_percent": _percent(uncertainties.get("distance"), truth.distance_mm),
        **_merging(case, setup, found, images),
        "cpu_s": done.cpu_s,
        "cpu_s_reference": reference["cpu_s"],
        "cpu_s_geometry": geometry_cpu_s,
    }
    if ROWS[case.row].drift_mm and detectors:
        errors = figures.drift_errors_mm(detectors, images)
        result["drift_error_mm"] = {"max": float(np.abs(errors).max()), "rms": float(np.sqrt(np.mean(errors**2)))}
    return {**result, "misses": misses(result)}


def _merging(case: Case, setup: Setup, found: figures.Lattices, images: Path) -> dict[str, float | None]:
    """Correlation with true intensities, of reflections that the reference has too, and that of the reference."""
    with np.load(setup.reference(case).with_suffix(".npz")) as stored:
        reference = figures.Lattices(merged=stored["merged"], multiplicity=stored["multiplicity"])
    return {
        "cc": figures.correlation(found, reference, images, case),
        "cc_reference": figures.correlation(reference, found, images, case),
    }


def misses(result: dict[str, Any]) -> list[str]:
    """Names of the marks that a case misses."""
    row, known = ROWS[result["row"]], result["cell"] == "known"
    is_right = row == replace(type(row)(), detector=row.detector)
    n_lost = result["n_reference"] - result["n_integrated"]
    missed = [
        ("frames", result["lost"] if is_right else n_lost > 0.05 * result["n_reference"]),
        ("wrong", result["n_wrong"] > result["n_wrong_reference"]),
    ]
    geometry = result["geometry"]
    if row.beam_px == MAX_FOUND_PX and not known and (geometry is None or result["change_px"] <= figures.CHANGED_PX):
        return ["wrong"] if result["n_wrong"] else []  # refused
    if geometry is None:
        return [name for name, is_missed in missed if is_missed]
    if is_right:
        missed.append(("changed", result["change_px"] > figures.CHANGED_PX))
    if row.beam_px or any(row.beam_at_px):
        missed.append(("centre", geometry["centre_px"] > 0.05))
    if row.distance_percent:
        allowed = 0.05 if known else max(0.05, 3 * (result["uncertainty_percent"] or 0.0))
        missed.append(("distance", abs(geometry["distance_percent"]) > allowed))
    if row.rotation_deg:
        missed.append(("rotation", abs(geometry["rotation_deg"]) > 0.02))
    if row.tilt_deg:
        missed.append(("tilt", geometry["tilt_deg"] > 0.05))
    if any(row.panels):
        gone = _gone_percent(result)
        missed.append(("panels", gone[0] < 95 or gone[-1] < 99))
        missed.append(("CC", result["cc"] is None or result["cc"] < result["cc_reference"] - 0.002))
    if row.drift_mm:
        missed.append(("drift", result["drift_error_mm"]["max"] > 0.03))
    return [name for name, is_missed in missed if is_missed]


def _n_hits(images: Path) -> int:
    return sum(bool(frame["lattices"]) for frame in read_frames(images))


def _percent(value: float | None, of: float) -> float | None:
    return None if value is None else 100 * value / of


@contextmanager
def _run_folder(case: Case, setup: Setup, prefix: str = "") -> Iterator[Path]:
    """A folder that is not there yet, for a run; it is deleted afterwards unless runs are kept."""
    if setup.keep:
        folder = setup.keep / f"{prefix}{case.name}"
        shutil.rmtree(folder, ignore_errors=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(dir=setup.folder, prefix="run_") as scratch:
        yield Path(scratch) / "run"


_FORM = (
    "{:14s}{:9s}{:11s}{:>5s}{:>8s}{:>5s}{:>6s}{:>8s}{:>9s}{:>8s}{:>8s}{:>8s}{:>8s}{:>12s}{:>9s}{:>7s}{:>7s}{:>5s}  {}"
)
HEAD = _FORM.format(
    *("row", "cell", "crystal", "seed", "frames", "lost", "wrong", "cells %", "centre px", "dist. %", "+-", "tilt"),
    *("rot.", "panels %", "CC - ref.", "drift", "CPU s", "new", "misses"),
)


def line(result: dict[str, Any]) -> str:
    """The line of the table; ``new``: number of refined geometries; ``panels``: after the first and in the end."""
    geometry = result["geometry"] or dict.fromkeys(figures.Geometry.__dataclass_fields__)
    return _FORM.format(
        *(result[name] for name in ("row", "cell", "crystal")),
        str(result["seed"]),
        f"{result['n_integrated']}/{result['n_reference']}",
        str(len(result["lost"])),
        str(result["n_wrong"]),
        _text(result["cell_error_percent"], 3),
        _text(geometry["centre_px"], 3),
        _text(geometry["distance_percent"], 3),
        _text(result["uncertainty_percent"], 3),
        _text(geometry["tilt_deg"], 3),
        _text(geometry["rotation_deg"], 3),
        ", ".join(_text(gone, 1) for gone in _gone_percent(result)) or "-",
        _text(_cc_change(result), 4),
        _text(_drift_mm(result), 3),
        _text(result["cpu_s"], 0),
        str(len(result["passes"])),
        ", ".join(result["misses"]),
    )


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _gone_percent(result: dict[str, Any]) -> tuple[float, ...]:
    """How much of the displacement of panels is gone after the first pass and at the end; nothing for one panel."""
    geometries = [*result["passes"][:1], *([result["geometry"]] if result["geometry"] else [])]
    return tuple(one["panels_gone_percent"] for one in geometries if one["panels_gone_percent"] is not None)


def _drift_mm(result: dict[str, Any]) -> float | None:
    return result.get("drift_error_mm", {}).get("max")


def _cc_change(result: dict[str, Any]) -> float | None:
    return None if result["cc"] is None else result["cc"] - result["cc_reference"]


def summary(results: Iterable[dict[str, Any]]) -> str:
    """A table in Markdown with the worst of all seeds and crystals, for each row and cell; CPU is the median."""
    lines = [
        "| wrong | cell | sets | frames | wrong lattices | centre (px) | distance (%) | tilt (°) | panels (%) | CC"
        " | drift (mm) | CPU (s), reference | sets that miss a mark |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["row"], result["cell"]), []).append(result)
    for (row, cell), group in sorted(groups.items(), key=lambda one: (list(ROWS).index(one[0][0]), one[0][1])):
        geometries = [one["geometry"] for one in group if one["geometry"]]
        frames = 100 * min(one["n_integrated"] / max(1, one["n_reference"]) for one in group)
        gone = [values for one in group if (values := _gone_percent(one))]
        cc = [change for one in group if (change := _cc_change(one)) is not None]
        drift = [worst for one in group if (worst := _drift_mm(one)) is not None]
        cpu, cpu_reference = (statistics.median(one[name] for one in group) for name in ("cpu_s", "cpu_s_reference"))
        missed = Counter(name for one in group for name in one["misses"])
        cells = [
            *(row, cell, str(len(group)), f"{frames:.0f} %", str(sum(one["n_wrong"] for one in group))),
            *(_text(max((abs(g[name]) for g in geometries), default=None), 3) for name in _WORST),
            ", ".join(_text(min(values), 1) for values in zip(*gone, strict=False)) or "-",
            _text(min(cc, default=None), 4),
            _text(max(drift, default=None), 3),
            f"{cpu:.0f}, {cpu_reference:.0f}",
            ", ".join(f"{n} {name}" for name, n in missed.items()) or "0",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


_WORST = ("centre_px", "distance_percent", "tilt_deg")


def main() -> None:
    """Make the sets, the references and the lines that are not there yet."""
    options = _parser().parse_args()
    setup = _setup(options)
    cases_file = setup.folder / "cases.jsonl"
    stored = [json.loads(text) for text in cases_file.read_text().splitlines()] if cases_file.exists() else []
    if options.print:
        print(HEAD, *map(line, stored), "", summary(stored), sep="\n")
        return
    for name in ("sets", "references"):
        (setup.folder / name).mkdir(parents=True, exist_ok=True)
    done = {_key(one) for one in stored}
    cases = [case for case in _cases(options) if _key(_identity(case, setup)) not in done]
    sets = {one.set_name: one for case in cases for one in (case, case.reference)}
    missing = {case.reference.name: case.reference for case in cases if not setup.reference(case).exists()}
    _each(simulate, sets.values(), setup, options.jobs, lambda folder: None)
    _each(make_reference, missing.values(), setup, options.jobs, lambda said: print(said, flush=True))
    print(HEAD, flush=True)

    def keep(result: dict[str, Any]) -> None:
        with cases_file.open("a") as file:
            file.write(json.dumps(result) + "\n")
        print(line(result), flush=True)

    _each(measure, cases, setup, options.jobs, keep)


def _each(
    work: Callable[[Case, Setup], Any], cases: Iterable[Case], setup: Setup, jobs: int, take: Callable[[Any], None]
) -> None:
    """Do something for each case, each in a process of its own, and take what comes; a failure ends that case only."""
    with multiprocessing.get_context("fork").Pool(jobs, timing.adopt_orphans, maxtasksperchild=1) as pool:
        waiting = [(case, pool.apply_async(work, (case, setup))) for case in cases]
        for case, result in waiting:
            try:
                take(result.get())
            except (IotaError, RuntimeError, OSError, ValueError, KeyError) as error:
                print(f"{case.name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def _identity(case: Case, setup: Setup) -> dict[str, Any]:
    """What distinguishes one line from another."""
    return {**asdict(case), "words": list(setup.words), "by_hand": setup.by_hand}


def _key(result: dict[str, Any]) -> str:
    names = (*Case.__dataclass_fields__, "words", "by_hand")
    return json.dumps([result[name] for name in names])


def _cases(options: argparse.Namespace) -> list[Case]:
    """All cases that were asked for, seed by seed, so that an early end leaves all rows."""
    return [
        Case(row, cell, crystal, seed, options.drift_hits if ROWS[row].drift_mm else options.hits, options.detector)
        for seed in options.seeds
        for crystal in options.crystals
        for row in options.rows or ROWS
        for cell in options.cells
    ]


def _setup(options: argparse.Namespace) -> Setup:
    return Setup(
        folder=options.folder.absolute(),
        keep=options.keep and options.keep.absolute(),
        n_processors=options.processors,
        words=tuple(options.words.split()),
        reference_words=tuple(options.reference_words.split()),
        by_hand=options.by_hand,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=_one_of(ROWS), help=f"of {', '.join(ROWS)} (all)")
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS, help="whether the cell is given (both)")
    parser.add_argument("--crystals", nargs="+", choices=CRYSTALS, default=["lysozyme"], help="(lysozyme)")
    parser.add_argument("--seeds", type=_numbers, default=[1, 2, 3], metavar="N,N-N", help="(1-3)")
    parser.add_argument("--hits", type=int, default=60, metavar="N", help="hits of a set (60)")
    parser.add_argument("--drift-hits", type=int, default=400, metavar="N", help="hits of a set that drifts (400)")
    parser.add_argument("--detector", choices=list(PILATUS), default="300k", help="of rows about one panel (300k)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="cases at a time (1)")
    parser.add_argument("--processors", type=int, default=1, metavar="N", help="processors of each run (1)")
    parser.add_argument("--words", default="", metavar="'NAME=VALUE ...'", help="parameters of the runs")
    parser.add_argument(
        "--reference-words",
        default="geometry.refine=off",
        metavar="'NAME=VALUE ...'",
        help="of the references (%(default)s)",
    )
    parser.add_argument(
        "--by-hand",
        type=int,
        default=0,
        metavar="N",
        help="runs with the parameters of the references; then N times iota.geometry and a run with its result",
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "geometry_table", help="(build/geometry_table)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the runs in DIR")
    parser.add_argument("--print", action="store_true", help="print what is in FOLDER, with a summary in Markdown")
    return parser


def _one_of(names: Iterable[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"there is no row {text}; known are {', '.join(names)}")
        return text

    return read


def _numbers(text: str) -> list[int]:
    """Numbers and ranges separated by commas."""
    parts = [part.split("-") for part in text.split(",")]
    return [number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)]


if __name__ == "__main__":
    main()
