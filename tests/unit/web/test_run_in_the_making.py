"""A run in the making: from scripts and command lines, and back to scripts."""

from pathlib import Path

import pytest

from iota import params
from iota.errors import ParameterError
from iota.params.forms import Form
from iota.web.projects.setup import Setup

FIXTURES = Path(__file__).parents[2] / "fixtures"
BACKEND = """
indexing
{
  known_symmetry
  {
    space_group = None
      .type = space_group
    unit_cell = None
      .type = unit_cell
  }
  max_cell = Auto
    .type = float(value_min=0)
}
spotfinder.filter
{
  min_spot_size = 3
    .type = int(value_min=1)
  d_min = None
    .type = float(value_min=0)
}
"""


@pytest.fixture(scope="module")
def backend():
    return Form.from_text(BACKEND)


def test_an_untouched_setup_is_the_default_script(tmp_path):
    setup = Setup(tmp_path)
    assert setup.script_text() == params.script_text(params.defaults())
    assert setup.target_text() == ""
    assert setup.problems() == []
    assert setup.assignments().strip() == "output = None"


@pytest.mark.parametrize(("name", "n_remarks"), [("predecessor.param", 0), ("predecessor_ha14.param", 8)])
def test_scripts_of_the_predecessor_go_through_unchanged(tmp_path, name, n_remarks):
    path = FIXTURES / name
    setup = Setup.from_script(path, tmp_path)
    before, after = params.read([path]), params.read(text=setup.script_text())
    assert len(setup.remarks) == n_remarks
    assert setup.remarks == before.remarks
    assert after.remarks == []
    before.values.cctbx_xfel.filter.crystal_system = None  # where it was the text None
    assert params.script_text(after) == params.script_text(before)


def test_a_script_given_back_changes_nothing_more(tmp_path):
    setup = Setup.from_script(FIXTURES / "predecessor.param", tmp_path)
    assert setup.inputs == ["images"]
    assert setup.iota["cctbx_xfel.target_unit_cell"] == "79.2 79.2 38.1 90 90 90"
    text = setup.script_text()
    again = Setup.from_script(text, tmp_path)
    assert again.script_text() == text
    assert again.remarks == []


def test_arguments_fill_it_as_they_do_on_the_command_line(tmp_path, backend):
    script = tmp_path / "mine.param"
    script.write_text("description = $5 a shot\ninput = /data/first\nmp.n_processors = 2\n".replace("$5", "'$5'"))
    setup = Setup.from_arguments(
        [str(script), "images/*.cbf", "target_space_group=P43212", "indexing.max_cell=180", "n_processors=8"],
        tmp_path,
        backend,
    )
    assert setup.inputs == ["/data/first", "images/*.cbf"]
    assert setup.iota["mp.n_processors"] == "8"
    assert setup.iota["cctbx_xfel.target_space_group"] == "P43212"
    assert setup.iota["description"].startswith("$5")
    assert setup.backend == {"indexing.max_cell": "180"}
    assert setup.target_text() == "indexing.max_cell = 180\n"
    assert Setup.from_script(setup.script_text(), tmp_path).script_text() == setup.script_text()


def test_backend_parameters_wait_for_the_backend(tmp_path, backend):
    setup = Setup.from_arguments(["indexing.max_cell=180", "indexing.nonsense=3"], tmp_path)
    assert setup.backend == {}
    setup.take_backend(backend)
    assert setup.backend == {"indexing.max_cell": "180"}
    assert setup.remarks == ["The backend has no parameter named indexing.nonsense."]


def test_a_target_file_is_shown_and_stays_until_something_is_changed(tmp_path, backend):
    target = tmp_path / "mine.phil"
    target.write_text("spotfinder { filter { min_spot_size = 2 } }\nindexing.max_cell = 200\n")
    setup = Setup.from_script(f"cctbx_xfel.target = {target}\n", tmp_path, backend)
    assert setup.backend == {"spotfinder.filter.min_spot_size": "2", "indexing.max_cell": "200"}
    assert setup.target_text() == ""
    setup.backend["spotfinder.filter.min_spot_size"] = "4"
    assert setup.target_text() == "indexing.max_cell = 200\nspotfinder.filter.min_spot_size = 4\n"
    written = setup.save(tmp_path / "iota.param")
    assert [path.name for path in written] == ["iota.param", "iota_target.phil"]
    again = Setup.from_script(written[0], tmp_path, backend)
    assert again.backend == setup.backend


def test_what_a_target_says_beside_iotas_own_parameter_is_said_once(tmp_path, backend):
    target = tmp_path / "target.phil"
    target.write_text("indexing.known_symmetry.space_group = P422\nindexing.max_cell = 200\n")
    script = f"cctbx_xfel {{ target = {target}\n target_space_group = P422\n }}\n"
    setup = Setup.from_script(script, tmp_path, backend)
    assert setup.backend == {"indexing.max_cell": "200"}


def test_a_target_that_cannot_be_read_is_a_remark(tmp_path, backend):
    setup = Setup.from_script("cctbx_xfel.target = nowhere.phil\n", tmp_path, backend)
    assert "nowhere.phil cannot be read" in setup.remarks[0]
    (tmp_path / "nowhere.phil").write_text("indexing.max_cel = 3\nindexing.max_cell = 3\n")
    setup = Setup.from_script("cctbx_xfel.target = nowhere.phil\n", tmp_path, backend)
    assert "no parameter named indexing.max_cel" in setup.remarks[0]
    assert setup.backend == {"indexing.max_cell": "3"}


def test_a_run_gets_absolute_paths(tmp_path):
    setup = Setup.from_script("input = images\nimage_import.mask = mask.pickle\noutput = lyso\n", tmp_path)
    values = params.read(text=setup.run_text()).values
    assert values.input == [str(tmp_path / "images")]
    assert values.image_import.mask == str(tmp_path / "mask.pickle")
    assert values.output == str(tmp_path / "lyso") == str(setup.project)


def test_wrong_values_are_told_and_never_written(tmp_path, backend):
    setup = Setup(tmp_path)
    setup.take_backend(backend)
    setup.iota["mp.n_processors"] = "__import__('os')"
    setup.backend["indexing.max_cell"] = "big"
    assert [(field.name, said) for field, said in setup.problems()] == [
        ("mp.n_processors", "__import__('os') is not an integer."),
        ("indexing.max_cell", "big is not a number."),
    ]
    for text in (setup.script_text, setup.run_text, setup.target_text):
        with pytest.raises(ParameterError):
            text()


def test_hostile_scripts_are_refused(tmp_path):
    for text in ("include scope os.path\n", "mp.n_processors = None\n  .type = int\n"):
        with pytest.raises(ParameterError):
            Setup.from_script(text, tmp_path)
