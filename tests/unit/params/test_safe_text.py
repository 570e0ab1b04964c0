"""Text from a browser cannot run code, whatever PHIL would make of it."""

import pytest
from libtbx import phil

from iota import params
from iota.errors import ParameterError
from iota.params import safe_text

TOUCH = "__import__('pathlib').Path('{}').touch()"


@pytest.fixture
def code(tmp_path):
    """Python that leaves a file behind when somebody runs it, and that file."""
    trace = tmp_path / "ran"
    return TOUCH.format(trace), trace


def test_phil_itself_would_run_it(code):
    text, trace = code
    definition = phil.parse("n = None\n  .type = int\n").objects[0]
    definition.validate(f'"{text}"')
    assert trace.exists()


@pytest.mark.parametrize(
    "script",
    [
        'mp.n_processors = "{}"',
        "mp.n_processors = {}",
        'mp.memory = "{}"',
        "mp {{ n_processors = '{}' }}",
        'n_processors = "{}"',  # a name of an earlier version
        'cctbx_xfel.target_unit_cell = "{}"',
        'cctbx_xfel.target_space_group = "{}"',
        'description = "{}"\nmp.n_processors = $description',
        'x = None\n  .type = "int({})"',
        'x = None\n  .expert_level = "{}"',
        'x = None\n  .input_size = "{}"',
        'x = None !.type = int .type = "int({})"',
        'x = None\n  .type # a comment\n = "int({})"',
        'x .call = "os.system({})" {{ }}',
        'x .expert_level = "{}" {{ }}',
        '!x .call = "os.system({})" {{ }}',
    ],
)
def test_no_text_runs_code(script, code):
    text, trace = code
    with pytest.raises(ParameterError) as caught:
        params.read(text=script.format(text))
    assert not trace.exists()
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    "script",
    [
        "include file /etc/passwd",
        "include scope dials.command_line.stills_process.phil_scope",
        "!include scope os.path",
        "cctbx_xfel { include file /etc/passwd }",
        "a.include = 3",
        "x.type = 1\n  .type = int",
        'scope .sequential_format = "%999999999d" { }',
        "x = 1\n  .call = os.system",
    ],
)
def test_a_script_gives_values_and_nothing_else(script):
    with pytest.raises(ParameterError):
        safe_text.parse(script)


def test_help_and_comments_may_stand_in_a_script():
    text = params.full_text(params.defaults())
    assert ".help" in text
    assert params.script_text(params.read(text=text)) == params.script_text(params.defaults())


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ("-1.5e3", -1500.0), ("10*60", 600), ("1/4", 0.25), ("-(2+3)", -5), ("1e400", 1e400)]
)
def test_numbers_and_sums_of_numbers_are_numbers(text, value):
    assert safe_text.number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pi",
        "nan",
        "9**9",
        "True",
        "2j",
        "[1][0]",
        "(1, 2)",
        "1 if 1 else 0",
        "x:=1",
        "'7'",
        "f'{1}'",
        "9" * 101,
        "1/0",
    ],
)
def test_anything_else_is_none(text):
    with pytest.raises(ValueError):
        safe_text.number(text)


def test_sums_in_scripts_are_still_calculated():
    assert params.read([], ["mp.frame_timeout=10*60"]).values.mp.frame_timeout == 600


def test_texts_made_to_exhaust_a_machine_get_a_sentence():
    doubling = "a0 = x\n" + "".join(f"a{k + 1} = $a{k}$a{k}\n" for k in range(60)) + "description = $a60\n"
    for text in (doubling, "a{" * 100_000, "x" * (safe_text.MAX_CHARACTERS + 1)):
        with pytest.raises(ParameterError):
            params.read(text=text)


def test_one_variable_of_the_environment_is_read_as_ever(monkeypatch):
    monkeypatch.setenv("IOTA_TEST_FOLDER", "/data/visit")
    assert params.read(text='output = "$(IOTA_TEST_FOLDER)/a"').values.output == "/data/visit/a"


def test_numbers_of_a_target_are_checked_where_dials_will_read_them(code):
    text, trace = code
    definitions = {item.path: item.object for item in phil.parse("a.n = 1\n  .type = ints\n").all_definitions()}
    safe_text.check_numbers(definitions, safe_text.parse("a.n = 1, 2 3"))
    with pytest.raises(ParameterError, match="as a number"):
        safe_text.check_numbers(definitions, safe_text.parse(f'a {{ n = 1 "{text}" }}'))
    assert not trace.exists()
