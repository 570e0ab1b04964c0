import pytest

from iota import params
from iota.errors import ParameterError


def _script(tmp_path, text, name="script.param"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_names_and_defaults_of_the_predecessor_are_kept():
    values = params.defaults().values
    assert values.data_selection.image_triage.minimum_Bragg_peaks == 10
    assert values.data_selection.image_triage.strong_sigma == 5.0
    assert values.cctbx_xfel.use_fft3d is True
    assert values.cctbx_xfel.significance_filter.sigma == 1.0
    assert values.cctbx_xfel.determine_sg_and_reindex is True
    assert values.cctbx_xfel.filter.flag_on is False
    assert values.mp.n_processors == 0


def test_a_script_and_the_command_line_are_merged_and_the_later_wins(tmp_path):
    script = _script(tmp_path, "description = mine\ncctbx_xfel { target_space_group = P422 }\n")
    values = params.read(
        [script], ["cctbx_xfel.target_space_group=P43212", "target_unit_cell=79 79 38 90 90 90"]
    ).values
    assert values.description == "mine"
    assert str(values.cctbx_xfel.target_space_group) == "P 43 21 2"
    assert values.cctbx_xfel.target_unit_cell.parameters() == (79, 79, 38, 90, 90, 90)


def test_a_written_script_gives_the_same_parameters_back(tmp_path):
    first = params.read([], ["input=/data/a b; c/*.cbf", "mp.n_processors=3", "target_space_group=P422"])
    text = params.script_text(first)
    again = params.read([_script(tmp_path, text)])
    assert params.script_text(again) == text
    assert again.inputs == ["/data/a b; c/*.cbf"]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("cctbx_xfel.target_unit_cel=1", "Did you mean cctbx_xfel.target_unit_cell"),
        ("mp.n_procesors=2", "Did you mean mp.n_processors"),
        ("wholly_unknown_thing=2", "iota.run -d"),
        ("flag_on=True", "is ambiguous: it could be"),
        ("mp.n_processors=many", "n_processors"),
        ("mp.n_processors=-1", "n_processors"),
        ("target_unit_cell=79 79 38 90 90 270", "target_unit_cell cannot be 79 79 38 90 90 270"),
        ("target_space_group=P999", "target_space_group cannot be P999"),
        ("mp.method=teleport", "teleport"),
    ],
)
def test_wrong_assignments_get_a_sentence(assignment, message):
    with pytest.raises(ParameterError, match=message) as caught:
        params.read([], [assignment])
    assert "Traceback" not in str(caught.value)


def test_a_misspelt_name_in_a_script_is_reported_with_its_line(tmp_path):
    script = _script(tmp_path, "description = x\ncctbx_xfel {\n  target_spacegroup = P422\n}\n")
    with pytest.raises(ParameterError, match=r"line 3.*Did you mean cctbx_xfel.target_space_group"):
        params.read([script])


def test_a_broken_or_missing_script_gets_a_sentence(tmp_path):
    with pytest.raises(ParameterError, match="really a PHIL script"):
        params.read([_script(tmp_path, "this is { not phil")])
    with pytest.raises(ParameterError, match="cannot be read"):
        params.read([tmp_path / "missing.param"])


def test_names_of_the_backend_are_kept_apart():
    found = params.read([], ["indexing.max_cell=180"], is_backend_name=lambda name: name == "indexing.max_cell")
    assert found.backend_assignments == (("indexing.max_cell", "180"),)


def test_every_parameter_has_help():
    from libtbx import phil

    master = phil.parse(params.MASTER_PHIL, converter_registry=params.safe_text.converters())
    without = [item.path for item in master.all_definitions() if not item.object.help]
    assert without == []


def test_a_path_with_an_equals_sign_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.cbf").touch()
    assert not params.is_assignment("a=b.cbf")
    assert params.is_assignment("mp.n_processors=3")
