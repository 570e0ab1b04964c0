"""Scripts of earlier versions."""

from pathlib import Path

import pytest

from iota import params
from iota.errors import ParameterError
from iota.params import old_names
from iota.params.scripts import _definitions


def _read(tmp_path, text, **words):
    path = tmp_path / "old.param"
    path.write_text(text)
    return params.read([path], **words)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('cctbx {\n  target = "user_params.phil"\n}\n', "cctbx_xfel.target", "user_params.phil"),
        ("dials { target_unit_cell = 79 79 38 90 90 90 }", "cctbx_xfel.target_unit_cell", "79.0,79.0,38.0"),
        ("n_processors = 32", "mp.n_processors", "32"),
        ("mp_method = *lsf mpi", "mp.method", "lsf"),
        ("mp_queue = psanaq", "mp.queue", "psanaq"),
        ("image_triage { min_Bragg_peaks = 7 }", "data_selection.image_triage.minimum_Bragg_peaks", "7"),
        ("image_triage { type = None *no_triage simple }", "data_selection.image_triage.flag_on", "False"),
        ("cctbx_ha14.image_triage.type = *simple grid_search", "data_selection.image_triage.flag_on", "True"),
        ("image_conversion { beam_center { x = 512 } }", "image_import.beam_center.x", "512"),
        ("cctbx.selection.min_sigma = 4", "data_selection.image_triage.strong_sigma", "4"),
        ("cctbx_xfel.filter.target_pointgroup = P422", "cctbx_xfel.filter.pointgroup", "P 4 2 2"),
        ("analysis { run_clustering = True }", "analysis.clustering.flag_on", "True"),
        ("analysis { cluster_threshold = 3000 }", "analysis.clustering.threshold", "3000"),
        ("advanced { random_sample { number = 9 } }", "data_selection.random_sample.number", "9"),
        ("advanced.monitor_mode = True", "gui.monitor_mode", "True"),
    ],
)
def test_a_name_of_an_earlier_version_is_read_and_said_so(tmp_path, text, name, value):
    found = _read(tmp_path, text)
    got = found.values
    for part in name.split("."):
        got = getattr(got, part)
    assert value in (str(got) if not hasattr(got, "parameters") else ",".join(map(str, got.parameters())))
    assert len(found.remarks) == 1
    assert f"is read as {name}" in found.remarks[0]
    assert "old.param, line" in found.remarks[0]


def test_todays_name_in_the_same_script_wins(tmp_path):
    assert _read(tmp_path, "mp.n_processors = 3\nn_processors = 32\n").values.mp.n_processors == 3


def test_an_old_name_on_the_command_line(tmp_path):
    found = params.read([], ["cctbx.target=mine.phil", "n_processors=5"])
    assert (found.values.cctbx_xfel.target, found.values.mp.n_processors) == ("mine.phil", 5)
    assert "cctbx.target is read as cctbx_xfel.target" in found.remarks[0]


def test_what_means_nothing_any_more_is_said_with_what_to_use(tmp_path):
    (remark,) = _read(tmp_path, "advanced {\n  debug = True\n}\n").remarks
    assert "advanced.debug no longer has any effect" in remark
    assert "line 2" in remark
    assert "logs/" in remark


@pytest.mark.parametrize(
    ("kind", "centring", "group"),
    [
        ("*tetragonal", "None *I", "I 4 2 2"),
        ("*tetragonal", "*None P", "P 4 2 2"),
        ("rhombohedral", "R", "R 3 2 :H"),
        ("*None cubic", "*None P", "None"),
    ],
)
def test_a_bravais_lattice_becomes_a_point_group(tmp_path, kind, centring, group):
    text = f"cctbx_ha14 {{\n target_lattice_type = {kind}\n target_centering_type = {centring}\n}}\n"
    found = _read(tmp_path, text)
    assert str(found.values.cctbx_xfel.target_space_group) == group
    assert bool(found.remarks) == (group != "None")


def test_an_impossible_bravais_lattice_is_said_and_not_guessed(tmp_path):
    found = _read(tmp_path, "cctbx { target_lattice_type = *cubic\n target_centering_type = *C }\n")
    assert found.values.cctbx_xfel.target_space_group is None
    assert "not a Bravais lattice" in found.remarks[0]


def test_parameters_that_are_the_backends_now(tmp_path):
    found = _read(tmp_path, "dials { min_spot_size = 4 }\n")
    assert found.backend_assignments == (("spotfinder.filter.min_spot_size", "4"),)


def test_every_translation_leads_somewhere():
    known = _definitions()
    for old, new in old_names._MOVED:
        assert old not in known
        scope = new.rstrip(".") + "."
        ends = new in known or any(name.startswith(scope) for name in known) or new.startswith("spotfinder.")
        assert ends or old_names.current_name(new, known.__contains__) or _is_scope(new), (old, new)


def _is_scope(name):
    return any(old.startswith(name + ".") or old == name for old, _ in old_names._MOVED)


def test_names_of_the_backend_in_a_script_are_told_apart_from_misspelt_ones(tmp_path):
    with pytest.raises(ParameterError, match=r"indexing.max_cell is a parameter of the backend .*line 1.*target"):
        _read(tmp_path, "indexing.max_cell = 180\n", is_backend_name=lambda name: name == "indexing.max_cell")
    with pytest.raises(ParameterError, match=r"Did you mean indexing.max_cell\?"):
        params.read([], ["indexing.max_cel=3"], nearest_backend_name=lambda name: "indexing.max_cell")


FIXTURES = Path(__file__).parents[2] / "fixtures"


def test_a_script_of_the_predecessor_with_all_its_scopes_needs_no_translation():
    found = params.read([FIXTURES / "predecessor.param"])
    assert found.remarks == []
    assert found.values.analysis.viz == "no_visualization"
    assert found.values.cctbx_xfel.filter.uc_tolerance is None


def test_a_script_for_ha14_with_all_its_scopes_is_understood():
    found = params.read([FIXTURES / "predecessor_ha14.param"])
    values = found.values
    assert (values.advanced.processing_backend, values.cctbx_xfel.grid_search.type) == ("ha14", "brute_force")
    assert (values.image_import.square_mode, values.image_import.rename_pickle) == ("no_modification", "auto_filename")
    assert str(values.cctbx_xfel.target_space_group) == "P 4 2 2"
    assert values.analysis.viz == "no_visualization"
    said = "\n".join(found.remarks)
    assert "advanced.debug no longer has any effect" in said
    assert len(found.remarks) == 8  # debug, the lattice, three names of clusters and viz, three of mp


def test_every_parameter_of_the_predecessor_is_still_one():
    """Names of its last version, of its GUI and of HA14, as its scripts have them."""
    known = _definitions()
    names = []
    scopes = []
    for line in (FIXTURES / "predecessor.param").read_text().splitlines():
        word = line.split("=")[0].strip()
        if line.rstrip().endswith("{"):
            scopes.append(word.rstrip("{ "))
        elif word == "}":
            scopes.pop()
        elif "=" in line:
            names.append(".".join([*scopes, word]))
    assert len(names) > 50
    assert [name for name in names if name not in known] == []
