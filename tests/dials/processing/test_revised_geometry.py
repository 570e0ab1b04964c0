"""A run finds or refines its geometry with its first hits, shows that it is better with others, and uses it for all."""

from __future__ import annotations

import json
import re

import pytest
from commands import LYSOZYME, command

import iota.api
from iota.engine.geometry.detector import panels_of
from iota.engine.images.image import load_reference_geometry
from iota.runs import RunFolder, iterate_ledger
from iota.runs.geometry_revisions import read_revisions
from iota.runs.withdrawn import WithdrawnRecords
from iota.simulate import geometry_accuracy, read_detector

_SET = ("-n", 36, "--detector", "300k", "--distance", 110, "--blank-fraction", 0, "--weak-fraction", 0)


def _images(folder, *wrong):
    done = command("iota.simulate", "images", *_SET, "--multi-fraction", 0, "--format", "nxs", *wrong, cwd=folder)
    assert done.returncode == 0, done.stderr


def _run(folder, *more):
    done = command("iota.run", "images", "-n", 2, *more, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return RunFolder.open(max((folder / "integration").iterdir())), " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def off_centre(tmp_path_factory):
    """A set with a beam centre that is 3.6 px off, where no image can be indexed, and a run of it."""
    folder = tmp_path_factory.mktemp("off_centre")
    _images(folder, "--seed", 3, "--wrong-beam", "3,-2")
    return folder, *_run(folder, *LYSOZYME)


def test_a_wrong_beam_centre_is_found_and_all_hits_are_integrated(off_centre):
    folder, run, said = off_centre
    records = list(iterate_ledger(run.ledger))
    assert len(records) == 36
    assert sum(record.outcome == "integrated" for record in records) >= 34
    revisions = read_revisions(run)
    first = revisions.revisions[0]
    assert (first.method, first.proof.n_integrated_before, first.proof.is_better) == ("search", 0, True)
    assert first.proof.n_integrated_after >= first.proof.n_hits - 1
    assert revisions.over
    assert revisions.is_drift_checked
    panels = panels_of(load_reference_geometry(str(run.path / revisions.in_use.reference)))
    accuracy = geometry_accuracy(panels.origin_mm, panels.fast, panels.slow, read_detector(folder / "images"))
    assert max(map(abs, accuracy.centre_px)) < 0.1
    assert len({record.lattices[0].beam_centre_px for record in records if record.lattices}) == 1
    # people are told
    assert first.finding in said
    assert f"{first.proof.n_hits} other hits: 0 → {first.proof.n_integrated_after} integrated" in said
    assert f"{first.finding} {first.sentence}" in run.log.read_text()
    facts = {fact.name: fact.text for fact in iota.api.open_run(run.path).facts()}
    assert facts["given_geometry"] == first.finding
    assert facts["revision_search"].startswith("found with the spots of 16 hits; on 8 other hits: 0 → ")
    geom = (run.path / first.folder / "found.geom").read_text()
    masks = [line.split("=")[1].strip() for line in geom.splitlines() if re.match(r"mask\d*_file", line)]
    assert masks
    assert all((run.path / first.folder / mask).is_file() for mask in masks)
    record = json.loads((run.path / first.folder / "geometry_search.json").read_text())
    assert record["result"]["changed"]
    # and nothing is left of the results with the wrong geometry but their records
    before = WithdrawnRecords(run.path / first.frames_before)
    assert 24 <= len(before) <= 36  # others waited for the search
    assert not {record.outcome for record in before.values()} & {"integrated"}
    used = {file for record in records for file in record.files.values()}
    assert {f"dials/{path.name}" for path in (run.path / "dials").iterdir()} <= used


def test_a_given_geometry_is_kept(off_centre):
    folder, run, _ = off_centre
    reference = run.path / read_revisions(run).in_use.reference
    given, _ = _run(folder, *LYSOZYME, f"advanced.reference_geometry={reference}")
    assert read_revisions(given).revisions == []
    assert sum(record.outcome == "integrated" for record in iterate_ledger(given.ledger)) >= 34
