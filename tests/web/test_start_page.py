"""The start page: what is clicked is what a script says, and the other way round."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from nicegui import ui

from iota.inputs.finding.search_job import CountImages
from iota.params import read
from iota.web.projects.setup import Setup
from iota.web.searches import counting

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(1, 7):
        (tmp_path / "images" / f"shot_{number:05d}.cbf").write_bytes(b"\0")
    return tmp_path


def shown_script(user):
    """The script that the page shows."""
    return next(iter(user.find(marker="preview").elements)).text


def rows_of(user):
    """The list of inputs."""
    return next(iter(user.find(kind=ui.table).elements)).rows


def problem_of(user, name):
    """What is said beside a field."""
    return next(iter(user.find(marker=name).elements)).error


async def until(condition, seconds=10.0):
    """Wait until something holds."""
    for _ in range(int(seconds * 20)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("waited too long")


def run_button(user):
    return next(iter(user.find(marker="run").elements))


async def test_an_empty_page_says_what_is_missing(visit, tmp_path):
    user = await visit(tmp_path)
    await user.open("/")
    await user.should_see("Add images first.")
    await user.should_see(str(tmp_path))
    assert not run_button(user).enabled


async def test_what_was_given_on_the_command_line_is_there(visit, project):
    user = await visit(project, "images", "target_space_group=P43212", "mp.n_processors=3")
    await user.open("/")
    await user.should_see("6 images in total", retries=100)
    await user.should_see("Runs with 3 processes on this machine.")
    assert 'cctbx_xfel.target_space_group = "P43212"' in shown_script(user)
    assert run_button(user).enabled


async def test_a_script_of_the_predecessor_is_loaded_with_its_remarks(visit, project):
    user = await visit(project, str(FIXTURES / "predecessor_ha14.param"))
    await user.open("/")
    await user.should_see("mp_method is read as mp.method")
    shown = read(text=shown_script(user).split("# target file")[0]).values
    given = read([FIXTURES / "predecessor_ha14.param"]).values
    assert shown.mp.method == given.mp.method
    assert shown.analysis.clustering.flag_on == given.analysis.clustering.flag_on


async def test_a_wrong_script_is_a_sentence_and_the_page_is_there(visit, project):
    (project / "wrong.param").write_text("mp.n_procesors = 3\n")
    user = await visit(project, str(project / "wrong.param"))
    await user.open("/")
    await user.should_see("Did you mean mp.n_processors?")
    await user.should_see("Add images first.")


async def test_images_are_added_by_typing_and_counted(visit, project):
    user = await visit(project)
    await user.open("/")
    await user.should_see("0 images in total", retries=100)
    user.find(marker="input-path").type("images/*_00001.cbf").trigger("keydown.enter")
    await user.should_see("1 image in total", retries=100)
    user.find(marker="input-path").type(f"{project}/nowhere").trigger("keydown.enter")
    await until(lambda: [row["kind"] for row in rows_of(user)] == ["wildcard", "missing"])
    rows = rows_of(user)
    assert [(row["kind"], row["n"]) for row in rows] == [("wildcard", 1), ("missing", 0)]
    assert "there is no such file or folder" in rows[1]["problem"]
    user.find(kind=ui.table).trigger("remove", 1)
    await until(lambda: len(rows_of(user)) == 1)
    assert "nowhere" not in shown_script(user)


async def test_a_search_that_reaches_a_limit_says_so_and_the_run_may_start(visit, project, monkeypatch):
    monkeypatch.setattr(counting, "CountImages", partial(CountImages, max_names=3))
    user = await visit(project, "images")
    await user.open("/")
    await user.should_see("The search was ended at 3 names or images.", retries=100)
    await user.should_see("Not counted; the run will count them")
    assert [row["n"] for row in rows_of(user)] == [None]
    assert run_button(user).enabled


async def test_a_wrong_value_shows_a_sentence_and_stops_the_run(visit, project):
    user = await visit(project, "images")
    await user.open("/")
    await user.should_see("6 images in total", retries=100)
    triage = user.find(marker="data_selection.image_triage.minimum_Bragg_peaks")
    triage.clear().type("many")
    await user.should_see("many is not an integer.")
    assert problem_of(user, "data_selection.image_triage.minimum_Bragg_peaks") == "many is not an integer."
    assert not run_button(user).enabled
    triage.clear().type("15")
    await user.should_not_see("is not an integer")
    assert "minimum_Bragg_peaks = 15" in shown_script(user)
    assert run_button(user).enabled


async def test_a_range_is_checked_against_the_images(visit, project):
    user = await visit(project, "images", "image_range.flag_on=True", "image_range.range=1-3,9")
    await user.open("/")
    await user.should_see("goes beyond the last image; there are 6", retries=100)
    assert not run_button(user).enabled
    user.find(marker="data_selection.image_range.range").clear().type("1-3,5")
    await user.should_see("4 images will be processed")
    assert run_button(user).enabled


async def test_settings_are_changed_in_a_dialog(visit, project):
    user = await visit(project, "images")
    await user.open("/")
    await user.should_see("6 images in total", retries=100)
    user.find("IOTA Settings...").click()
    await user.should_see("All at their defaults")
    user.find(marker="section-cctbx_xfel").trigger("click")
    cell, group = "cctbx_xfel.target_unit_cell", "cctbx_xfel.target_space_group"
    user.find(marker=group).type("P43212")
    user.find(marker=cell).type("79.2 60 38.1 90 90 90")
    said = "The cell 79.2 60 38.1 90 90 90 does not fit P 43 21 2, which needs a = b and α = β = γ = 90°."
    await until(lambda: problem_of(user, cell) == said)
    await user.should_see("1 invalid")
    user.find(marker=cell).clear().type("79.2 79.2 38.1 90 90 90")
    await user.should_see("2 changed from the default")
    user.find("OK").click()
    await user.should_not_see("2 changed from the default")
    assert f"{cell} = 79.2 79.2 38.1 90 90 90" in shown_script(user)
    assert f'{group} = "P43212"' in shown_script(user)


async def test_settings_of_the_installed_backend_are_found_by_search(visit, project):
    user = await visit(project, "images", "indexing.max_cell=180", "resolution_limits.high=2.5")
    await user.open("/")
    await user.should_see("dials.stills_process of DIALS", retries=300)
    assert "indexing.max_cell = 180" in shown_script(user)
    user.find(marker="Advanced (all)...").click()
    await user.should_see("1 changed from the default")
    user.find(marker="search").type("ewald_proximal_volume_max")
    await user.should_see("ewald_proximal_volume_max")
    user.find(marker="indexing.stills.ewald_proximal_volume_max").clear().type("0.01")
    await user.should_see("2 changed from the default")
    user.find(marker="search").clear().type("spotfinder.filter.d_min")
    await user.should_see("Set by IOTA's cctbx_xfel.resolution_limits.high = 2.5, which takes precedence.")
    user.find("OK").click()
    await user.should_not_see("2 changed from the default")
    assert "indexing.stills.ewald_proximal_volume_max = 0.01" in shown_script(user)


async def test_a_script_is_saved_as_it_is_shown(visit, project):
    user = await visit(project, "images", "target_space_group=P43212")
    await user.open("/")
    await user.should_see("6 images in total", retries=100)
    user.find("Save script").click()
    await user.should_see("a script for the backend is saved")
    user.find(marker="save-path").clear().type(str(project / "mine.param"))
    user.find(marker="save").click()
    await user.should_see("Saved: ")
    again = Setup.from_script(project / "mine.param", project)
    assert (again.inputs, again.iota) == (["images"], {"cctbx_xfel.target_space_group": "P 43 21 2"})


async def test_a_run_lends_its_settings(visit, known_run):
    user = await visit(known_run.path.parents[1])
    await user.open(f"/?recover={known_run.path.name}")
    await user.should_see("12 images in total", retries=100)
    assert "cctbx_xfel.target_unit_cell = 79.2" in shown_script(user)
