"""The original IOTA: its default scripts and targets of all times, and its being in the same place."""

from pathlib import Path

import pytest
from commands import command

from iota.cli import image_viewer, run, simulate
from iota.engine.backend import parameters as backend
from iota.params import read
from iota.params.forms import Form
from iota.params.near_names import near_name
from iota.runs import read_ledger
from iota.web.projects.setup import Setup

OLD_SCRIPTS = Path(__file__).parents[2] / "fixtures" / "old_scripts"
TARGETS = sorted(path.name for path in OLD_SCRIPTS.glob("*.phil"))


@pytest.mark.parametrize("target", TARGETS)
def test_a_default_target_is_read_against_the_installed_dials(target):
    parameters = read([], [f"cctbx_xfel.target={OLD_SCRIPTS / target}"])
    text = backend.target_text(parameters)
    assert all("no longer has any effect" in remark or "is read as" in remark for remark in parameters.remarks)
    assert len(set(parameters.remarks)) == len(parameters.remarks) > 0
    is_dials = "target" not in target  # of the others nothing is left
    assert ("indexing.refinement_protocol.d_min_start" in backend.user_settings(text)) == is_dials


def test_what_dials_renamed_is_read_under_its_name_of_today(tmp_path):
    target = tmp_path / "dials.phil"
    target.write_text("verbosity = 10\nspotfinder.threshold.xds {\n  sigma_strong = 4\n}\n")
    parameters = read([], [f"cctbx_xfel.target={target}"])
    assert backend.extract(backend.target_text(parameters)).spotfinder.threshold.dispersion.sigma_strong == 4
    assert "xds.sigma_strong is read as spotfinder.threshold.dispersion.sigma_strong (file" in parameters.remarks[0]
    setup = Setup.from_script(f"cctbx_xfel.target = {target}\n", tmp_path, Form(backend.scope()))
    assert setup.backend["spotfinder.threshold.dispersion.sigma_strong"] == "4"
    assert setup.remarks == parameters.remarks


@pytest.mark.parametrize("target", TARGETS)
def test_the_browser_says_the_same_of_a_default_target(target, tmp_path):
    parameters = read([], [f"cctbx_xfel.target={OLD_SCRIPTS / target}"])
    backend.target_text(parameters)
    setup = Setup.from_script(f"cctbx_xfel.target = {OLD_SCRIPTS / target}\n", tmp_path, Form(backend.scope()))
    assert setup.remarks == parameters.remarks


def test_a_default_script_with_images_to_convert_and_a_gain_to_estimate_runs(tmp_path):
    words = ("-n", "2", "--blank-fraction", "0", "--weak-fraction", "0", "--multi-fraction", "0")
    command("iota.simulate", "images", *words, cwd=tmp_path)
    grid = [f"cctbx_xfel.grid_search.{name}_range=0" for name in ("area", "height")]
    script = str(OLD_SCRIPTS / "2018-02.param")
    done = command("iota.run", script, "input=images", "output=.", *grid, "-n", "1", cwd=tmp_path)
    assert done.stderr.count("selection.select_only (2 parameters) no longer has any effect") == 1
    assert done.stdout.count("The gain is") == 1
    ledger, _ = read_ledger(tmp_path / "integration" / "001" / "frames.jsonl")
    assert [result.outcome for result in ledger] == ["integrated", "integrated"]
    assert all(result.frame.path.endswith(".pickle") for result in ledger)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("indexing.max_cel", "indexing.max_cell"),
        ("spotfinder.filter.min_spot_sizes", "spotfinder.filter.min_spot_size"),
        ("refinement.max_cell", "indexing.max_cell"),
        ("merging.d_min", None),
        ("scaling.absorption_level", None),
        ("indexing.known_symetry.space_group", "indexing.known_symmetry.space_group"),
    ],
)
def test_a_suggestion_of_the_backend_is_about_the_same_thing(name, meant):
    assert backend.nearest_name(name) == meant
    assert near_name(name, [meant] if meant else []) == meant


@pytest.mark.filterwarnings("default::DeprecationWarning")  # of the viewer that DIALS brings
@pytest.mark.parametrize(
    ("module", "arguments"),
    [(simulate, ["{folder}", "-n", "0"]), (image_viewer, ["x.expt"]), (run, ["--resume", "{folder}"])],
)
def test_every_command_says_that_the_original_is_there(module, arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "predecessor_warning", lambda: "The original IOTA is installed here.")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "in_the_way.txt").touch()
    assert module.main([word.format(folder=tmp_path) for word in arguments]) == 2
    assert "The original IOTA is installed here." in capsys.readouterr().err
