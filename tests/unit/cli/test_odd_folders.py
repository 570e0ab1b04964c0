"""Folders whose names a shell, PHIL or rich would read as more than a name."""

import os
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from libtbx import phil
from made_runs import hit, lattice, made_run

from iota.analysis.intensities.prime import prime_script
from iota.analysis.summary import SummaryBuilder
from iota.cli.simulate import _summary as simulate_summary
from iota.cli.summary import summary_text
from iota.params.safe_text import quoted
from iota.processing.conclusion import Conclusion
from iota.simulate.dataset import Dataset
from iota.workers.submit import script_path, script_text, submit_words

ODD = """-a $(touch pwned) $HOME `touch pwned` 'b" \\ [red]c :bomb: {d};&#"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / ODD
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def _summary(results):
    builder = SummaryBuilder(len(results))
    for result in results:
        builder.add(result)
    return builder.summary()


@pytest.mark.parametrize("text", [ODD, "/data/run 1", "", "two\nlines", "'", '"', "\\"])
def test_phil_reads_a_quoted_value_back_as_it_was(text):
    definition = phil.parse("path = None\n  .type = str\n")
    assert definition.fetch(phil.parse(f"path = {quoted(text)}\n")).extract().path == text


def test_the_script_for_prime_names_its_folders(project):
    text = prime_script(_summary([hit(0), hit(1)]), "$(title)", project / "final", project / "prime", 2)
    names = ["data", "run_no", "title"]
    known = phil.parse("".join(f"{name} = None\n  .type = str\n" for name in names))
    read = known.fetch(phil.parse(text)).extract()
    assert [getattr(read, name) for name in names] == [f"{project}/final", f"{project}/prime", "$(title)"]


def test_a_job_script_in_such_a_folder_runs_nothing_else(project):
    run = project / "integration" / "001"
    run.mkdir(parents=True)
    script_path(run).write_text(f"echo {shlex.quote(ODD)}\n")
    for template in ("sh -c 'sh <iota_script>'", "sh -c 'sh < <iota_script>'", "sh <iota_script>"):
        words = submit_words(SimpleNamespace(submit_command=template), ["true"], run)
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == f"{ODD}\n"
    assert shlex.split(script_text(run).splitlines()[1])[-1] == str(run)
    assert not list(Path(project.parent).rglob("pwned"))


def test_commands_to_copy_name_the_folder_for_a_shell(project):
    results = [hit(k, lattice()) for k in range(3)]
    for k, result in enumerate(results):
        result.files = {"experiments": f"dials/{k}.expt", "reflections": f"dials/{k}.refl"}
    run = made_run(project, results)
    said = summary_text(Conclusion(summary=_summary(results)), [], run)
    assert f" Run folder  {run.path}\n" in said
    for name in ("iota.report", "iota.merge", "iota.image_viewer", "dials.show"):
        (line,) = [line for line in said.splitlines() if f"{name} " in line]
        words = shlex.split(line[line.index(name) :].partition(", one page")[0])
        assert len(words) > 1
        assert all(word.startswith(str(run.path)) and Path(word).parent.is_relative_to(project) for word in words[1:])
    said = simulate_summary(Dataset(project, 1, {"normal": 1}, 0), 1.0).splitlines()[-1]
    printed = subprocess.run(
        ["sh", "-c", said.replace("Next: iota.run", "printf %s")], capture_output=True, text=True, check=True
    )
    assert printed.stdout == str(project)
    assert os.listdir(project) == ["integration"]
