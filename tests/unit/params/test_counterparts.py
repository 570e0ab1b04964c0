"""One table of IOTA's parameters and those of the backend, read in both directions."""

import re
from importlib.resources import files

import pytest

from iota import params
from iota.params import compare
from iota.params.counterparts import COUNTERPARTS, FOUND, SPOT_FINDING, value_of
from iota.params.forms import iota_form
from iota.params.from_target import given_lattice, own_values, value_used, words_in
from iota.params.to_backend import backend_phil, reset_import, set_by
from iota.web.projects.setup import Setup

CELL = "79.2 79.2 38.1 90 90 90"


def values(*assignments):
    return params.read([], list(assignments)).values


DEFAULTS = params.defaults().values
BY_DEFAULT = {  # what IOTA sets although nothing is changed; everything else is None, 0 or False
    "data_selection.image_triage.flag_on",
    "data_selection.image_triage.minimum_Bragg_peaks",
    "cctbx_xfel.use_fft3d",
    "cctbx_xfel.significance_filter.flag_on",
    "cctbx_xfel.significance_filter.sigma",
}


def test_the_table_names_parameters_that_exist_once_each_way():
    own = [name for counterpart in COUNTERPARTS for name in counterpart.own]
    theirs = [name for counterpart in COUNTERPARTS for name in counterpart.backend]
    assert len(set(own)) == len(own) and len(set(theirs)) == len(theirs)
    assert {*own, *(found.own for found in FOUND)} <= iota_form().fields.keys()


@pytest.mark.parametrize("counterpart", COUNTERPARTS, ids=lambda counterpart: counterpart.own[0])
def test_what_the_table_says_of_defaults_is_what_it_does(counterpart):
    shown = " ".join(str(value_of(DEFAULTS, name)) for name in counterpart.own)
    sets_nothing = counterpart.words(DEFAULTS) is None
    assert sets_nothing == (not BY_DEFAULT.intersection(counterpart.own)) == bool(counterpart.unless)
    assert not sets_nothing or shown.replace("0.0", "0") == counterpart.unless


def test_values_go_to_the_backend_and_come_back():
    given = {
        "data_selection.image_triage.flag_on": "False",
        "data_selection.image_triage.minimum_Bragg_peaks": "25",
        "image_import.mask": "/data/it's a $mask.pickle",
        "image_import.crystfel_geometry": "/data/my detector.geom",
        "image_import.distance": "105.5",
        "image_import.beam_center.x": "0",
        "image_import.beam_center.y": "-3.5",
        "image_import.gain": "0.32",
        "cctbx_xfel.target_space_group": "P 21 1 1",
        "cctbx_xfel.target_unit_cell": "123.457 79.1234 38.1 90 97.23 90",
        "cctbx_xfel.use_fft3d": "False",
        "cctbx_xfel.auto_threshold": "True",
        "cctbx_xfel.resolution_limits.low": "40",
        "cctbx_xfel.resolution_limits.high": "2.5",
        "cctbx_xfel.significance_filter.flag_on": "False",
        "cctbx_xfel.significance_filter.sigma": "0.5",
        "advanced.reference_geometry": "refined.expt",
    }
    assert given.keys() == {name for counterpart in COUNTERPARTS for name in counterpart.own}
    text = backend_phil(params.read(text=iota_form().phil_text(given)).values, DEFAULTS, changed=True)
    assert own_values(words_in(text)) == given
    assert own_values(words_in(backend_phil(DEFAULTS, DEFAULTS, changed=False))).keys() == BY_DEFAULT
    assert backend_phil(DEFAULTS, DEFAULTS, changed=True) == ""


@pytest.mark.parametrize(
    "target",
    [
        "indexing.stills.method_list = real_space_grid_search",
        "spotfinder.lookup.mask = one.pickle\nintegration.lookup.mask = other.pickle",
        "spotfinder.lookup.mask = one.pickle",
        "spotfinder.threshold.dispersion.global_threshold = 100",
        "geometry.detector.fast_slow_beam_centre = None",
        "indexing.max_cell = 200",
    ],
)
def test_what_iota_cannot_express_is_no_value_of_it(target):
    assert own_values(words_in(target)) == {}


def test_the_value_in_use_is_that_of_whoever_is_last():
    name = "data_selection.image_triage.minimum_Bragg_peaks"
    path = "dispatch.hit_finder.minimum_number_of_reflections"
    assert value_used(name, DEFAULTS, DEFAULTS, {path: "10"}) == "10"
    assert value_used(name, DEFAULTS, DEFAULTS, {path: "25"}) == "25"  # a target file's
    assert value_used(name, DEFAULTS, DEFAULTS, {}) is None  # a target file's, and the default of the backend
    assert value_used(name, values(f"{name}=16"), DEFAULTS, {}) == "16"  # the same, but given to IOTA


