"""iota.geometry: a distance that is 1 % wrong is found; what is written is read by IOTA, DIALS and as for CrystFEL."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import LYSOZYME, command
from dials.array_family import flex
from dxtbx import flumpy
from dxtbx.model import Detector, ExperimentList

from iota.engine.exports.given_geometry import GivenGeometry
from iota.engine.geometry.bad_pixels import bad_pixels
from iota.engine.geometry.detector import panels_of, with_panels
from iota.engine.geometry.observations import OTHER_DETECTOR, OTHER_INDICES, StillFiles, read_stills
from iota.engine.geometry.reference import write_geom
from iota.engine.images.crystfel_images import crystfel_images
from iota.engine.images.image import load_reference_geometry
from iota.engine.images.masks import write_mask
from iota.errors import UsageError
from iota.inputs.crystfel.geometry import read_geometry
from iota.records import FrameRef
from iota.refinement.sources import pair_files
from iota.runs import RunFolder, read_ledger

TRUE_MM = 130.0
WRONG_MM = 131.3


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run over 16 hits with the cell given and the distance 1 % wrong."""
    folder = tmp_path_factory.mktemp("geometry")
    fractions = ("--blank-fraction", 0, "--weak-fraction", 0, "--multi-fraction", 0)
    done = command("iota.simulate", "images", "-n", 16, "--seed", 3, "--format", "nxs", *fractions, cwd=folder)
    assert done.returncode == 0, done.stderr
    done = command("iota.run", "images", "-n", 2, *LYSOZYME, f"image_import.distance={WRONG_MM}", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return RunFolder.open(folder / "integration" / "001")


@pytest.fixture(scope="module")
def refined(run):
    """Folder with the refined geometry, and what was printed."""
    done = command("iota.geometry", 1, cwd=run.path.parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    return run.path / "geometry" / "001", done.stdout


def pairs(run):
    """Files with the indexed spots of all frames."""
    results = read_ledger(run.ledger)[0]
    return [run.path / result.files[what] for result in results for what in ("experiments", "indexed")]


def test_a_wrong_distance_is_found_and_shown_on_images_that_were_not_used(refined):
    folder, said = refined
    record = json.loads((folder / "geometry.json").read_text())
    assert record["before"]["distance_mm"] == pytest.approx(WRONG_MM)
    assert record["after"]["distance_mm"] == pytest.approx(TRUE_MM, rel=1e-3)
    assert record["cells"] == "known" and record["unit_cell"] == [79.2, 79.2, 38.1, 90, 90, 90]
    assert record["fit"]["n_lattices"] == record["test"]["n_lattices"] == record["n_frames"] == 16
    assert record["test"]["rmsd_before_px"] > 1.4 * record["test"]["rmsd_after_px"]  # cells absorb most of it
    assert record["test_known"]["rmsd_before_px"] > 2 and record["test_known"]["rmsd_after_px"] < 0.5
    distance = next(p for p in record["parameters"] if p["name"] == "distance")
    assert distance["is_significant"] and distance["change"] == pytest.approx(-1.3, abs=4 * distance["uncertainty"])
    # crystals differ by 0.1 % from the cell at which they are held: of 12, the mean distance is known to 0.03 %
    assert 0.005 < distance["uncertainty"] < 0.15
    others = [p for p in record["parameters"] if p["name"].startswith(("shift", "tilt"))]
    assert len(others) == 4 and not any(p["is_significant"] for p in others)
    assert f"131.300 → {record['after']['distance_mm']:.3f} mm" in said
    assert f"advanced.reference_geometry={folder / 'refined.expt'}" in said
    assert {path.name for path in folder.iterdir()} == {*record["files"], "geometry.json"}
    assert (folder / "geometry.png").read_bytes().startswith(b"\x89PNG")


def test_the_reference_is_read_by_iota_and_by_dials(refined, run, tmp_path):
    folder, _ = refined
    record = json.loads((folder / "geometry.json").read_text())
    wanted_mm = record["after"]["distance_mm"]
    reference = f"advanced.reference_geometry={folder / 'refined.expt'}"
    again = ("-n", 1, "--range", "1-2", reference)
    done = command("iota.run", run.script, *again, f"output={tmp_path}", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lattices = [lattice for r in read_ledger(tmp_path / "integration/001/frames.jsonl")[0] for lattice in r.lattices]
    assert len(lattices) == 2
    for lattice in lattices:
        assert lattice.distance_mm == pytest.approx(wanted_mm, abs=1e-3)
        assert lattice.rmsd_px < 0.15  # 0.24 with the wrong distance
        assert lattice.unit_cell[:3] == pytest.approx((79.2, 79.2, 38.1), rel=4e-3)
    image = next((run.path.parents[1] / "images").glob("*.nxs"))
    arguments = [image, f"input.reference_geometry={folder / 'refined.expt'}", "dispatch.index=False", "mp.nproc=1"]
    arguments += ["dispatch.find_spots=False", "output.experiments_filename=%s_imported.expt", "max_images=1"]
    done = subprocess.run(
        [sys.executable, "-m", "dials.command_line.stills_process", *map(str, arguments)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    written = list(tmp_path.glob("*_imported.expt"))
    assert written, done.stdout + done.stderr
    (detector,) = ExperimentList.from_file(str(written[0]), check_format=False).detectors()
    assert detector[0].get_distance() == pytest.approx(wanted_mm, abs=1e-6)


def test_the_crystfel_geometry_puts_and_masks_pixels_as_the_reference_does(refined, run):
    folder, _ = refined
    detector = load_reference_geometry(str(folder / "refined.expt"))
    as_crystfel = load_reference_geometry(str(folder / "refined.geom"))
    for get in ("get_origin", "get_fast_axis", "get_slow_axis"):
        assert getattr(as_crystfel[0], get)() == pytest.approx(getattr(detector[0], get)(), abs=2e-5)
    image = str(next((run.path.parents[1] / "images").glob("*.nxs")))
    imageset = crystfel_images(str(folder / "refined.geom")).imageset(image, 0)
    trusted = imageset.get_mask(0)[0].as_numpy_array()
    mask = ExperimentList.from_file(str(pairs(run)[0]), check_format=True)[0].imageset.get_mask(0)[0].as_numpy_array()
    assert (trusted == mask).mean() > 0.9999  # but for single pixels with too many counts
    assert 0.05 < 1 - trusted.mean() < 0.1  # the gaps of a Pilatus


def test_a_mask_that_cannot_be_included_gets_a_remark(run, tmp_path):
    (experiment,) = ExperimentList.from_file(str(pairs(run)[0]), check_format=False)
    frames = [result.frame for result in read_ledger(run.ledger)[0]]
    size = experiment.detector[0].get_image_size()
    corner = np.ones(size[::-1], dtype=bool)
    corner[:50, :50] = False
    for name, good, remark in (
        ("own", corner, None),
        ("other", corner[:100], f"has 1 panel of {size[0]} x 100 pixels, but the images have 1 panel of"),
        ("absent", None, "cannot be read"),
    ):
        if good is not None:
            write_mask((flumpy.from_numpy(good),), tmp_path / f"{name}.pickle")
        target = f"spotfinder.lookup.mask = {tmp_path / name}.pickle"
        bad, remarks = bad_pixels(frames[:1], experiment.detector, target)
        assert bad[0][:50, :50].all() == (name == "own")
        assert 0.05 < bad[0].mean() < 0.1  # the gaps of a Pilatus
        assert len(remarks) == bool(remark)
        assert not remark or (remarks[0].startswith("The mask of the run is not included") and remark in remarks[0])
    assert bad_pixels(frames[:1], Detector(), "").panels == []  # another detector


def test_a_geometry_that_was_given_keeps_its_masks_and_data(refined, tmp_path):
    detector = load_reference_geometry(str(refined[0] / "refined.expt"))
    own = "bad_edge/panel = p0\nbad_edge/min_fs = 0\nbad_edge/max_fs = 9\nbad_edge/min_ss = 0\nbad_edge/max_ss = 9\n"
    text = (refined[0] / "refined.geom").read_text() + own
    (tmp_path / "given.geom").write_text(text.replace("clen = 0.13", "clen = 0.14"))
    (experiment,) = ExperimentList.from_file(str(refined[0] / "refined.expt"), check_format=False)
    given = GivenGeometry(tmp_path / "given.geom")
    write_geom(detector, experiment.beam, tmp_path / "new.geom", given=given, first=None, bad=[])
    found, before = (read_geometry(tmp_path / name) for name in ("new.geom", "given.geom"))
    assert before.panels[0].masks and before.bad and before.panels[0].flags
    for name in ("masks", "flags", "data", "dims", "max_adu"):
        assert getattr(found.panels[0], name) == getattr(before.panels[0], name)
    assert found.bad == before.bad
    place = load_reference_geometry(str(tmp_path / "new.geom"))[0]
    assert place.get_origin() == pytest.approx(detector[0].get_origin(), abs=2e-5)


def test_files_of_others_give_the_same_whatever_their_order(refined, run, geometry, tmp_path):
    wanted = json.loads((refined[0] / "geometry.json").read_text())
    files = pairs(run)
    status, said, _ = geometry(*reversed(files), "unit_cell=79.2 79.2 38.1 90 90 90", "--output", "new", "--json")
    found = json.loads(said)
    assert status == 0 and found["after"]["distance_mm"] == pytest.approx(wanted["after"]["distance_mm"], abs=1e-4)
    assert found["test"] == pytest.approx(wanted["test"], rel=1e-4)
    assert (tmp_path / "new" / "refined.expt").is_file()
    composite(files, tmp_path)
    status, said, _ = geometry("all.expt", "all.refl", "cells=free", "--silent")
    assert (status, said) == (0, "")
    found = json.loads((tmp_path / "geometry" / "001" / "geometry.json").read_text())
    assert found["cells"] == "free"
    distance = next(p for p in found["parameters"] if p["name"] == "distance")
    assert found["after"]["distance_mm"] == pytest.approx(TRUE_MM, abs=4.0 * distance["uncertainty"])
    assert distance["uncertainty"] < 0.03


def test_spots_that_were_not_indexed_are_kept_and_read(run):
    for result in read_ledger(run.ledger)[0][:3]:
        table = flex.reflection_table.from_file(str(run.path / result.files["indexed"]))
        left = table.select(table["id"] == -1)
        assert len(table) == result.n_spots > result.lattices[0].n_indexed == len(table) - len(left)
        assert len({(*xyz, panel) for xyz, panel in zip(table["xyzobs.px.value"], table["panel"], strict=True)}) == len(
            table
        )
        assert left.get_flags(left.flags.indexed).count(True) == 0 and set(left["miller_index"]) == {(0, 0, 0)}
        files = StillFiles(
            run.path / result.files["experiments"], run.path / result.files["indexed"], (0,), (result.frame,)
        )
        stills = read_stills([files])
        assert len(stills.spots) == result.n_spots and len(stills.observations) == result.lattices[0].n_indexed
        # bright spots are known more accurately than weak ones
        sigma_px = 1.0 / np.sqrt(stills.spots.weight) / stills.panels.pixel_mm[0]
        assert np.percentile(sigma_px, 95) > 3.0 * np.percentile(sigma_px, 5)


def test_frames_on_another_detector_and_lattices_that_are_gone_are_told_and_left_out(run, tmp_path):
    files = pairs(run)
    composite(files, tmp_path)
    experiments = ExperimentList.from_file(str(tmp_path / "all.expt"), check_format=False)
    for k in range(3):  # as if the camera length had been changed
        detector = copy.deepcopy(experiments[k].detector)
        x, y, z = detector[0].get_origin()
        detector[0].set_frame(detector[0].get_fast_axis(), detector[0].get_slow_axis(), (x, y, z - 0.5))
        experiments[k].detector = detector
    del experiments[4]  # indexed but not integrated: lattices behind it have lower numbers than their spots
    experiments[5].crystal.set_A(np.roll(np.array(experiments[5].crystal.get_A()).reshape(3, 3), 1, axis=1).ravel())
    experiments.as_file(str(tmp_path / "some.expt"))
    frames = tuple(FrameRef("image", k) for k in range(len(experiments)))
    numbers = tuple(range(len(experiments)))
    stills = read_stills([StillFiles(tmp_path / "some.expt", tmp_path / "all.refl", numbers, frames)])
    assert stills.left_out == {OTHER_DETECTOR: 3, OTHER_INDICES: 1}
    assert stills.observations.n_lattices == len(stills.frames) == 16 - 1 - 4
    whole = flex.reflection_table.from_file(str(tmp_path / "all.refl"))
    n_spots = [int((whole["id"] == k).count(True)) for k in (3, 5, *range(7, 16))]
    assert stills.observations.n_spots.tolist() == n_spots
    assert stills.panels.origin_mm[0, 2] == pytest.approx(-WRONG_MM)


def composite(files, folder):
    """Write lattices of several files into one pair."""
    experiments, tables = ExperimentList(), []
    for number, (expt, refl) in enumerate(zip(files[::2], files[1::2], strict=True)):
        experiments.extend(ExperimentList.from_file(str(expt), check_format=False))
        table = flex.reflection_table.from_file(str(refl))
        table = table.select(table["id"] == 0)
        del table.experiment_identifiers()[0]
        table["id"] = flex.int(len(table), number)
        table.experiment_identifiers()[number] = experiments[-1].identifier
        tables.append(table)
    experiments.as_file(str(folder / "all.expt"))
    flex.reflection_table.concat(tables).as_file(str(folder / "all.refl"))


def test_what_cannot_be_refined_gets_a_sentence(run, refined, geometry, tmp_path):
    files = pairs(run)
    table = flex.reflection_table.from_file(str(files[1]))
    table["xyzobs.mm.value"] = flex.double(len(table))
    damaged = tmp_path / "damaged.refl"
    table.as_file(str(damaged))
    for arguments, words in (
        ((), "takes one run"),
        ((1, 2), "takes one run"),
        ((99,), "is not a run folder"),
        ((files[0], files[1]), "1 indexed lattice is too few"),
        ((refined[0] / "refined.expt", files[1]), "no crystal models"),
        ((files[0], files[1], files[2]), "No .refl file belongs to"),
        ((files[0], files[0].with_name("absent.refl")), "cannot be read"),
        ((run.path, "levels=3"), "Its levels are 0 (the whole)."),
        ((run.path, "level=1"), "no parameter named geometry.level"),
        ((run.path, "unit_cell=50 60 70 90 90 90"), "The known unit cell differs from that of the lattices"),
        ((*files, "cells=known"), "No unit cell is known"),
        ((run.path, "cells=known", "levels=1"), "Add level 0, e.g. levels=0,1"),
        ((files[0], damaged), "does not hold indexed spots"),
    ):
        status, said, error = geometry(*arguments)
        assert status == 2, (arguments, said)
        assert words in error, (arguments, error)
    assert not (tmp_path / "geometry").exists()
    assert [path.name for path in sorted((run.path / "geometry").iterdir())] == ["001"]


def test_files_are_paired_by_name():
    names = ["a/x_refined.expt", "a/x_indexed.refl", "a/y_indexed.refl", "b/x_integrated.refl", "a/y.expt", "b/x.expt"]
    assert [(str(e), str(r)) for e, r in pair_files(list(map(Path, names)))] == [
        ("a/x_refined.expt", "a/x_indexed.refl"),
        ("a/y.expt", "a/y_indexed.refl"),
        ("b/x.expt", "b/x_integrated.refl"),
    ]
    assert pair_files([Path("b.refl"), Path("a.expt")]) == [(Path("a.expt"), Path("b.refl"))]
    for wrong, words in (
        ([*names, "a/x_integrated.refl"], "Several .refl files belong to a/x_refined.expt"),
        ([names[0], *names[2:]], "No .refl file belongs to a/x_refined.expt"),
        (names[:4] + names[5:], "No .expt file belongs to a/y_indexed.refl"),
        (["x.expt"], "No .refl file belongs to x.expt"),
    ):
        with pytest.raises(UsageError, match=words):
            pair_files(list(map(Path, wrong)))


def test_groups_of_a_detector_move_with_their_panels():
    detector = Detector()
    root = detector.hierarchy()
    root.set_frame((1, 0, 0), (0, -1, 0), (-40.0, 40.0, -100.0))
    for k in range(2):
        half = root.add_group()
        half.set_local_frame((1, 0, 0), (0, 1, 0), (0, 40.0 * k, 0))
        for j in range(2):
            panel = half.add_panel()
            panel.set_pixel_size((0.1, 0.1))
            panel.set_image_size((390, 390))
            panel.set_local_frame((1, 0, 0), (0, 1, 0), (40.0 * j, 0, 0))
    panels = panels_of(detector)
    assert [level.tolist() for level in panels.groups] == [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3]]
    centres = panels.centres_mm(1)
    turns = np.array([[0, 0, 0.01], [0, 0, 0]])
    moved = panels.moved(panels.groups[1], np.array([[0, 0, -1.5], [0.2, 0, -1.5]]), turns, centres)
    found = with_panels(detector, moved)
    for panel, origin, fast, slow in zip(found, moved.origin_mm, moved.fast, moved.slow, strict=True):
        assert panel.get_origin() == pytest.approx(origin)
        assert panel.get_fast_axis() == pytest.approx(fast) and panel.get_slow_axis() == pytest.approx(slow)
    assert found.hierarchy().get_origin()[2] == pytest.approx(-101.5)  # which image_import.distance counts from
    assert found.hierarchy()[1].get_origin() == pytest.approx((-39.8, 0, -101.5))
    assert detector.hierarchy().get_origin() == (-40, 40, -100)
