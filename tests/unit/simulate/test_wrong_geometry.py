"""Headers that state a wrong geometry, and geometries compared with the truth."""

from __future__ import annotations

import dataclasses
import json
import re

import h5py
import numpy as np
import pytest

from iota.cli import simulate as command
from iota.errors import UsageError
from iota.inputs.crystfel.geometry import read_geometry
from iota.simulate import (
    Experiment,
    Frames,
    GeometryErrors,
    geometry_accuracy,
    make_detector,
    misstated,
    read_detector,
    read_frames,
    simulate_frame,
)
from iota.simulate.detector import rotation_matrix
from iota.simulate.frames import draw_frame

HITS = Frames(blank_fraction=0.0, weak_fraction=0.0, multi_fraction=0.0)
NO_BLANKS = ("--blank-fraction", "0", "--weak-fraction", "0", "--silent", "--nproc", "1")
SMALL = ("--detector", "300k", *NO_BLANKS)


def simulated(folder, *words):
    assert command.main([str(folder), *map(str, words)]) == 0
    return folder


def header(path) -> dict[str, str]:
    text = path.read_bytes()[:3000].decode("latin-1")
    return dict(re.findall(r"^# (Detector_distance|Beam_xy) (.*?)\r?$", text, re.MULTILINE))


def pixels(path) -> bytes:
    return path.read_bytes().partition(b"\x0c\x1a\x04\xd5")[2]


def accuracy(detector, truth):
    panels = detector.panels
    return geometry_accuracy(
        [one.origin_mm for one in panels], [one.fast for one in panels], [one.slow for one in panels], truth
    )


def test_a_wrong_distance_and_centre_change_the_header_and_no_pixel(tmp_path):
    right = simulated(tmp_path / "right", "-n", 1, *SMALL)
    wrong = simulated(tmp_path / "wrong", "-n", 1, "--wrong-distance", -5, "--wrong-beam", "-3,2.5", *SMALL)
    assert header(right / "lyso_00001.cbf") == {"Detector_distance": "0.11000 m", "Beam_xy": "(228.20, 322.10) pixels"}
    assert header(wrong / "lyso_00001.cbf") == {"Detector_distance": "0.10450 m", "Beam_xy": "(225.20, 324.60) pixels"}
    assert pixels(right / "lyso_00001.cbf") == pixels(wrong / "lyso_00001.cbf")
    assert read_frames(right) == read_frames(wrong)
    assert read_detector(wrong) == read_detector(right) == read_detector(right, "header") == make_detector("300k")
    assert read_detector(wrong, "header").distance_mm == pytest.approx(104.5)
    assert (wrong / "truth.geom").is_file()
    assert not (right / "truth.geom").exists()


def test_nexus_states_the_wrong_geometry_too(tmp_path):
    words = ("-n", 1, "--detector", "jungfrau", "--wrong-distance", 1, "--wrong-beam", "3,-2", *NO_BLANKS)
    folder = simulated(tmp_path / "wrong", *words)
    true, stated = read_detector(folder), read_detector(folder, "header")
    with h5py.File(folder / "lyso_1.nxs") as file:
        group = file["entry/instrument/detector"]
        assert group["distance"][()] == pytest.approx(0.1313)
        assert group["beam_center_x"][()] == pytest.approx(true.beam_px[0] + 3, abs=1e-4)
        assert group["beam_center_y"][()] == pytest.approx(true.beam_px[1] - 2, abs=1e-4)
        for number, panel in enumerate(stated.panels):
            place = np.zeros(3)
            axis = file[group[f"module_{number}/fast_pixel_direction"].attrs["depends_on"]]
            while axis is not None:
                place += axis[()] * axis.attrs["vector"]
                after = axis.attrs["depends_on"]
                axis = None if after == "." else file[after]
            np.testing.assert_allclose(place * (-1, 1, -1), panel.origin_mm, atol=1e-9)
    seen = accuracy(stated, true)
    assert seen.centre_px == pytest.approx((3, -2), abs=1e-3)
    assert seen.distance_mm == pytest.approx(1.3, abs=1e-6)
    assert seen.rms_px > 3
    assert seen.rms_px_panels == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["1m", "jungfrau", "cspad"])
