"""Run folders with records that were made up, for tests that need no frames."""

from collections import Counter

from iota.causes import Cause, why
from iota.geometry.drift.record import Course, DriftBlock, GeometryDrift, drift_sentence
from iota.records import FORMAT_VERSION, FrameRef, FrameResult, Lattice
from iota.runs import Ledger, RunFolder, RunState
from iota.runs.geometry_revisions import Proof, Revision


def new_folder(project, number=1):
    run = project / "integration" / f"{number:03d}"
    run.mkdir(parents=True)
    return RunFolder(run)


def lattice(n_integrated=100, a=79.2, **words):
    known = {
        "bravais": "tP",
        "space_group": "P 43 21 2",
        "unit_cell": (a, a, 38.1, 90.0, 90.0, 90.0),
        "a_matrix": (0.01,) * 9,
        "n_indexed": 50,
        "d_min_A": 2.0,
        "beam_centre_px": (1261.6, 1306.9),
        "beam_centre_mm": (217.0, 224.8),
        "distance_mm": 351.0,
        "pixel_size_mm": 0.172,
    }
    return Lattice(n_integrated=n_integrated, **(known | words))


def blank(k, n_spots=3, **words):
    return FrameResult(
        frame=FrameRef(f"/data/run 1/img_{k:05d}.cbf"),
        name=f"img_{k:05d}",
        outcome="failed_triage",
        cause=Cause.TOO_FEW_SPOTS,
        values={"n_spots": n_spots, "minimum": 10},
        n_spots=n_spots,
        seconds={"import": 0.25, "spotfinding": 0.5},
        finished=1.79e9 + k,
        version=FORMAT_VERSION,
        **words,
    )


def explained(result, cause, **values):
    """The same record, with a cause."""
    result.explain(why(cause, **values))
    return result


def hit(k, *lattices):
    return FrameResult(
        frame=FrameRef("/data/series_master.h5", k),
        name=f"series_{k + 1:05d}",
        outcome="integrated",
        settings="given lattice",
        n_spots=200,
        spots_d_min_A=1.9,
        lattices=list(lattices or [lattice()]),
        files={"experiments": f"dials/series_{k + 1:05d}.expt"},
        finished=1.79e9 + k,
        version=FORMAT_VERSION,
    )


def write(folder, results):
    with Ledger(folder.ledger) as ledger:
        for result in results:
            ledger.append(result)


def made_run(project, results, number=1, **state):
    """A run folder as iota.run leaves it, but for the files of its frames."""
    folder = new_folder(project, number)
    folder.write_info(["iota.run", "/data"], {"DIALS": "3.12"})
    folder.write_text(folder.script, "description = a made-up run\n")
    folder.write_text(folder.target, "dispatch.hit_finder.minimum_number_of_reflections = 10\n")
    folder.write_text(folder.log, "".join(f"{result.name}  {result.outcome}\n" for result in results))
    write(folder, results)
    counts = dict(Counter(result.outcome for result in results))
    known = {"status": "finished", "n_frames": len(results), "n_finished": len(results), "counts": counts}
    RunState(**(known | state)).write(folder.state)
    return folder


def revision(number, method, n_used, *, is_better=True, **proof):
    """A geometry that a run tried, compared on 24 hits."""
    known = {
        "n_hits": 24, "n_integrated_before": 24, "n_integrated_after": 24, "n_both": 24,
        "n_indexed_before": 4000, "n_indexed_after": 4100,
    }  # fmt: skip
    return Revision(
        number=number,
        method=method,
        reference=f"geometry/{number:03d}/refined.expt",
        finding=f"Finding {number}.",
        n_used=n_used,
        proof=Proof(**(known | proof), is_better=is_better),
    )


def drifting_distance():
    """The distance decreases in four blocks, and x stays."""
    drift = GeometryDrift(
        n_lattices=100,
        distance_mm=130.0,
        blocks=[DriftBlock(first=25 * k + 1, last=25 * k + 25, n_lattices=25) for k in range(4)],
        courses=[
            Course(
                name="shift x", measured_mm=[0.0, 0.001, -0.001, 0.0], uncertainty_mm=[0.002] * 4,
                followed_mm=[0.0] * 4, gain=0.0, is_significant=False, matters=False, change_mm=0.0,
                displacement_px=0.0,
            ),
            Course(
                name="distance", measured_mm=[0.095, 0.028, -0.033, -0.09], uncertainty_mm=[0.01] * 4,
                followed_mm=[0.09, 0.03, -0.03, -0.09], gain=90.0, is_significant=True, matters=True, change_mm=0.18,
                displacement_px=0.57,
            ),
        ],
    )  # fmt: skip
    drift.sentence = drift_sentence(drift)
    return drift
