"""Frames, their truth and the folders and files they go into."""

from __future__ import annotations

import dataclasses
import json

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iota.cli import simulate as command
from iota.errors import UsageError
from iota.simulate import (
    DETECTORS,
    TUTORIAL_FRAMES,
    BeamStop,
    Crystal,
    Defects,
    Experiment,
    Frames,
    make_detector,
    read_frames,
    read_intensities,
    simulate_frame,
    tutorial,
    write_dataset,
)
from iota.simulate.cbf import compress_byte_offset, decompress_byte_offset
from iota.simulate.frames import draw_frame, prepare

SMALL = make_detector("300k")
BLANKS = Frames(blank_fraction=1.0, weak_fraction=0.0, background_spread=0.0)
HITS = Frames(blank_fraction=0.0, weak_fraction=0.0, multi_fraction=0.0)


def experiment(**changes):
    return Experiment(detector=SMALL, **changes)


def kinds(n, **changes):
    settings_ = experiment(**changes)
    return [draw_frame(settings_, i, np.random.default_rng(0)) for i in range(n)]


def test_same_seed_same_frame_and_another_seed_another():
    first, truth = simulate_frame(experiment(frames=HITS, seed=4), 3)
    prepare.cache_clear()
    again, truth_again = simulate_frame(experiment(frames=HITS, seed=4), 3)
    np.testing.assert_array_equal(first, again)
    assert truth == truth_again
    other, _ = simulate_frame(experiment(frames=HITS, seed=5), 3)
    assert (first != other).mean() > 0.3


def test_a_frame_does_not_depend_on_how_many_there_are_or_on_the_processes(tmp_path):
    settings_ = experiment(seed=2)
    write_dataset(tmp_path / "few", settings_, 3)
    write_dataset(tmp_path / "many", settings_, 5, nproc=2)
    for name in ("lyso_00001.cbf", "lyso_00003.cbf"):
        assert (tmp_path / "few" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()
    assert read_frames(tmp_path / "few") == read_frames(tmp_path / "many")[:3]


def test_frames_differ_from_one_another():
    first, truth = simulate_frame(experiment(frames=HITS), 0)
    second, other = simulate_frame(experiment(frames=HITS), 1)
    assert truth.lattices[0].A != other.lattices[0].A
    assert (first != second).mean() > 0.3


def test_blank_frames_hold_the_background_asked_for():
    frames = dataclasses.replace(BLANKS, background=3.0, solvent_part=0.0)
    settings_ = experiment(frames=frames, defects=Defects(0.0, 0.0))
    counts, truth = simulate_frame(settings_, 0)
    assert truth.kind == "blank"
    assert truth.lattices == ()
    live = counts[counts >= 0]
    # 285,000 pixels of 3 photons: the mean is known to 0.003.
    assert live.mean() == pytest.approx(3.0, abs=0.02)
    # Poisson about the smooth maps and nothing else.
    maps = prepare(settings_).maps
    spread = (live - maps.air[counts >= 0] * 3.0) ** 2
    assert spread.mean() == pytest.approx(3.0, abs=0.05)
    assert live.max() < 30


def test_hits_have_spots_where_blanks_have_none():
    quiet = Defects(0.0, 0.0)
    blank, _ = simulate_frame(experiment(frames=BLANKS, defects=quiet), 0)
    hit, truth = simulate_frame(experiment(frames=HITS, defects=quiet), 0)
    assert truth.lattices[0].n_visible > 20
    assert np.count_nonzero(hit > 40) > 20
    assert np.count_nonzero(blank > 40) == 0


def test_weak_frames_have_few_visible_spots():
    weak = dataclasses.replace(HITS, weak_fraction=1.0)
    truths = [simulate_frame(experiment(frames=weak), i)[1] for i in range(4)]
    assert {truth.kind for truth in truths} == {"weak"}
    assert max(truth.lattices[0].n_visible for truth in truths) < 25


def test_gaps_dead_pixels_and_the_shadow():
    settings_ = experiment(frames=dataclasses.replace(HITS, background=20.0), defects=Defects(500.0, 20.0))
    counts, _ = simulate_frame(settings_, 0)
    other, _ = simulate_frame(settings_, 1)
    assert (counts[195:212] == -1).all()
    assert np.count_nonzero(counts == -1) == 2 * 17 * 487
    np.testing.assert_array_equal(counts == -2, other == -2)
    assert np.count_nonzero(counts == -2) == round(500e-6 * 487 * 195 * 3)
    hot = (counts > 200) & (other > 200)
    assert np.count_nonzero(hot) >= round(20e-6 * 487 * 195 * 3)
    x, y = (int(v) for v in SMALL.beam_px)
    inner = counts[y - 8 : y + 8, x - 8 : x + 8]
    assert inner[inner >= 0].mean() < 0.5


def test_no_shadow_without_a_beamstop():
    stop = BeamStop(radius_mm=-10.0, arm_transmission=1.0)
    assert prepare(experiment(stop=stop)).maps.transmission.min() > 0.99


def test_saturated_pixels_stop_at_the_cutoff():
    detector = dataclasses.replace(SMALL, saturation=50)
    counts, _ = simulate_frame(Experiment(detector=detector, frames=HITS), 0)
    assert counts.max() == 50


def test_fractions_hold_for_any_number_of_frames():
    drawn = kinds(100, frames=Frames(blank_fraction=0.3, weak_fraction=0.1, multi_fraction=0.2))
    assert sum(kind == "blank" for kind, _ in drawn) == pytest.approx(30, abs=2)
    assert sum(kind == "weak" for kind, _ in drawn) == pytest.approx(10, abs=2)
    assert sum(len(lattices) > 1 for _, lattices in drawn) == pytest.approx(14, abs=6)


def test_two_crystal_forms_share_the_frames():
    second = Crystal(name="form2", unit_cell=(60.0, 70.0, 80.0, 90.0, 90.0, 90.0), space_group="P212121", share=0.3)
    drawn = kinds(200, crystals=(Crystal(share=0.7), second), frames=HITS)
    forms = [lattice.form for _, lattices in drawn for lattice in lattices]
    assert np.mean(forms) == pytest.approx(0.3, abs=0.03)
    assert {round(lattice.unit_cell[1] / 10) for _, lattices in drawn for lattice in lattices if lattice.form} == {7}


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_face_the_beam_and_do_not_overlap(name):
    detector = make_detector(name, 200.0)
    assert np.count_nonzero(detector.gap_mask()) < 0.15 * np.prod(detector.shape)
    boxes = []
    for panel in detector.panels:
        assert np.dot(panel.fast, panel.slow) == pytest.approx(0.0, abs=1e-12)
        assert abs(panel.normal[2]) > 0.999
        corners = panel.corners_mm()
        assert corners[:, 2] == pytest.approx(-200.0, abs=1.0)
        boxes.append((corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)))
    for i, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:i]:
            assert (high < other_low).any() or (other_high < low).any()


