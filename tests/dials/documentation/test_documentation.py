"""The pages: the reference is what the code says, nothing is undocumented, and each check fails where it should."""

import argparse
import subprocess
from pathlib import Path

import msgspec
import pytest
from documentation import commands, http_api, modules, outcomes, pages, parameters, python_api, reference, words
from documentation.markdown import anchor, read

import iota.api
import iota.params.merging
from iota.records import MEANINGS


def test_the_reference_is_complete_and_what_the_code_says():
    assert list(reference.problems()) == []


@pytest.mark.usefixtures("git")
def test_all_pages_of_the_project_hold():
    assert list(pages.problems()) == []


def test_a_page_that_is_old_or_missing_is_found(tmp_path):
    for name, text in reference.texts().items():
        (tmp_path / name).write_text(text)
    assert list(reference.problems(tmp_path)) == []
    page = tmp_path / "commands.md"
    page.write_text(page.read_text().replace("--base-url", "--base"))
    (tmp_path / "outcomes.md").unlink()
    found = list(reference.problems(tmp_path))
    assert [problem.split()[0] for problem in found] == ["docs/reference/outcomes.md", "docs/reference/commands.md"]


@pytest.mark.parametrize(
    "attribute", [".help = Number of resolution shells in the table", ".short_caption = Number of resolution shells"]
)
def test_a_parameter_without_help_or_caption_is_found(monkeypatch, attribute):
    without = iota.params.merging.MERGING_PHIL.replace(f"{attribute}\n", "\n")
    assert without != iota.params.merging.MERGING_PHIL
    monkeypatch.setattr(iota.params.merging, "MERGING_PHIL", without)
    parameters.forms.cache_clear()
    try:
        assert list(parameters.undocumented()) == [f"The parameter merging.n_shells has no {attribute.split()[0]}."]
    finally:
        parameters.forms.cache_clear()


def test_an_option_without_help_and_a_command_without_a_parser_are_found(monkeypatch):
    parser = argparse.ArgumentParser(prog="iota.merge", description="Merges.", epilog="Exit status: 0")
    parser.add_argument("run", help="the run")
    parser.add_argument("--deep")
    other = argparse.ArgumentParser(prog="iota.run", description="Runs.")
    monkeypatch.setattr(commands, "parsers", lambda: {"iota.merge": parser, "iota.run": other})
    monkeypatch.setattr(commands, "installed", lambda: {"iota.merge", "iota.run", "iota.new"})
    assert list(commands.undocumented()) == [
        "The command iota.new has no make_parser() in a module of iota.cli.",
        "iota.merge: --deep has no help.",
        "The epilog of iota.run does not say its exit status.",
    ]


def test_a_route_without_a_docstring_is_found(monkeypatch):
    app = http_api.FastAPI()

    @app.get("/api/new")
    async def new(number: int) -> None:
        pass

    monkeypatch.setattr(http_api, "application", lambda: app)
    found = list(http_api.undocumented())
    assert "The route GET /api/new has no docstring." in found
    assert "The parameter number of /api/new has no description." in found


def test_an_outcome_without_meaning_or_hint_is_found(monkeypatch):
    monkeypatch.setitem(MEANINGS, "crashed", "")
    monkeypatch.setattr(outcomes, "OTHERWISE", {k: v for k, v in outcomes.OTHERWISE.items() if k != "timed_out"})
    assert list(outcomes.undocumented()) == [
        "The outcome crashed has no meaning in iota.records.MEANINGS.",
        "The outcome timed_out has no hint in iota.causes.advice.",
    ]


