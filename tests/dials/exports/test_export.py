"""iota.export: what it writes is opened by programs and libraries that others wrote."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cctbx import sgtbx
from cfel_fmt.crystfel_stream import parse_chunks
from cfel_fmt.geometry import load_crystfel_geometry
from commands import LYSOZYME, command
from dials.array_family import flex
from dxtbx.model import BeamFactory, DetectorFactory, Experiment, ExperimentList

from iota.engine.exports.crystfel_cell import LatticeWords, lattice_words
from iota.engine.exports.crystfel_geometry import (
    detector_shift_m,
    geometry_of,
    geometry_text,
    rotation_to_crystfel,
    scattering_vectors,
)
from iota.engine.exports.crystfel_stream import Header, blank_chunk
from iota.records import FrameRef
from iota.runs import RunFolder, read_ledger
from iota.runs.folder import new_staging_folder
from iota.runs.lists import read_list

# DIALS counts with photons that go some way into a sensor of 0.3 mm before they are seen, CrystFEL does not
_PARALLAX_PX = 0.75


@pytest.fixture(scope="module")
def run(known_run, tmp_path_factory):
    """A copy of a run, for it is written into."""
    project = tmp_path_factory.mktemp("export")
    return RunFolder(shutil.copytree(known_run.path, project / "integration" / "001"))


@pytest.fixture(scope="module")
def results(run):
    return sorted(read_ledger(run.ledger)[0], key=lambda result: result.frame)


@pytest.fixture(scope="module")
def exported(run):
    """Folder with all formats, in files of at most four lattices, and blanks in the stream."""
    done = command("iota.export", 1, "lattices_per_file=4", "chunks=all", cwd=run.path.parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    return run.path / "export" / "001"


@pytest.fixture(scope="module")
def chunks(exported):
    return list(parse_chunks(exported / "run.stream"))


def dials(program, *arguments, cwd):
    done = subprocess.run(
        [sys.executable, "-m", f"dials.command_line.{program}", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def projected(hkl, crystal, energy_eV, panel):
    """Fast and slow where CrystFEL's lab frame puts reflections on a panel of its geometry file, `[n, 2]`."""
    k = energy_eV / 1239.8419843  # 1/nm
    q = np.asarray(hkl) @ np.array([crystal["astar"], crystal["bstar"], crystal["cstar"]])
    along = -(q**2).sum(axis=1) / (2 * k)  # the smallest rotation onto the Ewald sphere, as DIALS predicts stills
    across = np.sqrt((q**2).sum(axis=1) - along**2) / np.hypot(*q[:, :2].T)
    ray = np.column_stack([q[:, 0] * across, q[:, 1] * across, k + along])
    corner = np.array([panel["cnx"], panel["cny"], (panel["clen"] + panel["coffset"]) * panel["res"]])
    fast, slow = (np.array([panel[axis + x] for x in "xyz"]) for axis in ("fs", "ss"))
    matrix = np.stack([np.broadcast_to(fast, ray.shape), np.broadcast_to(slow, ray.shape), -ray], axis=2)
    found = np.linalg.solve(matrix, np.broadcast_to(-corner, ray.shape)[..., None])[..., 0]
    return found[:, :2] + [panel["orig_min_fs"], panel["orig_min_ss"]]


def distances_px(stream, geometry):
    """How far each reflection of a stream is from where its orientation and the geometry put it."""
    panels = load_crystfel_geometry(geometry).detector["panels"]
    found = []
    for chunk in parse_chunks(stream):
        for crystal in chunk["crystals"]:
            for name, rows in crystal["reflections"].groupby("panel"):
                put = projected(rows[["h", "k", "l"]], crystal, float(chunk["photon_energy_eV"]), panels[name])
                found += np.linalg.norm(put - rows[["fs/px", "ss/px"]].to_numpy(), axis=1).tolist()
    return np.array(found)


