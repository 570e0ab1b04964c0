"""Every command line of the manual, typed as it stands there, and every option, does what the manual says."""

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from commands import LYSOZYME, command

from iota.runs import RunFolder, read_ledger

FIXTURES = Path(__file__).parents[2] / "fixtures"
KNOWN = "cctbx_xfel {\n  target_space_group = P43212\n  target_unit_cell = 79.2 79.2 38.1 90 90 90\n}\n"


@pytest.fixture(scope="module")
def tutorial(lysozyme, tmp_path_factory):
    """A folder as the manual's user has it: images, a list of them, a script and a target of the user."""
    folder = tmp_path_factory.mktemp("iota_tutorial")
    images = sorted(lysozyme.glob("*.cbf"))[:8]
    for name in ("images", "hewl_Br_data"):
        (folder / name).mkdir()
    for image in images:
        shutil.copy(image, folder / "images")
    shutil.copy(images[0], folder / "hewl_Br_data")
    shutil.copy(images[1], folder / "hewl_Br_data")
    (folder / "input_images.lst").write_text("".join(f"images/{image.name}\n" for image in images[2:4]))
    (folder / "script.param").write_text(f'description = "of the manual"\ninput = "images"\noutput = "."\n{KNOWN}')
    (folder / "user_params.phil").write_text(
        "indexing.known_symmetry.space_group = P43212\n"
        "indexing.known_symmetry.unit_cell = 79.2 79.2 38.1 90 90 90\nindexing.max_cell = 120\n"
    )
    return folder


def _frames(folder, number=None):
    """Records of a run of this folder, the last one if no number is given."""
    runs = sorted((folder / "integration").iterdir())
    run = runs[-1] if number is None else folder / "integration" / f"{number:03d}"
    return RunFolder.open(run), sorted(read_ledger(run / "frames.jsonl")[0], key=lambda r: r.frame)


def _run(folder, *arguments, status=0):
    done = command("iota.run", *arguments, cwd=folder)
    assert done.returncode == status, (arguments, done.stdout, done.stderr)
    return done


def _numbers(results):
    return [int(re.search(r"(\d+)\.\w+$", r.frame.path)[1]) for r in results]


def test_auto_mode_on_a_folder_and_the_progress_it_shows(tutorial):
    done = _run(tutorial, "hewl_Br_data/")
    assert "OOOOOOO" in done.stdout  # the logo
    assert re.search(r"Interpreting input -- DONE\.* *\.+ [\d.]+s", done.stdout)
    assert re.search(r"Initializing run parameters -- DONE \.+ [\d.]+s", done.stdout)
    run, results = _frames(tutorial)
    assert _numbers(results) == [1, 2]
    for name in ("integrated.lst", "not_integrated.lst", "target.phil", f"iota_r{run.number}.param", "iota.log"):
        assert (run.path / name).is_file(), name


def test_a_list_of_images(tutorial):
    _run(tutorial, "input_images.lst")
    assert _numbers(_frames(tutorial)[1]) == [3, 4]


def test_a_target_on_the_command_line_and_in_an_old_script(tutorial):
    _run(tutorial, "hewl_Br_data/", "cctbx_xfel.target=user_params.phil")
    run, results = _frames(tutorial)
    assert "max_cell = 120" in run.target.read_text()
    (tutorial / "old.param").write_text('input = hewl_Br_data\ncctbx {\n  target = "user_params.phil"\n}\n')
    done = _run(tutorial, "old.param")
    assert "cctbx.target is read as cctbx_xfel.target" in done.stderr
    again, same = _frames(tutorial)
    assert again.target.read_text() == run.target.read_text()
    assert [r.outcome for r in same] == [r.outcome for r in results]


def test_a_script(tutorial):
    _run(tutorial, "script.param")
    run, results = _frames(tutorial)
    assert _numbers(results) == list(range(1, 9))
    hits = [r for r in results if r.outcome != "failed_triage"]
    integrated = [r for r in results if r.outcome == "integrated"]
    assert len(integrated) >= 0.8 * len(hits) > 3
    for result in integrated:
        assert (run.path / "final" / f"int_{result.name}.pickle").is_file()
        assert (run.path / "logs" / f"{result.name}.log").is_file()
    assert (run.path / "prime.phil").is_file()


def test_ranges_are_from_1_on_with_their_ends(tutorial):
    words = ("data_selection.image_range.flag_on=True", "data_selection.image_range.range=1-3,7")
    _run(tutorial, "script.param", *words)
    assert _numbers(_frames(tutorial)[1]) == [1, 2, 3, 7]
    _run(tutorial, "script.param", "--range", "2,8")
    assert _numbers(_frames(tutorial)[1]) == [2, 8]
    done = _run(tutorial, "script.param", words[0], "data_selection.image_range.range=1-100", status=2)
    assert "there are 8" in done.stderr


