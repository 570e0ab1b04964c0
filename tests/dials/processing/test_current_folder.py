"""A run that is started in a folder of somebody else."""

from __future__ import annotations

import shutil
from pathlib import Path

from commands import LYSOZYME, command
from hostile_files import image_that_calls_a_function

from iota.runs import RunFolder
from iota.runs.ledger import iterate_ledger


def test_nothing_in_it_is_imported_or_run(lysozyme, tmp_path, monkeypatch):
    images = tmp_path / "images"
    images.mkdir()
    for image in sorted(lysozyme.glob("*.cbf"))[:2]:
        shutil.copy(image, images)
    monkeypatch.chdir(images)
    image_that_calls_a_function()  # makes it
    for name in ("iota", "numpy", "dials", "selectors", "socket", "multiprocessing", "matplotlib"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'a').write('{name} ')\n")
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\ntext.latex.preamble: was_run\n")
    done = command("iota.run", images, "-n", 1, *LYSOZYME, "analysis.summary_graphs=True", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "was_run").exists()
    folder = RunFolder.open(tmp_path / "integration" / "001")
    outcomes = {Path(result.frame.path).name: result.outcome for result in iterate_ledger(folder.ledger)}
    assert list((folder.path / "visualization").glob("*.png")), done.stdout  # TeX or its absence would have said no
    assert outcomes["img_00001.pickle"] == "failed_import"
    assert "integrated" in outcomes.values()
