"""Default scripts of all released versions of the predecessor, and what their parameters mean together."""

from pathlib import Path

import pytest

from iota import params
from iota.errors import ParameterError
from iota.params.compare import script_difference
from iota.web.projects.setup import Setup

OLD_SCRIPTS = Path(__file__).parents[2] / "fixtures" / "old_scripts"
VERSIONS = sorted(path.stem for path in OLD_SCRIPTS.glob("*.param"))

_GRID = "cctbx_xfel.grid_search.type = by_backend no_grid_search *brute_force smart"
_PAD = "image_import.square_mode = no_modification *pad crop"
_HA14 = "advanced.processing_backend = cctbx_xfel *ha14"
_CLUSTERS = "analysis.clustering.threshold = 5000"
_MANY = "mp.n_processors = 32"
_TOLERANCE = "cctbx_xfel.selection.prefilter.target_uc_tolerance = 0.05"
_NO_MINIMUM = "cctbx_xfel.selection.prefilter.min_reflections = 0"
_FIVE = "data_selection.random_sample.number = 5"
_TARGET = 'cctbx_xfel.target = "target.phil"'
_FILTER = "cctbx_xfel.filter.uc_tolerance = None"
_LYSOZYME = [
    'cctbx_xfel.selection.prefilter.target_pointgroup = "P 4 2 2"',
    "cctbx_xfel.selection.prefilter.target_unit_cell = 79.4 79.4 38.1 90 90 90",
    _TOLERANCE,
]
_FIRST = [_FIVE, _TARGET, _MANY, *_LYSOZYME, "cctbx_xfel.selection.prefilter.flag_on = True"]
_SMART = _GRID.replace("*brute_force smart", "brute_force *smart")
# What a default script of each version differs in from the defaults of today, but for title and output.
MEANS = {
    "2015-01": [
        *_FIRST,
        _SMART,
        *(f"cctbx_xfel.grid_search.{what}" for what in ("area_median = 6", "area_range = 5", "height_median = 6")),
        "cctbx_xfel.grid_search.height_range = 5",
        "cctbx_xfel.selection.select_by = epv mosaicity *strong",
    ],
    "2015-03": [
        *_FIRST,
        _SMART,
        *(f"cctbx_xfel.grid_search.{what}" for what in ("area_range = 4", "height_median = 5", "height_range = 4")),
    ],
    "2015-06": [_FIVE, _TARGET, _GRID, "image_import.convert_images = True", _PAD, *_LYSOZYME, _CLUSTERS, _MANY],
    "2015-07": [_TARGET, _GRID, "image_import.convert_images = True", _PAD, _TOLERANCE, _NO_MINIMUM, _CLUSTERS, _MANY],
    "2015-08": [_TARGET, _GRID, _PAD, _TOLERANCE, _NO_MINIMUM, _CLUSTERS, _HA14, _MANY],
    "2015-09": [
        *(_TARGET, _GRID, _PAD, _TOLERANCE, _NO_MINIMUM, _CLUSTERS, _HA14, _MANY),
        "cctbx_xfel.selection.select_by = epv *mosaicity strong",
        "analysis.summary_graphs = True",
    ],
    "2016-04": [
        *('cctbx_xfel.target = "cctbx.phil"', _GRID, _PAD, _TOLERANCE, _NO_MINIMUM, _CLUSTERS, _HA14, _MANY),
    ],
    "2017-09": ["image_import.estimate_gain = True", _GRID, _PAD, _CLUSTERS, _HA14, _MANY],
    "2018-02": [
        *("image_import.estimate_gain = True", _GRID, _PAD, _CLUSTERS, _HA14, _MANY),
        "cctbx_xfel.resolution_limits.low = 50",
        "cctbx_xfel.resolution_limits.high = 1.5",
    ],
    "2018-08": [_FILTER, _CLUSTERS, _MANY],
    "2018-10": [_FILTER, _CLUSTERS, _MANY],
    "2018-12": [_FILTER, _CLUSTERS],
    "2019-01": [_FILTER, _CLUSTERS],
    "2019-01-ha14": [
        *(_GRID, _PAD, _CLUSTERS, _HA14),
        "cctbx_xfel.resolution_limits.low = 50",
        "cctbx_xfel.resolution_limits.high = 1.5",
    ],
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_default_script_means_what_it_meant(version):
    lines = script_difference(OLD_SCRIPTS / f"{version}.param")
    found = [line for line in lines if not line.startswith(("description =", "output ="))]
    assert sorted(found) == sorted(MEANS[version])


_OWN = {"advanced.debug", "advanced.experimental"}
_TRIAGE = "image_triage.grid_search (5 parameters)"
MEANS_NOTHING = {
    "2015-01": {"flag_inp_test", "selection_res_limit (2 parameters)"},
    "2015-03": {"advanced.debug", "advanced.save_tmp_pickles"},
    "2015-06": {*_OWN, "advanced.save_tmp_pickles", "advanced.clean_up_output"},
    **{when: {*_OWN, "selection.select_only (2 parameters)"} for when in ("2015-07", "2015-08", "2015-09")},
    "2016-04": {*_OWN, _TRIAGE, "cctbx.selection.select_only (2 parameters)"},
    "2017-09": {
        *(*_OWN, _TRIAGE, "cctbx.selection.select_only (2 parameters)", "image_conversion.invert_boolean_mask"),
    },
    "2018-02": {
        *(*_OWN, _TRIAGE, "cctbx.selection.select_only (2 parameters)", "image_conversion.invert_boolean_mask"),
        "advanced.flip_beamXY",
    },
    "2018-08": {*_OWN, _TRIAGE},
    "2018-10": _OWN,
    "2018-12": _OWN,
    "2019-01": set(),
    "2019-01-ha14": set(),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_means_nothing_any_more_is_said_once(version):
    remarks = params.read([OLD_SCRIPTS / f"{version}.param"]).remarks
    said = [remark.split(" no longer has")[0] for remark in remarks if "no longer has any effect" in remark]
    assert sorted(said) == sorted(MEANS_NOTHING[version])
    assert len(set(remarks)) == len(remarks)
    assert all("line" in remark for remark in remarks)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_browser_reads_the_same_parameters(version, tmp_path):
    path = OLD_SCRIPTS / f"{version}.param"
    setup = Setup.from_script(path.read_text(), tmp_path)
    there, here = params.read(text=setup.script_text()), params.read([path])
    assert there.remarks == []
    assert len(setup.remarks) == len(here.remarks)
    here.values.cctbx_xfel.filter.crystal_system = None  # where it was the text None
    here.values.output = there.values.output
    assert params.script_text(there) == params.script_text(here)


# -- values that people set


def _read(text, **words):
    return params.read(text=text, **words)


def test_the_backend_that_was_chosen_gives_the_target_and_the_other_one_is_left_out():
    both = "cctbx {\n target = a.phil\n grid_search.type = *smart\n}\ndials {\n target = None\n use_fft3d = False\n}\n"
    old = _read(both + "advanced.integrate_with = *cctbx dials\n")
    assert (old.values.cctbx_xfel.target, old.values.cctbx_xfel.use_fft3d) == ("a.phil", True)
    assert old.values.cctbx_xfel.grid_search.type == "smart"
    new = _read(both + "advanced.integrate_with = cctbx *dials\n")
    assert (new.values.cctbx_xfel.target, new.values.cctbx_xfel.use_fft3d) == (None, False)
    assert new.values.cctbx_xfel.grid_search.type == "by_backend"
    assert any(remark.startswith("Ignored, because advanced.integrate_with = dials") for remark in new.remarks)


def test_the_scope_of_ha14_wins_where_that_backend_was_chosen():
    text = "cctbx_xfel.target = None\ncctbx_ha14.target = ha14.phil\nadvanced.processing_backend = {}\n"
    assert _read(text.format("cctbx.xfel *ha14")).values.cctbx_xfel.target == "ha14.phil"
    assert _read(text.format("*cctbx.xfel ha14")).values.cctbx_xfel.target is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("input = images\ninput_list = some.lst\n", ["some.lst"]),
        ("input = images\ninput_list = None\n", ["images"]),
        ("input = images\ninput_list = some.lst\nadvanced.single_img = one.pickle\n", ["one.pickle"]),
    ],
)
def test_a_list_or_one_image_goes_before_the_folder(text, expected):
    assert _read(text).inputs == expected