@given(st.lists(st.one_of(st.integers(-3, 300), st.integers(-(2**31), 2**31 - 1)), min_size=1, max_size=80))
@settings(max_examples=200, deadline=None)
def test_byte_offset_round_trip(values):
    pixels = np.array(values, dtype=np.int32)
    # Differences beyond 32 bits do not occur in counts.
    if np.abs(np.diff(pixels.astype(np.int64))).max(initial=0) < 2**31:
        np.testing.assert_array_equal(decompress_byte_offset(compress_byte_offset(pixels), pixels.size), pixels)


def test_byte_offset_of_known_values():
    packed = compress_byte_offset(np.array([5, 5, 132, 260, 0, 40000, -1], dtype=np.int32))
    expected = [5, 0, 127, 0x80, 128, 0, 0x80, 0xFC, 0xFE]
    expected += [0x80, 0x00, 0x80, 0x40, 0x9C, 0, 0, 0x80, 0x00, 0x80, 0xBF, 0x63, 0xFF, 0xFF]
    assert list(packed) == expected


def test_truth_files_say_what_was_simulated(tmp_path):
    settings_ = experiment(seed=9)
    write_dataset(tmp_path, settings_, 4)
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert truth["n_frames"] == 4
    assert truth["seed"] == 9
    assert truth["frame_list"] == "truth_frames.jsonl"
    assert truth["frames"]["blank_fraction"] == 0.2
    assert truth["crystals"][0]["space_group"] == "P43212"
    assert truth["detector"]["panels"][0]["pixel_mm"] == 0.172
    frames = read_frames(tmp_path)
    assert [frame["index"] for frame in frames] == [0, 1, 2, 3]
    assert all((tmp_path / frame["file"]).is_file() for frame in frames)
    hkl, intensity = read_intensities(tmp_path, truth["crystals"][0]["name"])
    assert len(hkl) == len(prepare(settings_).reflections[0].asu_hkl)
    assert intensity.min() >= 0


def test_nexus_holds_the_same_counts_as_simulate_frame(tmp_path):
    settings_ = experiment(seed=3)
    write_dataset(tmp_path, settings_, 3, file_format="nxs", nproc=2)
    with h5py.File(tmp_path / "lyso_1.nxs") as file:
        data = file["entry/data/data"]
        assert data.shape == (3, *SMALL.shape)
        for i in range(3):
            np.testing.assert_array_equal(data[i], simulate_frame(settings_, i)[0])
        assert file["entry/instrument/detector/bit_depth_readout"][()] == 32
        mask = file["entry/instrument/detector/pixel_mask"][()]
        np.testing.assert_array_equal(mask > 0, data[0] < 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frames": Frames(blank_fraction=1.5)}, "blank fraction is 1.5"),
        ({"frames": Frames(blank_fraction=0.7, weak_fraction=0.7)}, "more than all frames"),
        ({"crystals": (Crystal(domain_size_A=0.0),)}, "domain size"),
        ({"crystals": ()}, "no crystal form"),
        ({"crystals": (Crystal(name="a/b"),)}, "begin file names"),
        ({"frames": Frames(background=float("nan"))}, "background"),
    ],
)
def test_settings_without_meaning_are_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        experiment(**changes)


