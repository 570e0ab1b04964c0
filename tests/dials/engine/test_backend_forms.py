"""Forms of the installed backend."""

import pytest
from round_trip import check_round_trip

from iota.engine.backend import parameters as backend
from iota.engine.backend.definitions import definitions
from iota.params.counterparts import COUNTERPARTS
from iota.params.forms import Form
from iota.web import backend as kept_definitions


@pytest.fixture(scope="module")
def form():
    return Form.from_text(definitions(None, lambda n: None).phil)


def test_every_definition_of_the_backend_is_a_field_whose_default_means_the_same(form):
    in_blocks = [field.name + "." for field in form.fields.values() if field.kind == "block"]
    names = {
        item.path for item in backend.scope().all_definitions() if not any(item.path.startswith(b) for b in in_blocks)
    }
    assert names == {field.name for field in form.fields.values() if field.kind != "block"}
    assert len(names) > 350
    check_round_trip(form)


def test_defaults_are_those_of_a_run_where_nothing_is_given(form):
    assert float(form.fields["indexing.stills.ewald_proximal_volume_max"].default) == 0.03
    assert form.fields["dispatch.hit_finder.minimum_number_of_reflections"].default == "10"


def test_what_is_changed_in_a_form_reaches_the_backend(form):
    text = form.phil_text(
        {
            "indexing.known_symmetry.unit_cell": "79.2 79.2 38.1 90 90 90",
            "indexing.stills.method_list": "fft3d",
            "spotfinder.filter.untrusted": "untrusted {\n  panel = 0\n  circle = 10 10 5\n}\n",
            "spotfinder.filter.d_min": "2.5",
        }
    )
    found = backend.extract(text)
    assert found.indexing.known_symmetry.unit_cell.parameters() == (79.2, 79.2, 38.1, 90, 90, 90)
    assert found.indexing.stills.method_list == ["fft3d"]
    assert [region.circle for region in found.spotfinder.filter.untrusted] == [[10, 10, 5]]
    assert found.spotfinder.filter.d_min == 2.5


def test_definitions_are_asked_of_a_process_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kept_definitions.kept() is None
    asked = kept_definitions.ask()
    assert asked.dials.startswith("DIALS")
    assert kept_definitions.kept() == asked


def test_the_help_says_which_parameters_iota_sets(form):
    for counterpart in COUNTERPARTS:
        for name in counterpart.backend:
            assert f"Set by IOTA's {' and '.join(counterpart.own)}, which takes" in form.fields[name].help
    masks = form.fields["spotfinder.lookup.mask"].help
    assert masks.endswith("changed from its default. Also set by IOTA's image_import.beamstop.")
    assert form.fields["spotfinder.filter.min_spot_size"].help.endswith(". Set by IOTA's cctbx_xfel.grid_search.type.")
    assert "IOTA" not in form.fields["spotfinder.filter.max_spot_size"].help