@pytest.fixture
def project(tmp_path, git):
    """A project of two pages that hold."""
    subprocess.run([git, "init", "-q", tmp_path], check=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text("# Index\n\n[one](one.md#a-heading-of-2)\n")
    (tmp_path / "docs" / "one.md").write_text("# One\n\n## A heading, of 2\n\nSee [the top](#one).\n")
    assert list(pages.problems(tmp_path)) == []
    return tmp_path


def added(project: Path, text: str) -> list[str]:
    """What is said of a page with more text."""
    with (project / "docs" / "one.md").open("a") as file:
        file.write(text)
    return [problem.removeprefix("docs/one.md: ") for problem in pages.problems(project)]


@pytest.mark.parametrize(
    "text, problem",
    [
        ("[x](two.md)", "two.md leads to no file of the project."),
        ("[x](README.md#nothing)", "README.md#nothing leads to no heading of docs/README.md."),
        ("![x](images/none.png)", "images/none.png leads to no file of the project."),
        ('<img src="none.png">', "none.png leads to no file of the project."),
        ("[x](../../other/page.md)", "../../other/page.md leads to no file of the project."),
        ("[x](/etc/passwd)", "/etc/passwd leads to no file of the project."),
        ("[x](https://nohost)", "https://nohost is no address of a page."),
        ("`docs/none.md`", "there is no docs/none.md."),
        ("    iota.run images/ --analyse 3", "iota.run has no option --analyse."),
        ("`iota.run images/ --watch -q`", "iota.run has no option -q."),
        (
            "```\nX=1 .venv/bin/iota.run images/ \\\n  mp.n_procesors=2\n```",
            "There is no parameter named mp.n_procesors.",
        ),
        ("`iota.run images/ mp.method=slrum`", "slrum"),
        ("`mp.method=slurm|slrum`", "slrum"),
        ("`iota.merge 3 d_mim=2`", "iota.merge has no parameter d_mim."),
        ("`cctbx_xfel.target_cell`", "There is no parameter cctbx_xfel.target_cell."),
        ("`spotfinder.filter.min_spots=3`", "spotfinder.filter.min_spots"),
    ],
)
def test_what_does_not_hold_on_a_page_is_found(project, text, problem):
    (found,) = added(project, f"\n{text}\n")
    assert problem in found


@pytest.mark.parametrize(
    "text",
    [
        "[x](https://dials.github.io/page.html#part) and [y](../docs/one.md)",
        "`iota.run images/ -n 8 target_space_group=P43212 spotfinder.filter.min_spot_size=3 --silent`",
        "    mpirun -n 9 iota.run x mp.method=mpi | tee -a log; iota.merge 3 d_min=2 && ls",
        "`iota.run -d` and dials.stills_process `dials.stills_process -c -e 3`",
        "    iota.run -d prints all, dials.stills_process -c -e 3 those of the backend",
        "```python\niota.run --what\n```",
        "`integration/001` and `where=d_min_A<2.5` and `analysis.clustering` and `mp.submit_command`",
    ],
)
def test_what_holds_is_left_alone(project, text):
    assert added(project, f"\n{text}\n") == []


def test_a_page_without_a_way_to_it_is_found(project):
    (project / "docs" / "lonely.md").write_text("# Lonely\n")
    assert list(pages.problems(project)) == ["docs/lonely.md: no way leads here from docs/README.md."]


@pytest.mark.usefixtures("git")
def test_no_page_or_message_of_the_project_has_a_word_to_avoid():
    assert list(words.problems()) == []


def test_words_to_avoid_are_found_in_pages_and_messages_but_not_in_code(project):
    (project / "docs" / "decisions").mkdir()
    (project / "docs" / "decisions" / "1.md").write_text("Rings of ice.\n")
    (project / "docs" / "one.md").write_text("One, two.\nIt has rings of\nice.\n")
    (project / "src" / "iota").mkdir(parents=True)
    (project / "src" / "iota" / "glossary.md").write_text((words.ROOT / words.GLOSSARY).read_text())
    (project / "src" / "iota" / "code.py").write_text(
        '"""Rings of ice."""\n\nx = 1\nRINGS = "rings of ices"\n'
        'print("Rings "\n      f"of ice at {x} A; none foretold.")\n'
    )
    assert list(words.problems(project)) == [
        "docs/decisions/1.md:1: not 'Rings of ice' but ice rings.",
        "docs/one.md:2: not 'rings of ice' but ice rings.",
        "src/iota/code.py:5: not 'Rings of ice' but ice rings.",
        "src/iota/code.py:5: not 'foretold' but predicted.",
    ]


def test_anchors_are_those_of_github(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# `mp.method`: one, two\n\n## Same\n\n## Same\n")
    assert read(page).anchors == {"mpmethod-one-two", "same", "same-1"}
    assert anchor("What `iota.run` does") == "what-iotarun-does"


def test_a_field_without_a_docstring_and_a_module_without_a_first_line_are_found(monkeypatch, tmp_path):
    class Answer(msgspec.Struct):
        """Of the interface."""

        width_mm: float
        """Width (mm)."""
        height_mm: float = 0.0  # not seen by tools

    monkeypatch.setattr(iota.api, "__all__", ["Answer"])
    monkeypatch.setattr(iota.api, "Answer", Answer, raising=False)
    assert list(python_api.undocumented()) == [f"The field height_mm of {__name__}.Answer has no docstring under it."]
    (tmp_path / "src" / "iota").mkdir(parents=True)
    (tmp_path / "src" / "iota" / "silent.py").write_text("import os\n")
    (tmp_path / "src" / "iota" / "wordy.py").write_text('"""A first line that goes on\nin the second.\n"""\n')
    monkeypatch.setattr(modules, "_ROOT", tmp_path)
    monkeypatch.setattr(modules, "_SOURCE", tmp_path / "src" / "iota")
    assert [problem.split()[0] for problem in modules.undocumented()] == ["src/iota/silent.py", "src/iota/wordy.py"]