def test_the_given_lattice_is_read_from_a_target(tmp_path):
    target = tmp_path / "target.phil"
    for text, expected in (
        (f'indexing.known_symmetry {{\n unit_cell = {CELL}\n space_group = "P 43 21 2"\n}}\n', "P 43 21 2"),
        (f"indexing.known_symmetry.unit_cell = {CELL}\n", "P 1"),
        (f"indexing.known_symmetry {{ unit_cell = {CELL}\n space_group = None }}\n", "P 1"),
        ("indexing.known_symmetry.space_group = P422\n", None),
        ("indexing.known_symmetry.unit_cell = None\n", None),
        ("indexing.known_symmetry.unit_cell = big\n", None),
    ):
        target.write_text(text)
        lattice = None if expected is None else ((79.2, 79.2, 38.1, 90.0, 90.0, 90.0), expected)
        assert given_lattice(target) == lattice


def test_differences_from_the_defaults_say_what_iota_set_and_from_what(tmp_path):
    script, target = tmp_path / "iota.param", tmp_path / "target.phil"
    script.write_text(
        f"image_import.mask = mine.pickle\ncctbx_xfel.target_unit_cell = {CELL}\nimage_import.beamstop = 9\n"
    )
    target.write_text("""\
dispatch.hit_finder.minimum_number_of_reflections = 25
indexing.known_symmetry.unit_cell = 79.20 79.2 38.1 90 90 90.0
indexing.stills.ewald_proximal_volume_max = 0.030
indexing.stills.method_list = fft1d fft3d
spotfinder.lookup.mask = "/runs/001/mask.pickle"
spotfinder.filter.d_min = 3
""")
    assert compare.target_difference(target, script=script) == [
        "dispatch.hit_finder.minimum_number_of_reflections = 25",
        "indexing.known_symmetry.unit_cell = 79.20 79.2 38.1 90 90 90.0  # set by cctbx_xfel.target_unit_cell",
        "indexing.stills.ewald_proximal_volume_max = 0.030  # default of IOTA",
        "indexing.stills.method_list = fft1d fft3d  # set by cctbx_xfel.use_fft3d",
        'spotfinder.lookup.mask = "/runs/001/mask.pickle"  # set by image_import.mask and image_import.beamstop',
        "spotfinder.filter.d_min = 3",
    ]
    other = tmp_path / "other.phil"
    other.write_text("spotfinder.filter.d_min = 2\n")
    assert compare.target_difference(target, other, script)[-2:] == [
        "spotfinder.filter.d_min = 3",
        "    compared with: 2",
    ]
    other.write_text("spotfinder.filter.d_min = 3\n")
    assert all(
        ("# " in line) == ("minimum" not in line and "compared with" not in line)
        for line in compare.target_difference(target, other, script)
    )
    assert not any("#" in line for line in compare.target_difference(target))


def test_a_form_of_the_backend_says_what_iota_sets_at_present(tmp_path):
    setup = Setup(tmp_path)
    assert setup.set_by_iota() == {}
    setup.iota = {
        "image_import.gain": "0.5",
        "image_import.beam_center.y": "7",
        "mp.n_processors": "3",
        "cctbx_xfel.use_fft3d": "True",  # its default
    }
    assert setup.set_by_iota() == {
        name: f"Set by IOTA's {own}, which takes precedence."
        for name, own in (
            ("spotfinder.threshold.dispersion.gain", "image_import.gain = 0.5"),
            ("integration.summation.detector_gain", "image_import.gain = 0.5"),
            ("geometry.detector.fast_slow_beam_centre", "image_import.beam_center.y = 7"),
        )
    }
    assert set_by([]) == {}


def test_images_that_were_converted_need_no_import_options_again():
    given = values(
        "image_import.mask=a.pickle",
        "image_import.distance=100",
        "image_import.beam_center.x=5",
        "image_import.gain=2",
        "advanced.reference_geometry=a.expt",
        "image_import.crystfel_geometry=a.geom",
        f"cctbx_xfel.target_unit_cell={CELL}",
    )
    reset_import(given, DEFAULTS)
    left = words_in(backend_phil(given, DEFAULTS, changed=True))
    assert own_values(left) == {"image_import.gain": "2", "cctbx_xfel.target_unit_cell": CELL}


def test_the_image_page_calls_the_settings_of_spot_finding_as_the_table_does():
    scripts = "".join(path.read_text() for path in (files("iota") / "web" / "static").rglob("*.js"))
    named = dict(re.findall(r"""(\w+): *['"](spotfinder[\w.]+)""", scripts))
    assert "sigma_strong" in named
    assert named.items() <= SPOT_FINDING.items()