@pytest.mark.parametrize(
    ("prefix", "rename", "written"),
    [("Auto", "auto_filename", None), ("None", "keep_file_structure", None), ("hewl", "custom_filename", "hewl")],
)
def test_one_parameter_once_said_all_about_names_of_pickles(prefix, rename, written):
    found = _read(f"image_conversion.rename_pickle_prefix = {prefix}\n").values.image_import
    assert (found.rename_pickle, found.rename_pickle_prefix) == (rename, written)


def test_images_that_must_not_be_converted_are_not_made_square():
    for scope in ("advanced", "image_conversion"):
        found = _read(f"{scope}.convert_images = False\n{scope}.square_mode = None *pad crop\n").values.image_import
        assert (found.convert_images, found.square_mode) == (False, "no_modification")
        found = _read(f"{scope}.convert_images = True\n{scope}.square_mode = None pad *crop\n").values.image_import
        assert (found.convert_images, found.square_mode) == (True, "crop")


@pytest.mark.parametrize(
    ("text", "viz"),
    [
        ("pred_img = overlay.png\n", "integration"),
        ("advanced.pred_img { flag = True\n cv_vectors = False }\n", "integration"),
        ("advanced.pred_img { flag = True\n cv_vectors = True }\n", "cv_vectors"),
        ("advanced.pred_img { flag = False\n cv_vectors = True }\n", "no_visualization"),
    ],
)
def test_pictures_of_the_first_versions(text, viz):
    assert _read(text).values.analysis.viz == viz


