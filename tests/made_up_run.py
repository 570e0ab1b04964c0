"""A run that nobody processed: records of all outcomes with plausible figures, the same each time."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec

from iota.causes import Cause, why
from iota.causes.templates import names_of
from iota.records import FrameRef, FrameResult, Lattice
from iota.runs import RunFolder, RunState
from iota.runs.lists import write_input_list

_FAILURES = (
    Cause.NO_LATTICE,
    Cause.RMSD_TOO_HIGH,
    Cause.NOT_SIGNIFICANT,
    Cause.TOO_FEW_REFLECTIONS,
    Cause.TOO_SLOW,
    Cause.MEMORY_LIMIT,
    Cause.PIXELS_DAMAGED,
)


def result(k: int) -> FrameResult:
    """Record of the frame number ``k``: six in ten blank, three integrated, every tenth of these of another form."""
    rng = random.Random(k)
    file, index = divmod(k, 1000)
    frame = FrameRef(f"/data/run_{file:04d}_master.h5", index)
    made = FrameResult(frame=frame, name=f"run_{file:04d}_master_{index + 1:05d}", outcome="failed_triage")
    made.seconds, made.finished = {"import": 0.01, "spotfinding": 0.02}, 1.79e9 + 0.05 * k
    kind = k % 10
    if kind < 6:
        made.n_spots = rng.randrange(10)
        made.explain(why(Cause.TOO_FEW_SPOTS, n_spots=made.n_spots, minimum=10))
    elif kind < 7:
        cause, n = _FAILURES[k // 10 % len(_FAILURES)], rng.randrange(1, 199)
        known = {"rmsd_px": n + 0.5, "n_integrated": n, "minimum": 200}
        made.explain(why(cause, **{name: known[name] for name in names_of(cause.template)}))
        made.outcome, made.n_spots = cause.outcome, rng.randrange(10, 200)
    else:
        made.outcome, made.settings, made.n_spots = "integrated", "given", rng.randrange(40, 900)
        made.lattices = [_lattice(rng, is_other=k % 100 in (47, 48, 49))]
    return made


def _lattice(rng: random.Random, is_other: bool) -> Lattice:
    a = rng.gauss(79.2, 0.1)
    return Lattice(
        bravais="oP" if is_other else "tP",
        space_group="P 2 2 2" if is_other else "P 4 2 2",
        unit_cell=(60.0, 70.0, rng.gauss(50.0, 0.02), 90.0, 90.0, 90.0)
        if is_other
        else (a, a, rng.gauss(38.1, 0.05), 90.0, 90.0, 90.0),
        a_matrix=(0.0,) * 9,
        n_indexed=rng.randrange(30, 300),
        n_integrated=rng.randrange(100, 900),
        n_strong=rng.randrange(20, 300),
        rmsd_px=round(abs(rng.gauss(0.8, 0.2)), 2),
        d_min_A=round(rng.gauss(2.0, 0.15), 3),
        d_max_A=25.0,
        wilson_b_A2=round(rng.gauss(24, 5), 2),
        beam_centre_mm=(round(rng.gauss(100, 0.08), 4), round(rng.gauss(90, 0.06), 4)),
        beam_centre_px=(1000.0, 900.0),
        distance_mm=round(rng.gauss(130, 0.1), 3),
        wavelength_A=1.0,
        pixel_size_mm=0.1,
    )


def add(folder: RunFolder, first: int, n: int) -> None:
    """Append records to the ledger."""
    with folder.ledger.open("ab") as file:
        for k in range(first, first + n):
            file.write(msgspec.json.encode(result(k)) + b"\n")


def finished_run(project: Path, n: int) -> RunFolder:
    """A run of ``n`` frames."""
    folder = RunFolder.create(project)
    folder.write_info(["iota.run", "/data"], {})
    folder.write_text(folder.script, "description = made up\n")
    folder.write_text(folder.log, "")
    write_input_list(folder, (result(k).frame for k in range(n)))
    add(folder, 0, n)
    RunState(status="finished", n_frames=n, n_finished=n).write(folder.state)
    return folder