def test_tilts_and_rotations_are_those_of_the_true_detector(name):
    design = make_detector(name)
    errors = GeometryErrors(tilt_deg=(0.5, -0.3), rotation_deg=0.4)
    true, stated = misstated(design, errors)
    assert stated == design
    seen = accuracy(stated, true)
    assert seen.tilt_deg == pytest.approx((-0.5, 0.3), abs=1e-6)
    assert seen.rotation_deg == pytest.approx(-0.4, abs=1e-6)
    assert seen.centre_px == pytest.approx((0, 0), abs=1e-6)
    assert seen.rms_px_panels == pytest.approx(0, abs=1e-6)
    # Counterclockwise along the beam: a point at the right moves up.
    turned = misstated(design, GeometryErrors(rotation_deg=1.0))[0].panels[0]
    was = design.panels[0].position_mm(*design.panels[0].size_px)
    np.testing.assert_allclose(
        turned.position_mm(*turned.size_px)[:2], rotation_matrix(np.radians([0, 0, 1.0]))[:2] @ was, atol=1e-9
    )


def test_crystals_are_the_same_whatever_the_detector(tmp_path):
    words = ("-n", 1, "--d-min", 2, *SMALL)
    flat = simulated(tmp_path / "flat", *words)
    tilted = simulated(tmp_path / "tilted", "--wrong-tilt", "-4,3", *words)
    (one,), (other,) = (read_frames(folder) for folder in (flat, tilted))
    assert one["lattices"][0]["A"] == other["lattices"][0]["A"]
    assert (flat / "truth_lyso.hkl").read_text() == (tilted / "truth_lyso.hkl").read_text()
    assert (flat / "lyso_00001.cbf").read_bytes() != (tilted / "lyso_00001.cbf").read_bytes()


def test_a_rotation_about_the_beam_is_removed_because_stills_cannot_show_it():
    true, stated = misstated(make_detector("jungfrau"), GeometryErrors(rotation_deg=0.5))
    seen = accuracy(stated, true)
    assert seen.rms_px > 3
    assert seen.rms_px_turned == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["jungfrau", "cspad"])
def test_panels_are_displaced_by_what_is_asked_for_and_not_as_a_whole(name):
    design = make_detector(name)
    true, stated = misstated(design, GeometryErrors(panel_shift_px=1.0, panel_turn_deg=0.1), seed=4)
    assert stated == design
    pairs = list(zip(true.panels, design.panels, strict=True))
    shifts = np.array([(one.centre_mm - other.centre_mm) / one.pixel_mm for one, other in pairs])
    assert np.sqrt(np.mean(np.sum(shifts**2, axis=1))) == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(shifts.mean(axis=0), 0, atol=0.01)
    turns = [np.degrees(np.arcsin(np.dot(one.fast, other.slow))) for one, other in pairs]
    assert np.sqrt(np.mean(np.square(turns))) == pytest.approx(0.1, abs=1e-6)
    np.testing.assert_allclose([np.dot(one.normal, other.normal) for one, other in pairs], 1.0, atol=1e-12)
    seen = accuracy(stated, true)
    assert seen.rms_px_panels == pytest.approx(1.0, abs=0.15)
    assert abs(seen.rotation_deg) < 0.005
    assert abs(seen.distance_mm) < 0.02
    assert seen.panels_px.shape == (len(design.panels),)
    again, other = (misstated(design, GeometryErrors(panel_shift_px=1.0), seed=seed)[0] for seed in (4, 5))
    assert again != other
    assert again == misstated(design, GeometryErrors(panel_shift_px=1.0), seed=4)[0]


def test_one_bad_panel_is_seen_as_one():
    true = make_detector("jungfrau")
    moved = true.panels[3].moved(np.eye(3), (true.panels[3].pixel_mm * 2, 0, 0))
    seen = accuracy(true.with_panels([*true.panels[:3], moved, *true.panels[4:]]), true)
    assert seen.panels_px.argmax() == 3
    assert seen.rms_px == pytest.approx(2 / np.sqrt(8), abs=0.01)