def test_charts_are_made_when_either_kind_was_asked_for():
    for charts, plot, made in ((True, False, True), (False, True, True), (False, False, False)):
        text = f"advanced.charts = {charts}\nadvanced.mosaicity_plot = {plot}\n"
        assert _read(text).values.analysis.charts is made


@pytest.mark.parametrize(("value", "made"), [("*None show file both", False), ("None show *file both", True)])
def test_the_heat_map_is_among_the_charts_of_the_run(value, made):
    assert _read(f"analysis.heatmap = {value}\n").values.analysis.summary_graphs is made


@pytest.mark.parametrize(
    ("limits", "median", "reach"), [((2, 6), 4, 2), ((1, 10), 6, 5), ((3, 3), 3, 0), ((4, 7), 6, 2)]
)
def test_limits_of_a_grid_become_a_median_and_a_range_that_take_in_both(limits, median, reach):
    low, high = limits
    found = _read(f"grid_search {{ flag_on = True\n a_min = {low}\n a_max = {high} }}\n").values.cctbx_xfel.grid_search
    assert (found.area_median, found.area_range, found.type) == (median, reach, "brute_force")
    assert (found.height_median, found.height_range) == (4, 2)  # of which nothing was said
    assert median - reach <= low
    assert median + reach >= high


@pytest.mark.parametrize(
    ("group", "lattice"),
    [
        ("P 4", "P 4 2 2"),
        ("P3", "P 6 2 2"),
        ("R3", "R 3 2 :H"),
        ("C2", "C 1 2 1"),
        ("I 2 3", "I 4 3 2"),
        ("None", "None"),
    ],
)
def test_groups_by_which_labelit_filtered_were_those_of_lattices(group, lattice):
    for scope in ("selection", "cctbx.selection", "cctbx_ha14.selection"):
        found = _read(f"{scope}.prefilter.target_pointgroup = {group}\n").values
        assert str(found.cctbx_xfel.selection.prefilter.target_pointgroup) == lattice
    same = _read("cctbx_xfel.selection.prefilter.target_pointgroup = P4\n").values  # as today: the crystal's
    assert str(same.cctbx_xfel.selection.prefilter.target_pointgroup) == "P 4"


