"""Which hits of a run are searched with, and when."""

from __future__ import annotations

import msgspec
import pytest

from iota.geometry.search import are_few
from iota.records import FrameRef, FrameResult
from iota.refinement.searching import hits_of_run
from iota.runs import RunFolder


def made_run(folder, results):
    run = RunFolder(folder / "001")
    run.path.mkdir(exist_ok=True)
    run.ledger.write_bytes(b"".join(msgspec.json.encode(result) + b"\n" for result in results))
    return run


def frame(k, n_spots, outcome="failed_indexing", files=True):
    name = f"x_{k:04d}"
    kept = {"strong": f"dials/{name}_strong.refl", "experiments": f"dials/{name}_imported.expt"} if files else {}
    return FrameResult(
        frame=FrameRef("/data/x.nxs", k), name=name, outcome=outcome, n_spots=n_spots, files=kept, version=2
    )


def test_of_many_hits_the_same_are_taken_whatever_their_order(tmp_path):
    results = [frame(k, 10 + k) for k in range(200)]
    results += [frame(k, 5, "failed_triage", False) for k in range(200, 300)]
    results += [frame(300 + k, 500, "too_many_spots") for k in range(30)]
    chosen = hits_of_run(made_run(tmp_path, results), 60)
    numbers = [hit.frame.index for hit in chosen]
    assert len(set(numbers)) == 60 and min(numbers) >= 100 and max(numbers) < 200  # the half with more spots
    assert numbers != sorted(numbers)
    assert hits_of_run(made_run(tmp_path, results[::-1]), 60) == chosen
    # one with far more spots than all others, such as of salt, counts for one
    again = hits_of_run(made_run(tmp_path, [*results, frame(999, 100_000)]), 60)
    assert len({hit.frame for hit in again} & {hit.frame for hit in chosen}) >= 58


def test_all_of_few_hits_are_taken_with_the_files_that_were_kept(tmp_path):
    results = [frame(k, 20 + k) for k in range(3)] + [frame(3, 90, "integrated", False), frame(4, 3, "failed_triage")]
    run = made_run(tmp_path, results)
    hits = {hit.frame.index: hit for hit in hits_of_run(run, 60)}
    assert hits.keys() == {0, 1, 2, 3}
    assert hits[1].strong == str(run.path / "dials/x_0001_strong.refl")
    assert hits[1].experiments == str(run.path / "dials/x_0001_imported.expt")
    assert (hits[3].strong, hits[3].experiments) == ("", "")  # spots of integrated frames are found again
    assert hits_of_run(made_run(tmp_path, results[4:]), 60) == []


@pytest.mark.parametrize(
    ("n_lattices", "n_hits", "few"),
    [(0, 9, False), (0, 10, True), (9, 12, True), (10, 12, False), (24, 100, True), (25, 100, False)],
)
def test_a_search_is_for_runs_with_few_lattices(n_lattices, n_hits, few):
    assert are_few(n_lattices, n_hits) is few
