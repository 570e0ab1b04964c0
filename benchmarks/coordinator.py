"""How many finished frames a second the coordinator, the ledger, the lists and the summary keep up with.

    .venv/bin/python benchmarks/coordinator.py [FRAMES]

A made-up engine answers at once: half blanks, half integrated frames with the record that a real one has.  Prints the
rate, the memory for each frame, and how long a resumed run takes to start.
"""

from __future__ import annotations

import concurrent.futures
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from iota.causes import Cause
from iota.engine.frame.bundle import run_bundle
from iota.inputs import Inputs
from iota.params import read
from iota.processing.run import Run
from iota.records import FrameRef, FrameResult, Lattice, Report, Task
from iota.runs import RunFolder
from iota.runs.determination import DeterminedLattice

WANTED_PER_S = 3500
WANTED_BYTES = 1000
WANTED_START_S = 20

LATTICE = Lattice(
    bravais="tP",
    space_group="P 43 21 2",
    unit_cell=(79.21, 79.21, 38.09, 90.0, 90.0, 90.0),
    unit_cell_esd=(0.01, 0.01, 0.01, 0.0, 0.0, 0.0),
    a_matrix=(
        0.01041133,
        0.0061639,
        -0.00464987,
        -0.01279594,
        0.0096048,
        -0.00234302,
        0.00459937,
        0.01276871,
        0.00400711,
    ),
    n_indexed=120,
    n_integrated=640,
    n_strong=210,
    rmsd_px=0.8,
    d_min_A=1.9,
    d_max_A=50.0,
    wilson_b_A2=22.0,
    half_mosaicity_deg=0.05,
    domain_size_A=1500.0,
    beam_centre_mm=(210.0, 220.0),
    beam_centre_px=(1220.0, 1280.0),
    distance_mm=150.0,
    wavelength_A=0.98,
    pixel_size_mm=0.172,
    files={"pickle": "final/int_x.pickle"},
)


class AtOnce:
    """Workers that have the answer as soon as they are asked."""

    n_processes = 64

    def submit(self, tasks: Sequence[Task]) -> concurrent.futures.Future[list[Report]]:
        future: concurrent.futures.Future[list[Report]] = concurrent.futures.Future()
        future.set_result(run_bundle(self._do, tasks))
        return future

    def _do(self, task: Task) -> FrameResult:
        result = FrameResult(frame=task.frame, name=task.name, outcome="failed_triage", n_spots=2)
        result.cause, result.values = Cause.TOO_FEW_SPOTS, {"n_spots": 2, "minimum": 10}
        result.seconds = {"import": 0.0123, "spotfinding": 0.4321}
        if int(task.name[-1]) < 5:
            a = 79.21 + 0.0001 * (len(task.name) % 7)
            lattice = msgspec.structs.replace(LATTICE, unit_cell=(a, a, 38.09, 90.0, 90.0, 90.0))
            result.outcome, result.cause, result.values, result.lattices = "integrated", None, {}, [lattice]
            result.settings = "given lattice"
            result.files = {"experiments": f"dials/{task.name}_integrated.expt", "log": f"logs/{task.name}.log"}
        return result

    def stop(self) -> None:
        pass


class Nobody:
    """Looks at nothing."""

    def progress(self, *_: object) -> None:
        pass

    def determined(self, lattice: DeterminedLattice) -> None:
        pass

    def note(self, text: str) -> None:
        pass


def memory_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        parameters = read([], ["target_unit_cell=79.2 79.2 38.1 90 90 90", "target_space_group=P43212"])
        before = memory_bytes()
        frames = [FrameRef(f"/data/visit/sample/run_{k // 100000}/img_{k:07d}.cbf") for k in range(n)]
        start = time.perf_counter()
        run = Run.create(RunFolder.create(Path(name)), parameters, Inputs(frames, [], []), [], {})
        run.execute(Nobody(), AtOnce())
        spent = time.perf_counter() - start
        per_frame = (memory_bytes() - before) / n
        start = time.perf_counter()
        again = Run.resume(run.folder)
        to_resume = time.perf_counter() - start
        ok = (n / spent >= WANTED_PER_S, per_frame <= WANTED_BYTES, to_resume <= WANTED_START_S)
        assert again.n_finished == n
        print(f"{n} frames in {spent:.1f} s: {n / spent:.0f} per second (required: {WANTED_PER_S}), on one core")
        print(f"memory: {per_frame:.0f} bytes per frame, including the paths of the frames (required: {WANTED_BYTES})")
        print(f"a resumed run starts after {to_resume:.1f} s (required: {WANTED_START_S})")
        print("as required" if all(ok) else "NOT as required")
        return 0 if all(ok) else 1


if __name__ == "__main__":
    sys.exit(main())
