"""Fields from definitions: every one, what they mean, and what is said of wrong values."""

import pytest
from round_trip import check_round_trip

from iota.errors import ParameterError
from iota.params.fields import Group
from iota.params.forms import Form, iota_form

DEFINITIONS = """
spots
  .help = Finding spots
  .expert_level = 1
{
  sigma = 3.0
    .type = float(value_min=0)
    .short_caption = Sigma strong
    .help = Threshold (px)
  area = Auto
    .type = int(value_min=1, allow_none=False)
  limits = None
    .type = floats(size=2)
  words = a "b c"
    .type = strings
  which = *one two three
    .type = choice(multi=True)
  deep
    .expert_level = 3
  {
    easy = yes
      .type = bool
      .expert_level = 0
  }
  region
    .multiple = True
    .help = What is left out
  {
    circle = None
      .type = ints(size=3)
    panel = 0
      .type = int
  }
}
name = "a title"
  .type = str
extra = None
  .type = str
  .multiple = True
spots {
  late = 1
    .type = int
}
"""


@pytest.fixture(scope="module")
def form():
    return Form.from_text(DEFINITIONS)


def test_every_default_of_iota_means_the_same_after_a_round_trip():
    form = iota_form()
    assert len(form.fields) > 90
    assert all(field.help for field in form.fields.values())
    check_round_trip(form)


def test_every_default_of_other_types_means_the_same_after_a_round_trip(form):
    check_round_trip(form)


def test_scopes_that_repeat_are_one_group_and_levels_are_inherited(form):
    assert [item.name for item in form.root.items] == ["spots", "name", "extra"]
    group = form.root.group("spots")
    assert isinstance(group, Group)
    assert [item.name for item in group.items][-1] == "spots.late"
    assert form.fields["spots.sigma"].expert_level == 1
    assert form.fields["spots.deep.easy"].expert_level == 3
    assert form.fields["name"].expert_level == 0


def test_what_a_field_is(form):
    sigma = form.fields["spots.sigma"]
    assert (sigma.caption, sigma.kind, sigma.unit, sigma.limits, sigma.default) == (
        "Sigma strong",
        "number",
        "px",
        "0 or more",
        "3.0",
    )
    assert form.fields["spots.area"].needs_value
    assert form.fields["spots.which"].choices == ("one", "two", "three")
    assert form.fields["spots.words"].default == 'a "b c"'
    assert form.fields["spots.region"].kind == "block"
    assert form.fields["spots.late"].caption == "late"  # its name, where its authors gave it no caption
    assert iota_form().fields["mp.n_processors"].caption == "Number of processes"
    assert iota_form().fields["image_import.gain"].unit == "counts/photon"
    assert iota_form().fields["mp.memory"].unit == "GB"
    assert "None" not in iota_form().fields["cctbx_xfel.filter.crystal_system"].choices


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("spots.sigma", "many", "many is not a number."),
        ("spots.sigma", "__import__('os')", "__import__('os') is not a number."),
        ("spots.sigma", "-1", "It must be 0 or more."),
        ("spots.sigma", "1 2", "1 2 is not a number."),
        ("spots.area", "", "A value is needed."),
        ("spots.area", "1.5", "1.5 is not an integer."),
        ("spots.limits", "1", "2 numbers are needed."),
        ("spots.limits", "1 x", "1 x is not a list of numbers."),
        ("spots.which", "four", "four is not one of one, two, three."),
        ("spots.deep.easy", "perhaps", "perhaps is not True or False."),
        ("spots.words", 'a "b', "Syntax error: missing closing quote."),
        ("spots.region", "evil { }", "Only region { ... } can stand here, not evil."),
        ("spots.region", "region { circle = 1 2 }", "Not enough values"),
        ("spots.region", "region { square = 1 }", "There is no parameter named spots.region.square."),
        ("spots.region", "} evil = 1 {", "Syntax error"),
    ],
)
def test_a_wrong_value_gets_a_sentence(form, name, text, sentence):
    said = form.problem(name, text)
    assert said is not None
    assert said.startswith(sentence.rstrip("."))
    assert said.endswith(".")
    assert form.differs(name, text)
    with pytest.raises(ParameterError):
        form.phil_text({name: text})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("spots.sigma", "2*1.5"),
        ("spots.sigma", "Auto"),
        ("spots.limits", "1, 2.5"),
        ("spots.limits", "(1;2.5)"),
        ("spots.which", "one three"),
        ("spots.which", ""),
        ("spots.deep.easy", "False"),
        ("spots.words", "x 'y z' $HOME ;"),
        ("spots.region", "region {\n  circle = 1 2 3\n}\nregion {\n  panel = 4\n}\n"),
        ("name", "a } { ; # $HOME \"quoted\" 'and' \\ more\nlines"),
        ("name", "/data/a b.cbf"),
        ("extra", "--account=mx\n--time = 3"),
    ],
)
def test_what_is_typed_means_the_same_when_it_was_written_and_read(form, name, text):
    assert form.problem(name, text) is None
    written = form.phil_text({name: text, "spots.late": "2"})
    values, unknown = form.read(written)
    assert unknown == []
    assert form.phil_text(values) == form.phil_text(form.read(form.phil_text(values))[0])
    assert values.pop("spots.late") == "2"
    if form.differs(name, text):
        assert list(values) == [name]
        if name == "spots.region":
            assert values[name].count("region {") == 2
            assert "circle = 1 2 3" in values[name] and "panel = 4" in values[name]
        else:
            assert form._canonical(form.fields[name], values[name]) == form._canonical(form.fields[name], text)
        if name in ("name", "extra"):
            assert values[name] == text


def test_different_spellings_of_the_default_are_the_default(form):
    assert not form.differs("spots.sigma", "3")
    assert not form.differs("spots.sigma", " 6/2 ")
    assert form.differs("spots.sigma", "3.1")
    assert form.changed({"spots.sigma": "3", "spots.late": "5"}) == {"spots.late": "5"}


def test_search_looks_at_names_captions_and_helps(form):
    assert form.search("STRONG sigma") == {"spots.sigma"}
    assert form.search("circle") == {"spots.region"}
    assert "cctbx_xfel.optimise.n_frames" in iota_form().search("size of the sample")
    assert iota_form().search("there is nothing like this") == set()


def test_a_cell_is_checked_against_the_space_group_beside_it():
    form = iota_form()
    cell, group = "cctbx_xfel.target_unit_cell", "cctbx_xfel.target_space_group"
    assert form.problems({cell: "79.2 79.2 38.1 90 90 90", group: "P43212"}) == {}
    said = form.problems({cell: "79.2 60 38.1 90 90 90", group: "P43212"})
    words = "The cell 79.2 60 38.1 90 90 90 does not fit P 43 21 2, which needs a = b and α = β = γ = 90°."
    assert said == {cell: words}
    assert form.problems({cell: "79.2 60 38.1 90 90 90"}) == {}
    assert "not a unit cell" in form.problems({cell: "79 79 38 90 90 270"})[cell]
    assert "not a space group" in form.problems({group: "P999"})[group]


def test_names_nobody_knows_are_told():
    values, unknown = iota_form().read("mp.n_processors = 3\nmp.n_procesors = 4\n")
    assert values == {"mp.n_processors": "3"}
    assert [item.path for item in unknown] == ["mp.n_procesors"]