def test_composite_files_hold_every_lattice_once(exported, results):
    lattices = sum(len(result.lattices) for result in results if result.outcome == "integrated")
    files = sorted(exported.glob("integrated_*.expt"))
    assert len(files) == -(-lattices // 4)
    names, n_reflections = [], 0
    for path in files:
        experiments = ExperimentList.from_file(str(path), check_format=False)
        table = flex.reflection_table.from_file(str(path.with_suffix(".refl")))
        assert len(experiments) <= 4
        assert len(experiments.detectors()) == len(experiments.beams()) == 1  # shared, for they are equal
        assert dict(table.experiment_identifiers()) == dict(enumerate(experiments.identifiers()))
        assert set(table["id"]) == set(range(len(experiments)))
        assert "shoebox" not in table
        assert table.get_flags(table.flags.integrated_sum).count(True) > 0.9 * len(table)
        names += list(experiments.identifiers())
        n_reflections += len(table)
    assert len(set(names)) == lattices
    assert {name.rpartition(":")[0] for name in names} == {r.name for r in results if r.outcome == "integrated"}
    assert n_reflections == sum(lattice.n_integrated for result in results for lattice in result.lattices)


def test_dials_shows_and_scales_composite_files(exported, tmp_path):
    files = [exported / f"integrated_{k:03d}.{ending}" for ending in ("expt", "refl") for k in (1, 2)]
    said = dials("show", *files, cwd=tmp_path)
    n_lattices = sum(len(ExperimentList.from_file(str(path), check_format=False)) for path in files[:2])
    assert said.count("Crystal:") == n_lattices and "P 43 21 2" in said
    # a seventh of the time of the defaults, which nothing here depends on
    quick = ("model=KB", "KB.decay_correction=False", "error_model=None", "full_matrix=False", "output.html=None")
    said = dials("scale", *files, *quick, cwd=tmp_path)
    assert len(ExperimentList.from_file(str(tmp_path / "scaled.expt"), check_format=False)) == n_lattices, said


def test_a_stream_is_read_by_those_who_made_the_format(exported, chunks, results):
    by_path = {chunk["Image filename"]: chunk for chunk in chunks}
    assert [chunk["Image serial number"] for chunk in chunks] == [str(k + 1) for k in range(len(chunks))]
    assert (exported / "run.stream").read_text().startswith("CrystFEL stream format 2.3\n")
    for result in results:
        chunk = by_path[result.frame.path]
        assert chunk["Event"] == "//"
        assert chunk["hit"] == ("0" if result.outcome in ("failed_triage", "failed_spotfinding") else "1")
        assert chunk["indexed_by"] == ("debug" if result.lattices else "none")
        assert len(chunk["crystals"]) == len(result.lattices)
        assert int(chunk["num_peaks"]) == len(chunk["peaks"])
        for crystal, lattice in zip(chunk["crystals"], result.lattices, strict=True):
            assert 10 * crystal["Cell parameters/lengths"] == pytest.approx(lattice.unit_cell[:3], abs=1e-3)
            words = [crystal[name] for name in ("lattice_type", "centering", "unique_axis")]
            assert words == ["tetragonal", "P", "c"]
            assert int(crystal["num_reflections"]) == len(crystal["reflections"])
            assert len(crystal["reflections"]) == pytest.approx(lattice.n_integrated, rel=0.01)
            assert crystal["predict_refine/det_shift"] == pytest.approx([0, 0])
            limit_A = float(crystal["diffraction_resolution_limit"].split()[-2])
            assert limit_A == pytest.approx(lattice.d_min_A, rel=0.1)


def test_intensities_of_a_stream_are_those_of_dials(chunks, results, run):
    result = next(result for result in results if result.lattices)
    (crystal,) = next(c for c in chunks if c["Image filename"] == result.frame.path)["crystals"]
    table = flex.reflection_table.from_file(str(run.path / result.files["reflections"]))
    of_hkl = {hkl: k for k, hkl in enumerate(table["miller_index"])}
    rows = crystal["reflections"]
    numbers = [of_hkl[tuple(hkl)] for hkl in rows[["h", "k", "l"]].to_numpy().tolist()]
    for name, column in (("I", "intensity.sum.value"), ("background", "background.mean")):
        assert rows[name].to_numpy() == pytest.approx(table[column].as_numpy_array()[numbers], abs=0.006)
    variances = table["intensity.sum.variance"].as_numpy_array()[numbers]
    assert rows["sigma(I)"].to_numpy() == pytest.approx(np.sqrt(variances), abs=0.006)


def test_orientations_of_a_stream_put_reflections_where_they_are(exported, chunks):
    distances = distances_px(exported / "run.stream", exported / "run.geom")
    assert len(distances) > 3000
    assert distances.max() < _PARALLAX_PX
    for chunk in chunks:
        for crystal in chunk["crystals"]:
            axes = [crystal["astar"], crystal["bstar"], crystal["cstar"]]
            assert np.linalg.det(axes) * 79.2**2 * 38.1 / 1000 == pytest.approx(1, rel=0.02)  # and right-handed


def test_orientations_of_real_stills_put_reflections_where_they_are(known_thaumatin_run, tmp_path):
    ignored = shutil.ignore_patterns("merge", "export")
    run = shutil.copytree(known_thaumatin_run.path, tmp_path / "integration" / "001", ignore=ignored)
    done = command("iota.export", run, "format=crystfel", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    distances = distances_px(run / "export" / "001" / "run.stream", run / "export" / "001" / "run.geom")
    assert len(distances) > 10_000
    assert distances.max() < _PARALLAX_PX


def test_resolutions_of_peaks_are_those_of_their_indices(chunks):
    for chunk in chunks:
        for crystal in chunk["crystals"]:
            table = crystal["reflections"]
            q = np.linalg.norm(
                table[["h", "k", "l"]] @ np.array([crystal["astar"], crystal["bstar"], crystal["cstar"]]), axis=1
            )
            for _, peak in chunk["peaks"].iterrows():
                near = np.hypot(table["fs/px"] - peak["fs/px"], table["ss/px"] - peak["ss/px"])
                if near.min() < 1:
                    assert peak["(1/d)/nm^-1"] == pytest.approx(q[near.argmin()], abs=0.05)


def test_what_was_written_is_written_down(exported, run, results):
    said = json.loads((exported / "export.json").read_text())
    written = {path.name for path in exported.iterdir()} - {"export.json", "export.phil"}
    assert {file["name"] for file in said["files"]} == written
    assert said["n_lattices"] == sum(len(result.lattices) for result in results)
    assert said["n_chunks"] == len(results)
    assert said["versions"]["DIALS"].startswith("DIALS ")
    assert said["run"] == str(run.path) and said["space_group"] == "P 43 21 2" and said["remarks"] == []
    integrated = [result.frame for result in results if result.outcome == "integrated"]
    assert read_list(exported / "integrated.lst") == integrated
    assert (exported / "crystfel.lst").read_text().splitlines() == [frame.path for frame in integrated]
    cell = (exported / "run.cell").read_text().splitlines()
    assert cell[0] == "CrystFEL unit cell file version 1.0"
    assert {"lattice_type = tetragonal", "unique_axis = c", "centering = P"} <= set(cell)


def test_a_run_that_goes_on_a_selection_and_another_export(exported, run, results):
    state = json.loads(run.state.read_text())
    chosen = [result for result in results if result.outcome == "integrated"][:2]
    (run.path / "some.lst").write_text("".join(f"{result.frame}\n" for result in chosen))
    try:
        run.state.write_text(json.dumps(state | {"status": "queued"}))
        done = command(
            "iota.export", run.path, "format=crystfel+lists", f"frames={run.path / 'some.lst'}", cwd=run.path
        )
    finally:
        run.state.write_text(json.dumps(state))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The run is still in progress" in done.stdout
    folder = run.path / "export" / "002"
    assert {path.name for path in folder.iterdir()} == {
        *("run.stream", "run.geom", "run.cell", "integrated.lst", "crystfel.lst", "export.json", "export.phil")
    }
    assert [chunk["Image filename"] for chunk in parse_chunks(folder / "run.stream")] == [r.frame.path for r in chosen]
    assert exported.is_dir()  # nothing of before is replaced


def test_a_damaged_file_costs_its_image_only(run, results, tmp_path):
    shutil.copytree(run.path, tmp_path / "integration" / "001", ignore=shutil.ignore_patterns("export"))
    result, *others = [result for result in results if result.outcome == "integrated"]
    (tmp_path / "integration" / "001" / result.files["reflections"]).write_bytes(b"\x00")
    done = command("iota.export", 1, "format=dials", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 image excluded" in done.stdout
    said = json.loads((tmp_path / "integration" / "001" / "export" / "001" / "export.json").read_text())
    assert said["n_frames"] == len(others)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_an_export_that_is_ended_leaves_nothing_that_looks_complete(run, tmp_path, sent):
    copy = shutil.copytree(run.path, tmp_path / "integration" / "001", ignore=shutil.ignore_patterns("export"))
    records = [json.loads(line) for line in (copy / "frames.jsonl").read_text().splitlines()]
    many = (  # half a minute's work: other images, since each counts once
        record
        | {"name": f"{record['name']}_{k}", "frame": record["frame"] | {"path": f"{k or ''}{record['frame']['path']}"}}
        for k in range(300)
        for record in records
    )
    (copy / "frames.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in many))
    program = Path(sys.executable).with_name("iota.export")
    with subprocess.Popen([program, copy], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        began = time.monotonic()
        while not list(copy.glob("export/.*/run.stream")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() - began < 60
            time.sleep(0.05)
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
    left = list((copy / "export").iterdir())
    if sent == signal.SIGTERM:
        assert process.returncode == 130 and "what was written has been removed" in said
        assert not left
    else:  # nobody can clean up: what is left is hidden, and removed by an export on a later day
        assert [path.name.startswith(".") for path in left] == [True]
        os.utime(left[0], (0, 0))
        assert new_staging_folder(copy / "export").is_dir() and not left[0].exists()


def test_lattices_that_share_an_image_and_files_of_many_images(tmp_path):
    fractions = ("--blank-fraction", 0, "--weak-fraction", 0, "--multi-fraction", 1)
    done = command("iota.simulate", "images", "-n", 4, "--seed", 5, "--format", "nxs", *fractions, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    more = ("indexing.multiple_lattice_search.max_lattices=2",)
    done = command("iota.run", tmp_path / "images", "-n", 2, *LYSOZYME, *more, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    done = command("iota.export", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    run = tmp_path / "integration" / "001"
    results = read_ledger(run / "frames.jsonl")[0]
    assert max(len(result.lattices) for result in results) == 2, [len(result.lattices) for result in results]
    folder = run / "export" / "001"
    by_event = {chunk["Event"]: chunk for chunk in parse_chunks(folder / "run.stream")}
    for result in results:
        if result.lattices:
            assert len(by_event[f"//{result.frame.index}"]["crystals"]) == len(result.lattices)
    assert distances_px(folder / "run.stream", folder / "run.geom").max() < _PARALLAX_PX
    experiments = ExperimentList.from_file(str(folder / "integrated_001.expt"), check_format=False)
    assert len(experiments) == len(set(experiments.identifiers())) == sum(len(r.lattices) for r in results)
    panels = load_crystfel_geometry(folder / "run.geom").detector["panels"]
    assert panels["p0"]["data"] == "/entry/data/data" and panels["p0"]["dim_structure"] == ["%", "ss", "fs"]
    events = {f"//{result.frame.index}" for result in results if result.lattices}
    assert {line.split(" ")[1] for line in (folder / "crystfel.lst").read_text().splitlines()} == events


def test_images_with_diffraction_but_no_lattice_are_in_the_stream_alone(lysozyme, results, tmp_path):
    numbers = sorted(lattice.n_integrated for result in results for lattice in result.lattices)
    limits = ("filter.flag_on=True", f"filter.min_reflections={numbers[-2]}")  # a filter that two images pass
    only = (f"cctbx_xfel.{limit}" for limit in limits)
    done = command("iota.run", lysozyme, "-n", 2, *LYSOZYME, *only, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    done = command("iota.export", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    run = RunFolder(tmp_path / "integration" / "001")
    hits = {result.frame.path: result for result in read_ledger(run.ledger)[0] if result.outcome != "failed_triage"}
    folder = run.path / "export" / "001"
    chunks = list(parse_chunks(folder / "run.stream"))
    assert {chunk["Image filename"] for chunk in chunks} == set(hits)
    for chunk in chunks:
        result = hits[chunk["Image filename"]]
        assert chunk["hit"] == "1" and len(chunk["crystals"]) == len(result.lattices)
        if result.outcome != "integrated":
            assert chunk["indexed_by"] == "none" and int(chunk["num_peaks"]) == result.n_spots
    assert sum(bool(chunk["crystals"]) for chunk in chunks) == len(read_list(folder / "integrated.lst")) < len(chunks)


def test_what_cannot_be_handed_over_gets_a_sentence(exported, run, results):
    before = sorted(exported.parent.iterdir())
    blanks = run.path / "blanks.lst"
    blanks.write_text("".join(f"{result.frame}\n" for result in results if result.outcome != "integrated"))
    two = run.path / "two.lst"  # neither has the mean cell
    two.write_text("".join(f"{frame}\n" for frame in read_list(exported / "integrated.lst")[:2]))
    for arguments, words in (
        (("1", f"frames={blanks}"), "nothing to export"),
        (("1", "format=xds"), "xds"),
        (("1", "format=None"), "No format was chosen"),
        (("1", f"frames={two}", "lattices=consensus", "uc_tolerance=0"), "No lattice is left to export"),
        (("1", "chunk=all"), "no parameter named export.chunk"),
        (("99",), "is not a run folder"),
        ((), "takes one run"),
    ):
        done = command("iota.export", *arguments, cwd=run.path.parents[1])
        assert done.returncode == 2, (arguments, done.stdout)
        assert words in done.stderr and "Traceback" not in done.stderr, (arguments, done.stderr)
    assert sorted(exported.parent.iterdir()) == before


# -- geometry that no simulated run has


def experiment(s0=(0, 0, -1), normal=(0, 1, 0)):
    """Two tilted panels, of which the second is to the right of the first, and a beam."""
    beam = BeamFactory.make_polarized_beam(unit_s0=s0, wavelength=1.2, polarization=normal, polarization_fraction=0.99)
    detector = DetectorFactory.simple(
        sensor="PAD",
        distance=100,
        beam_centre=(30, 40),
        fast_direction="+x",
        slow_direction="-y",
        pixel_size=(0.1, 0.1),
        image_size=(500, 700),
    )
    other = detector.add_panel(detector[0])
    tilt = np.radians(4)
    other.set_frame((np.cos(tilt), 0, -np.sin(tilt)), (0, -1, 0), (25.0, 41.0, -98.0))
    return Experiment(beam=beam, detector=detector)


@pytest.mark.parametrize(
    ("s0", "normal"),
    [((0, 0, -1), (0, 1, 0)), ((0, 0, 1), (0, 1, 0)), ((0.01, -0.02, -1), (1, 0, 0)), ((1, 0, 0), (1, 0, 0))],
)
def test_the_frame_of_crystfel_has_z_along_the_beam_and_y_across_the_polarisation(s0, normal):
    rotation = rotation_to_crystfel(np.array(s0, dtype=float), np.array(normal, dtype=float))
    assert rotation @ rotation.T == pytest.approx(np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1)  # a mirror would invert the hand of all structures
    assert rotation @ s0 == pytest.approx([0, 0, np.linalg.norm(s0)])
    if abs(np.dot(s0, normal)) < 0.5:
        assert (rotation @ normal)[1] == pytest.approx(1, abs=1e-3)


def test_resolution_on_tilted_panels_is_that_of_dxtbx(tmp_path):
    tilted = experiment(s0=(0.01, -0.02, -1))
    geometry = geometry_of(tilted)
    (tmp_path / "two.geom").write_text(geometry_text(geometry))
    panels = load_crystfel_geometry(tmp_path / "two.geom").detector["panels"]
    for k, panel in enumerate(tilted.detector):
        for fast, slow in ((0, 0), (500, 0), (12.5, 333.25), (499.5, 700)):
            q = scattering_vectors(geometry, np.array([k]), np.array([[fast, slow]], dtype=float))[0]
            d_A = panel.get_resolution_at_pixel(tilted.beam.get_s0(), (fast, slow))
            assert 1 / np.linalg.norm(q) == pytest.approx(d_A, rel=1e-6)
            # the same through the file, as its own library reads it
            energy = 12398.419843 / 1.2
            crystal = {"astar": 10 * q, "bstar": np.zeros(3), "cstar": np.zeros(3)}
            put = projected([[1, 0, 0]], crystal, energy, panels[f"p{k}"])[0]
            assert put == pytest.approx([fast, slow + 700 * k], abs=1e-2)  # modules of a stack lie one after the other


def test_a_geometry_of_many_panels_fits_into_a_stream():
    geometry = geometry_of(experiment())
    levels = tuple(np.arange(256) // n for n in (256, 64, 2, 1))  # quadrants, and sensors of two chips
    panels = [geometry.panels[1]._replace(name=f"p{k}") for k in range(256)]
    in_stream = geometry_text(geometry._replace(panels=panels, levels=(levels[0], levels[-1])))
    assert "group_all = p0,p1,p2," in in_stream
    assert len(in_stream) < 64 * 1024  # more than that CrystFEL does not read
    whole = geometry_text(geometry._replace(panels=panels, levels=levels))
    assert "group_level2_127 = p254,p255\n" in whole and "group_all = level1_0,level1_1,level1_2,level1_3\n" in whole


def test_a_detector_that_moved_is_where_the_geometry_and_its_shift_say():
    before, after = experiment(), experiment()
    for panel in after.detector:
        x, y, z = panel.get_origin()
        panel.set_frame(panel.get_fast_axis(), panel.get_slow_axis(), (x + 0.3, y + 0.2, z))
    shift_mm = 1000 * detector_shift_m(geometry_of(after), geometry_of(before))
    assert shift_mm == pytest.approx([-0.3, 0.2])  # x of CrystFEL is -x of DIALS, y is y
    blank = blank_chunk(Header(FrameRef("/data/x_master.h5", 7), 3, is_hit=False), geometry_of(before))
    assert "Event: //7\n" in blank and "hit = 0\n" in blank and "num_peaks = 0\n" in blank


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("P1", ("triclinic", "P", "*")),
        ("C2", ("monoclinic", "C", "b")),
        ("P 1 1 21", ("monoclinic", "P", "c")),
        ("C2221", ("orthorhombic", "C", "*")),
        ("I4", ("tetragonal", "I", "c")),
        ("P321", ("hexagonal", "P", "c")),
        ("R32:H", ("hexagonal", "H", "c")),
        ("R32:R", ("rhombohedral", "R", "*")),
        ("F432", ("cubic", "F", "*")),
    ],
)
def test_lattices_in_the_words_of_crystfel(symbol, words):
    assert lattice_words(sgtbx.space_group_info(symbol).group()) == LatticeWords(*words)