def test_the_range_of_the_manual_on_more_images(determined_run, tmp_path):
    blank = (determined_run.path / "failed_triage.lst").read_text().splitlines()[0]
    (tmp_path / "images").mkdir()
    for number in range(1, 103):
        shutil.copy(blank, tmp_path / "images" / f"img_{number:05d}.cbf")
    (tmp_path / "script.param").write_text(f"input = images\n{KNOWN}")
    words = ("data_selection.image_range.flag_on=True", "data_selection.image_range.range=1-100")
    _run(tmp_path, "script.param", *words, status=1)  # blanks: nothing is integrated
    assert _numbers(_frames(tmp_path)[1]) == list(range(1, 101))


def test_compressed_phil(tutorial):
    _run(tutorial, "script.param", "cctbx_xfel.target_space_group=P422", "--range", "1")
    run, _ = _frames(tutorial)
    assert 'space_group = "P 4 2 2"' in run.target.read_text()


def test_several_scripts_and_paths_and_overrides_are_merged_and_the_later_wins(tutorial):
    (tutorial / "more.param").write_text("description = more\ndata_selection.image_triage.strong_sigma = 4\n")
    _run(tutorial, "script.param", "more.param", "hewl_Br_data", "strong_sigma=3", "--range", "1,9-10")
    run, results = _frames(tutorial)
    assert [Path(r.frame.path).parent.name for r in results] == ["hewl_Br_data", "hewl_Br_data", "images"]
    script = run.script.read_text()
    assert re.search(r"description = \"?more", script)
    assert "strong_sigma = 3" in script


def test_a_single_pickle(tutorial):
    _run(
        tutorial,
        "images/",
        "convert_only=True",
        "rename_pickle=custom_filename",
        "rename_pickle_prefix=img",
        "--range",
        "1-2",
    )
    pickles = sorted((tutorial / "converted_pickles" / "001").glob("*.pickle"))
    assert [p.name for p in pickles] == ["img_001_00001.pickle", "img_001_00002.pickle"]
    shutil.copy(pickles[0], tutorial / "images" / "img_00001.pickle")
    try:
        _run(
            tutorial, "images/img_00001.pickle", "target_unit_cell=79.2 79.2 38.1 90 90 90", "target_space_group=P43212"
        )
        assert len(_frames(tutorial)[1]) == 1
        done = command("iota.single_image", "images/img_00001.pickle", cwd=tutorial)
        assert done.returncode == 0, done.stderr
        assert "CELL" in done.stdout
    finally:
        (tutorial / "images" / "img_00001.pickle").unlink()


def test_random_subsets_are_reproducible(tutorial):
    _run(tutorial, "script.param", "--random", "3")
    run, results = _frames(tutorial)
    assert len(results) == 3
    seed = re.search(r"seed = (\d+)", run.script.read_text())[1]
    _run(tutorial, "script.param", "--random", "3", f"data_selection.random_sample.seed={seed}")
    assert _numbers(_frames(tutorial)[1]) == _numbers(results)
    _run(tutorial, run.script)
    assert _numbers(_frames(tutorial)[1]) == _numbers(results)


def test_help_version_and_default_settings(tutorial, tmp_path):
    shown = _run(tmp_path, "-h").stdout
    for option in (
        "-h",
        "--version",
        "-d",
        "--ha14",
        "--random",
        "--range",
        "-n",
        "--nproc",
        "--analyze",
        "--tmp",
        "--silent",
    ):
        assert re.search(rf"(^|[\s,]){option}[\s,]", shown), option
    assert "examples" in shown
    assert re.fullmatch(r"IOTA \d+\.\d+\S*\n", _run(tmp_path, "--version").stdout)
    printed = _run(tmp_path, "-d").stdout
    assert ".help" in printed
    (tmp_path / "printed.param").write_text(printed)
    for script in ("iota.param", "printed.param"):  # what is printed is a script, too
        _run(tutorial, tmp_path / script, "hewl_Br_data", "--range", "1")
    assert (tmp_path / "target.phil").is_file()