def run_command(*words):
    return command.main([str(word) for word in words])


def test_command_writes_frames_and_says_what_is_next(tmp_path, capsys):
    folder = tmp_path / "stills"
    assert run_command(folder, "-n", 2, "--detector", "300k", "--nproc", 1) == 0
    said = capsys.readouterr().out
    assert "2 frames" in said
    assert f"iota.run {folder}" in said
    assert (folder / "lyso_00002.cbf").is_file()


def test_command_refuses_a_folder_with_something_in_it(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    words = (tmp_path, "-n", 1, "--detector", "300k", "--silent")
    assert run_command(*words) == 2
    assert "iota.simulate: " in capsys.readouterr().err
    assert run_command(*words, "--force") == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_force_replaces_what_was_simulated_and_keeps_the_rest(tmp_path):
    words = (tmp_path, "--detector", "300k", "--silent", "--force", "--nproc", 1)
    assert run_command(*words, "-n", 3) == 0
    (tmp_path / "real_00001.cbf").write_text("mine")
    assert run_command(*words, "-n", 1, "--format", "nxs") == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["lyso_1.nxs", "real_00001.cbf", "truth.json", "truth_frames.jsonl", "truth_lyso.hkl"]


def test_a_refused_cell_leaves_the_folder_alone(tmp_path, capsys):
    words = (tmp_path, "--detector", "300k", "--silent", "--force", "--nproc", 1, "-n", 1)
    assert run_command(*words) == 0
    assert run_command(*words, "--space-group", "P9") == 2
    assert "no space group" in capsys.readouterr().err
    assert (tmp_path / "lyso_00001.cbf").is_file()


def test_command_refuses_several_panels_in_cbf(tmp_path, capsys):
    assert run_command(tmp_path / "x", "--detector", "quads", "--format", "cbf") == 2
    assert "--format nxs" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_second_form_appears_in_the_truth(tmp_path):
    words = ("--second-form", "60,70,80,90,90,90", "--second-space-group", "P212121", "--blank-fraction", 0)
    assert run_command(tmp_path, "-n", 4, "--detector", "300k", "--silent", "--second-fraction", 0.5, *words) == 0
    forms = {lattice["form"] for frame in read_frames(tmp_path) for lattice in frame["lattices"]}
    assert forms == {"lyso", "lyso_form2"}
    assert (tmp_path / "truth_lyso_form2.hkl").is_file()


def test_the_images_of_the_tutorial_have_all_kinds_and_glare_around_the_beamstop(tmp_path, capsys):
    assert command.main([str(tmp_path / "t"), "--tutorial", "-n", "4", "--silent"]) == 0
    frames = read_frames(tmp_path / "t")
    assert [frame["kind"] for frame in frames] == ["weak", "normal", "normal", "blank"]
    np.testing.assert_array_equal(
        read_intensities(tmp_path / "t", "lyso")[1], read_intensities(tmp_path / "t", "lyso_ortho")[1]
    )
    settings_ = tutorial()
    counts, _ = simulate_frame(settings_, 3)
    clean, _ = simulate_frame(dataclasses.replace(settings_, stop=BeamStop()), 3)
    row, column = np.indices(counts.shape)
    beam_x, beam_y = settings_.detector.beam_px
    away_mm = 0.172 * np.hypot(column - beam_x, row - beam_y)
    near = (away_mm > 3.0) & (away_mm < 7.0)
    bright = counts > 40
    assert 20 < bright[near].sum() < 500
    assert bright[~near].sum() == pytest.approx((clean > 40)[~near].sum(), abs=6)
    drawn = [draw_frame(settings_, i, np.random.default_rng(i)) for i in range(TUTORIAL_FRAMES)]
    assert [sum(kind == name for kind, _ in drawn) for name in ("normal", "weak", "blank")] == [252, 27, 45]


def test_the_tutorial_takes_no_other_settings(tmp_path, capsys):
    assert command.main([str(tmp_path / "t"), "--tutorial", "--b-factor", "3"]) == 2
    assert "--tutorial has its own settings; omit --b-factor" in capsys.readouterr().err


def test_a_form_like_no_other_is_refused():
    with pytest.raises(UsageError, match="like nothing, which is not among the forms"):
        Experiment(crystals=(Crystal(like="nothing"),))
