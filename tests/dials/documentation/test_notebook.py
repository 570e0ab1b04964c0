"""The notebook of the documentation, executed as it stands there."""

import ast
import json
import os
from pathlib import Path

import pytest

from iota.api import open_run

NOTEBOOK = Path(__file__).parents[3] / "docs" / "examples" / "follow_a_run.ipynb"


@pytest.mark.slow
def test_the_notebook_does_what_it_says(lysozyme, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    os.symlink(lysozyme, tmp_path / "images")
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            exec(compile(tree, f"{NOTEBOOK.name} {cell['id']}", "exec"), names)
    said = capsys.readouterr().out
    run = open_run(1)
    assert run.state.status == "finished"
    assert len(names["frames"]) == 12
    assert f"{run.summary().n_integrated} of 12 frames integrated" in said
    assert "tP P 43 21 2" in said
    assert len(names["axes"]) == 2
    assert all(axes.patches for axes in names["axes"])
    assert names["best"]
