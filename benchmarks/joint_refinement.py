"""CPU seconds and memory of a joint refinement of 64 panels, and where the time goes.

    .venv/bin/python benchmarks/joint_refinement.py [LATTICES ...] [--profile]

Synthetic spots, about 60 per lattice, 5 % of them outliers, on 64 panels in 16 groups that are displaced by 1 px, and
panels by 0.5 px.  Each number of lattices is refined in a process of its own, with a cell per lattice and with one
cell that all share; memory does not include what the spots were made with.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import cProfile
import multiprocessing
import pickle
import pstats
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from synthetic_stills import TETRAGONAL, displaced, modules, stills

from iota.geometry.joint import refine

IDEAL = modules(8, 8, 128, distance_mm=120.0, columns=2)


def make(path: Path, n_lattices: int) -> None:
    """Write spots of lattices."""
    true = displaced(displaced(IDEAL, 1, 1), 2, 1, px=0.5)
    parts = [stills(true, min(1000, n_lattices - first), first, d_min_A=2.3)[0] for first in range(0, n_lattices, 1000)]
    first = parts[0]
    starts = np.cumsum([0, *(part.n_lattices for part in parts)])
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("hkl", "panel", "xy_mm", "weight", "a_star", "s0", "cell_group", "time")
    }
    lattice = np.concatenate([part.lattice + start for part, start in zip(parts, starts, strict=False)]).astype(
        np.int32
    )
    all_of_them = replace(first, lattice=lattice, **joined, space_group=(TETRAGONAL[1],) * n_lattices)
    path.write_bytes(pickle.dumps(all_of_them))


def measure(path: Path, shared: bool, profile: bool) -> None:
    """Refine and print seconds, memory and what was found."""
    observed = pickle.loads(path.read_bytes())
    if shared:
        observed = replace(observed, cell_group=np.zeros(observed.n_lattices, dtype=int))
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    profiler = cProfile.Profile()
    start = time.process_time()
    result = profiler.runcall(refine, IDEAL, observed, (0, 1, 2)) if profile else refine(IDEAL, observed, (0, 1, 2))
    seconds = time.process_time() - start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{observed.n_lattices:6d} lattices {'one cell ' if shared else 'own cells'} {len(observed):8d} spots"
        f" {seconds:6.1f} CPU s, peak {peak_mb:5.0f} MB, of these {before_mb:4.0f} before,"
        f" rmsd {result.rmsd_before_px:.3f} to {result.rmsd_after_px:.3f} px",
        flush=True,
    )
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(12)


def main() -> None:
    """Measure each number of lattices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lattices", nargs="*", type=int, default=[10_000, 20_000])
    parser.add_argument("--profile", action="store_true", help="also print where the time goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for n_lattices in options.lattices:
            path = Path(folder) / "spots"
            for target, args in (
                (make, (path, n_lattices)),
                *((measure, (path, s, options.profile)) for s in (False, True)),
            ):
                process = multiprocessing.get_context("spawn").Process(target=target, args=args)
                process.start()
                process.join()


if __name__ == "__main__":
    main()
