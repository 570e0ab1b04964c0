"""iota.single_image, as a beamline control system would call it."""

import json
import os
import time

import h5py
import numpy as np
import pytest
from commands import LYSOZYME, command


@pytest.fixture(scope="module")
def hit(determined_run):
    return (determined_run.path / "integrated.lst").read_text().splitlines()[0]


@pytest.fixture(scope="module")
def blank(determined_run):
    return (determined_run.path / "failed_triage.lst").read_text().splitlines()[0]


def _report(*arguments, cwd):
    done = command("iota.single_image", *arguments, "--json", cwd=cwd)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_an_image_of_an_unknown_crystal_tells_its_lattice(hit, tmp_path):
    done = command("iota.single_image", hit, "--output_file", "results.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    words = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert float(words["CELL"][0]) == pytest.approx(79.2, rel=0.01)
    assert words["LATTICE"][0] == "tP"
    assert 1.3 < float(words["RESOLUTION"][0]) < 3
    n_spots, n_overloads, _, resolution, n_rings, *_ = words["__RESULTS__"]
    assert (n_spots, resolution) == (words["SPOTS"][0].rstrip(","), words["RESOLUTION"][0])
    assert (n_overloads, n_rings, words["ICE"]) == ("0", "0", ["RINGS", "none"])
    line = (tmp_path / "results.txt").read_text().split()
    assert line[:3] == ["0", n_spots, hit]
    assert line[3] == "P422"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.txt"]


def test_how_far_it_goes_is_said(hit, tmp_path):
    status, spots = _report(hit, "--action", "spotfind", cwd=tmp_path)
    assert (status, spots["outcome"], spots["unit_cell"]) == (0, "spots", None)
    assert 0 < spots["score"] <= spots["n_spots_no_ice"] <= spots["n_spots"]
    status, whole = _report(hit, "--action", "integrate", "--output_dir", "out", *LYSOZYME, cwd=tmp_path)
    assert (status, whole["outcome"], whole["n_spots"]) == (0, "integrated", spots["n_spots"])
    assert whole["lattices"][0]["n_integrated"] > 100
    assert (tmp_path / "out" / whole["files"]["reflections"]).is_file()
    assert "Integrating" in next((tmp_path / "out" / "logs").iterdir()).read_text()


def test_it_costs_less_than_a_second_besides_the_backend(hit, tmp_path):
    _, report = _report(hit, "--action", "integrate", *LYSOZYME, cwd=tmp_path)
    stages = sum(seconds for stage, seconds in report["seconds"].items() if stage != "total")
    assert report["seconds"]["total"] - stages < 1.0


def test_a_blank_ends_with_status_1_and_a_sentence(blank, tmp_path):
    done = command("iota.single_image", blank, cwd=tmp_path)
    assert done.returncode == 1
    assert "__ERRORS__" in done.stdout
    assert "at least 10 are needed" in done.stdout
    assert command("iota.single_image", blank, "--action", "spotfind", "--min_bragg", 0, cwd=tmp_path).returncode in (
        0,
        1,
    )


def test_several_images_side_by_side(hit, blank, tmp_path):
    done = command("iota.single_image", hit, blank, "--nproc", 2, "--json", "--action", "spotfind", cwd=tmp_path)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert {r["image"]: r["outcome"] for r in reports} == {hit: "spots", blank: "failed_triage"}
    assert done.returncode == 1


def test_waiting_for_an_image_ends(hit, tmp_path):
    start = time.monotonic()
    late = command("iota.single_image", "late.cbf", "--wait", 0.2, cwd=tmp_path)
    assert (late.returncode, "Traceback" in late.stderr) == (2, False)
    assert "There is no such image" in late.stderr
    (tmp_path / ".stop").touch()
    ended = command("iota.single_image", "late.cbf", "--wait", 300, "--termfile", ".stop", cwd=tmp_path)
    assert ended.returncode == 2
    assert "Stopped waiting" in ended.stderr
    assert time.monotonic() - start < 100


def test_an_image_that_comes_while_it_waits(hit, tmp_path):
    child = os.fork()
    if child == 0:
        time.sleep(4)
        os.link(hit, tmp_path / "late_1.cbf") if os.stat(hit).st_dev == os.stat(tmp_path).st_dev else os.symlink(
            hit, tmp_path / "late_1.cbf"
        )
        os._exit(0)
    status, report = _report("late_1.cbf", "--action", "spotfind", cwd=tmp_path)
    os.waitpid(child, 0)
    assert (status, report["outcome"]) == (0, "spots")


def test_what_does_not_exist_in_the_file_is_said(hit, tmp_path):
    status, report = _report(hit, "--index", 2, cwd=tmp_path)
    assert (status, report["outcome"], report["reason"]) == (1, "failed_import", "The file contains only 1 image.")


@pytest.fixture(scope="module")
def ice(tmp_path_factory):
    """A file of two stills of ice in lumps, without a crystal."""
    folder = tmp_path_factory.mktemp("ice")
    rare = ("--blank-fraction", 0, "--weak-fraction", 0, "--multi-fraction", 0, "--format", "nxs", "--silent")
    assert command("iota.simulate", "images", "-n", 2, "--seed", 8, *rare, cwd=folder).returncode == 0
    path = folder / "images" / "lyso_1.nxs"
    rng = np.random.default_rng(21)
    with h5py.File(path, "a") as file:
        data, good = file["entry/data/data"], file["entry/instrument/detector/pixel_mask"][()] == 0
        y, x = np.indices(good.shape)
        d_A = 0.98 / (2 * np.sin(0.5 * np.arctan(np.hypot(x - 474.7, y - 533.6) * 0.172 / 130)))
        rings = ((3.897, 8), (3.669, 6), (3.441, 7), (2.671, 2), (2.249, 4), (2.072, 2), (1.918, 2))
        ring = sum(height * np.exp(-(((d_A - at) / (0.006 * at)) ** 2) / 2) for at, height in rings)
        for k in range(len(data)):
            lumps = rng.poisson(np.clip(ring * rng.gamma(0.05, 20.0, good.shape), 0, 3000))
            data[k] = np.where(good, rng.poisson(4.0, good.shape) + lumps, data[k])
    return path


@pytest.mark.slow
def test_ice_without_a_crystal_has_no_lattice_as_in_a_run(ice, tmp_path):
    status, report = _report(ice, "--index", 2, cwd=tmp_path)
    assert (status, report["outcome"], report["unit_cell"]) == (1, "failed_indexing", None)
    assert report["n_spots"] > 50 and report["ice_rings_A"]
    done = command("iota.run", ice, "-n", 1, "--silent", cwd=tmp_path)
    assert done.returncode == 1
    lines = (tmp_path / "integration" / "001" / "frames.jsonl").read_text().splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["failed_indexing"] * 2