def test_nproc_and_tmp(tutorial, tmp_path):
    scratch = tmp_path / "scratch"
    seen = set()
    over = threading.Event()

    def watch():
        while not over.wait(0.005):
            seen.update(path.name for path in scratch.glob("iota_*/worker_*/*"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        _run(tutorial, "script.param", "-n", "1", "--tmp", scratch, "--range", "1-4")
    finally:
        over.set()
        watcher.join()
    assert any(name.endswith("_integrated.expt") for name in seen)  # what is in the making is there
    run, results = _frames(tutorial)
    assert "n_processors = 1" in run.script.read_text()
    assert any(r.outcome == "integrated" for r in results)
    assert scratch.is_dir()
    assert list(scratch.iterdir()) == []  # what was in the making has been moved
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    done = _run(tutorial, "script.param", "--tmp", in_the_way, status=2)
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_silent_prints_nothing_and_warnings_are_in_the_log(tutorial):
    done = _run(tutorial, "old.param" if (tutorial / "old.param").exists() else "script.param", "nowhere", "--silent")
    assert done.stdout == done.stderr == ""
    assert "nowhere" in _frames(tutorial)[0].log.read_text()


def test_analyze_makes_lists_summary_and_clusters_again(tutorial):
    _run(tutorial, "script.param", "--range", "1-4")
    run, results = _frames(tutorial)
    before = (run.path / "integrated.lst").read_text()
    ledger = run.ledger.read_bytes()
    for path in (*run.path.glob("*.lst"), run.path / "prime.phil"):
        if path.name != "input.lst":
            path.unlink()
    for image in results:
        assert Path(image.frame.path).exists()
    hidden = tutorial / "hidden"
    (tutorial / "images").rename(hidden)  # no image is touched
    try:
        for arguments in ([str(run.number)], [str(run.path)], []):
            done = _run(tutorial, "--analyze", *arguments, "clustering.flag_on=True", "clustering.limit=1")
            assert "UNIT CELL CLUSTERS" in done.stdout
            assert (run.path / "integrated.lst").read_text() == before
            assert sorted((run.path / "uc_cluster_1.lst").read_text().splitlines()) == sorted(before.splitlines())
            assert (run.path / "prime.phil").is_file()
    finally:
        hidden.rename(tutorial / "images")
    assert run.ledger.read_bytes() == ledger
    done = _run(tutorial, "--analyze", "99", status=2)
    assert "not a run folder" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("script", ["predecessor.param", "predecessor_ha14.param"])
def test_a_script_of_the_predecessor_runs_unchanged(tutorial, script):
    shutil.copy(FIXTURES / script, tutorial)
    _run(tutorial, script, "--range", "1-3")
    run, results = _frames(tutorial)
    assert any(r.outcome == "integrated" for r in results)
    if script == "predecessor.param":
        assert (run.path / "visualization" / "unit_cells.pdf").is_file()
        assert (run.path / "uc_cluster_1.lst").is_file()
    else:
        chosen = [point for r in results for point in r.grid if point.is_chosen]
        assert len(chosen) == sum(r.outcome == "integrated" for r in results)


def test_the_predecessors_default_target_is_understood(tutorial):
    shutil.copy(FIXTURES / "predecessor_target.phil", tutorial)
    _run(tutorial, "hewl_Br_data", "cctbx_xfel.target=predecessor_target.phil", *LYSOZYME, "--range", "1")
    assert "max_combinations = 10" in _frames(tutorial)[0].target.read_text()


def test_completion_offers_options_names_and_values(tutorial):
    script = _run(tutorial, "--completion", "bash").stdout
    assert "iota.run" in script
    offered = {}
    for line in ("iota.run --an", "iota.run mp.me", "iota.run advanced.acceleration="):
        words = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n"}
        offered[line] = _complete(tutorial, words)
    assert "--analyze" in offered["iota.run --an"]
    assert "mp.memory=" in offered["iota.run mp.me"]
    assert "mp.method=" in offered["iota.run mp.me"]
    assert {"on", "off"} <= {word.split("=")[-1] for word in offered["iota.run advanced.acceleration="]}


def _complete(folder, words):
    """What the shell is told; argcomplete answers on file descriptor 8."""
    program = Path(sys.executable).with_name("iota.run")
    done = subprocess.run(
        ["bash", "-c", f"{program} 8>&1 9>/dev/null >/dev/null 2>&1"],
        cwd=folder,
        env={**os.environ, **words, "_ARGCOMPLETE_COMP_WORDBREAKS": " \n"},
        capture_output=True,
        text=True,
        check=False,
    )
    return [word.strip() for word in done.stdout.split("\n")]


def test_a_target_of_ha14_is_read_with_what_to_use_instead(tutorial):
    (tutorial / "cctbx_ha14.phil").write_text(
        "difflimit_sigma_cutoff = 0.01\ndistl {\n  res.outer = 2.5\n}\nintegration {\n  model = user_supplied\n}\n"
        "mosaicity_limit = 2.0\n"
    )
    words = ("cctbx_xfel.target=cctbx_ha14.phil", *LYSOZYME, "--range", "1")
    done = _run(tutorial, "hewl_Br_data", *words)
    assert "distl.res.outer was a parameter of the HA14 backend" in done.stderr
    assert "(file" in done.stderr
    assert done.stderr.count("HA14") == 4
    (tutorial / "cctbx_ha14.phil").write_text("distl.res.outer = 2\nindexing.max_cel = 3\n")
    done = _run(tutorial, "hewl_Br_data", *words, status=2)
    assert "Did you mean indexing.max_cell" in done.stderr