def test_the_first_cells_were_for_the_prefilter_and_elsewhere_such_a_name_is_an_error():
    found = _read("flag_prefilter = False\ntarget_unit_cell = 79 79 38 90 90 90\ntarget_space_group = P43212\n")
    assert found.values.cctbx_xfel.target_unit_cell is None  # it never was used to index
    assert found.values.cctbx_xfel.selection.prefilter.target_unit_cell.parameters()[0] == 79
    assert any("target_space_group had no effect" in remark for remark in found.remarks)
    with pytest.raises(ParameterError, match=r"Did you mean cctbx_xfel.target_unit_cell\?"):
        _read("target_unit_cell = 79 79 38 90 90 90\n")


def test_triage_was_once_a_switch_and_later_a_scope():
    for text in ("image_import.image_triage = False\n", "image_import.image_triage.flag_on = False\n"):
        assert _read(text).values.data_selection.image_triage.flag_on is False


def test_old_names_on_the_command_line():
    found = params.read([], ["grid_search.a_avg=6", "advanced.pred_img.flag=True", "image_import.image_triage=False"])
    assert found.values.cctbx_xfel.grid_search.area_median == 6
    assert found.values.analysis.viz == "integration"
    assert found.values.data_selection.image_triage.flag_on is False
    assert len(found.remarks) == 3


# -- names that nobody ever had


def _suggestion(name):
    with pytest.raises(ParameterError) as caught:
        params.read([], [f"{name}=1"])
    return str(caught.value).partition("Did you mean ")[2].rstrip("?")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("cctbx_xfel.target_unit_cel", "cctbx_xfel.target_unit_cell"),
        ("target_spacegroup", "cctbx_xfel.target_space_group"),
        ("data_selection.image_range.rnage", "data_selection.image_range.range"),  # codespell:ignore
        ("clustering.thresold", "analysis.clustering.threshold"),  # codespell:ignore
        ("image_import.beam_centre.x", "image_import.beam_center.x"),
        ("image_import.detector_distance", "image_import.distance"),
        ("mp.walltimes", "mp.walltime"),
        ("nproc", "mp.n_processors"),
        ("xia2.settings.unit_cell", "cctbx_xfel.target_unit_cell"),
        ("descripton", "description"),  # codespell:ignore
    ],
)
def test_a_near_name_is_suggested(name, meant):
    assert _suggestion(name) == meant


OTHER_PROGRAMS = """
output.log output.dir input.experiments peak_finding.min_snr min_snr min_peaks pipeline small_molecule
d_min merging.d_min scaling.model anomalous resolution int_radius push_res peaks hdf5_peaks tolerance wait_for_file
mosaicity.type cluster.threshold merging.method postrefinement.enable statistics.n_bins filter.algorithm gui.theme
mp.partition account pixel_size wavelength SPACE_GROUP_NUMBER UNIT_CELL_CONSTANTS ORGX NAME_TEMPLATE_OF_DATA_FRAMES
n_postref_cycle isigi_cutoff distl.res.outer labelit.known_setting refinement.sites ncycles model_file_name scramble
xray_data.high_resolution reflections.outlier.algorithm integrater.reso_low absorption_level shoebox.size seed_mask
"""


@pytest.mark.parametrize("name", OTHER_PROGRAMS.split())
def test_no_name_is_suggested_for_those_of_other_programs(name):
    assert _suggestion(name) == ""