def test_geometries_of_another_detector_are_not_compared():
    with pytest.raises(UsageError, match="has 4 panels and the true detector 8"):
        accuracy(make_detector("quads"), make_detector("jungfrau"))


def test_the_distance_drifts_and_the_header_stays(tmp_path):
    folder = simulated(tmp_path / "drift", "-n", 3, "--distance-drift", "-4", *SMALL)
    assert [frame["distance_mm"] for frame in read_frames(folder)] == pytest.approx([110, 108, 106])
    for number in (1, 3):
        assert header(folder / f"lyso_0000{number}.cbf")["Detector_distance"] == "0.11000 m"
    assert read_detector(folder) == read_detector(folder, "header")
    # The last frame is the one that the detector would have recorded where it was then.
    experiment = Experiment(detector=make_detector("300k"), frames=HITS, drift_mm_per_frame=-2.0)
    nearer = dataclasses.replace(experiment, detector=make_detector("300k", 106), drift_mm_per_frame=0.0)
    drifted, still, near = (
        simulate_frame(one, 2)[0] for one in (experiment, dataclasses.replace(experiment, drift_mm_per_frame=0), nearer)
    )
    d_drifted, d_still, d_near = (one > 60 for one in (drifted, still, near))
    assert (d_drifted & d_near).sum() > 5 * (d_drifted & d_still).sum()


def test_the_true_geometry_is_written_for_crystfel(tmp_path):
    words = ("-n", 1, "--detector", "cspad", "--displaced-panels", "1,0.1", *NO_BLANKS)
    folder = simulated(tmp_path / "cspad", *words)
    true = read_detector(folder)
    geometry = read_geometry(folder / "truth.geom")
    assert len(geometry.panels) == 64
    text = (folder / "truth.geom").read_text()
    assert text.count("rigid_group_sensor_") == 32
    assert "rigid_group_collection_level_1 = quadrant_0,quadrant_1,quadrant_2,quadrant_3" in text
    assert json.loads((folder / "truth.json").read_text())["detector"]["panels"][17]["groups"] == [
        "quadrant_1",
        "sensor_1_0",
    ]
    assert true != read_detector(folder, "header") == make_detector("cspad")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--displaced-panels", "1,0.1"), "at least 3; the detector 300k has 1"),
        (("--wrong-distance", "-100"), "not positive"),
        (("--wrong-distance", "nan"), "cannot be wrong by nan"),
        (("--wrong-tilt", "60"), "too large"),
        (("--distance-drift", "inf"), "The drift is inf"),
        (("--distance-drift", "-200"), "not positive"),
    ],
)
def test_impossible_geometries_are_refused(tmp_path, capsys, words, said):
    assert command.main([str(tmp_path / "x"), "-n", "2", *words, *SMALL]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("words", [("--wrong-beam", "3"), ("--wrong-tilt", "1,2,3"), ("--displaced-panels", "a,b")])
def test_lists_of_the_wrong_length_are_usage_errors(tmp_path, capsys, words):
    with pytest.raises(SystemExit, match="2"):
        command.main([str(tmp_path / "x"), *words])
    assert "is not" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (("--blank-fraction", "1"), {"blank"}),
        (("--blank-fraction", "0.95"), {"blank", "weak"}),
        (("--weak-fraction", "1"), {"weak"}),
        ((), {"blank", "weak", "normal"}),
    ],
)
def test_a_fraction_that_is_not_given_leaves_room_for_the_other(words, kinds):
    options = command.make_parser().parse_args(["x", *words])
    experiment = command.experiment_from_options(options)
    assert {draw_frame(experiment, i, np.random.default_rng(i))[0] for i in range(40)} == kinds


def test_two_fractions_that_leave_no_room_are_refused(tmp_path, capsys):
    assert command.main([str(tmp_path / "x"), "--blank-fraction", "1", "--weak-fraction", "0.1"]) == 2
    assert "more than all frames" in capsys.readouterr().err
