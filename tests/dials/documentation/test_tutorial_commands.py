"""Every command of the tutorials at the command line, typed as it stands there, with fewer images."""

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from iota.runs import RunFolder, read_ledger, read_state

DOCS = Path(__file__).parents[3] / "docs"
# the last -n counts: the same images, the first of them; an image without a lattice is no failure here
FEWER = """
iota.simulate() {{ command iota.simulate "$@" -n {n} --silent; }}
iota.single_image() {{ command iota.single_image "$@" || [ $? = 1 ]; }}
"""


def type_all(page, folder, n_images):
    """Run the shell blocks of a page in one shell, which stops at the first failure; returns what was printed."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 4
    script = "set -euo pipefail\n" + FEWER.format(n=n_images) + "\n".join(blocks)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def ledger(run):
    return read_ledger(run.ledger)[0]


@pytest.mark.slow
def test_the_tutorial_at_the_command_line(tmp_path):
    said = type_all("tutorial-command-line.md", tmp_path, 40)
    with_glare, without = re.findall(r"^SPOTS +(\d+)", said, re.MULTILINE)[1:3]
    assert int(with_glare) >= 15
    assert int(without) == 0
    assert "TABLE 1" in said
    assert re.search(r"unit_cell = \"?79\.\d+ 79\.\d+ 38\.\d+", said)
    runs = [RunFolder.open(tmp_path / "iota_tutorial" / "integration" / name) for name in ("001", "002")]
    kept = [lattice for result in ledger(runs[1]) for lattice in result.lattices]
    assert len(kept) >= 15
    assert all(lattice.space_group == "P 43 21 2" for lattice in kept)
    assert all(abs(lattice.unit_cell[0] - 79.2) < 0.8 for lattice in kept)
    for name in ("merge/001/merged.mtz", "report.html"):
        assert (runs[1].path / name).stat().st_size > 0
    assert any((runs[1].path / "export").iterdir())


@pytest.mark.slow
def test_the_tutorial_for_images_that_keep_coming(tmp_path):
    type_all("tutorial-live.md", tmp_path, 16)
    run = RunFolder.open(tmp_path / "visit" / "integration" / "001")
    assert read_state(run.state).status == "finished"
    results = ledger(run)
    assert len(results) == 16  # each image once, whenever it came
    assert sum(bool(result.lattices) for result in results) >= 7


@pytest.mark.slow
def test_the_tutorial_for_a_wrong_geometry(tmp_path):
    said = " ".join(type_all("tutorial-geometry.md", tmp_path, 28).split())  # 27 integrated hits are needed
    cells = r"All cell axes are 1\.\d % larger .*? distance of (?:129\.9|130\.0)\d* mm would explain it"
    assert re.search(rf"As given {cells}", said)
    assert len(re.findall(rf"! Check: {cells}", said)) == 1  # without refinement
    assert re.search(r"Geometry found with the spots of \d+ hits; on 8 other hits: 0 → [78] integrated", said)
    assert re.search(r"As given The detector is displaced by \+(2\.9|3\.0)\d and \+(1\.9|2\.0)\d px", said)
    assert re.search(r"As given 8 of 8 panels are displaced relative to the others, module_\d the most", said)
    assert re.search(r"distance \(mm\) -1\.[23]\d+ 0\.\d+ significant", said)
    runs = [RunFolder.open(tmp_path / f"wrong_geometry/integration/{n:03}") for n in range(1, 6)]
    lattices = [[lattice for result in ledger(run) for lattice in result.lattices] for run in runs]
    assert min(map(len, lattices)) >= 26
    for k, expected_px in enumerate((0.09, 0.09, 0.10, 0.22, 0.09)):
        assert statistics.median(one.rmsd_px for one in lattices[k]) == pytest.approx(expected_px, abs=0.02), k
    for k in (0, 1, 4):
        assert statistics.median(one.distance_mm for one in lattices[k]) == pytest.approx(130.0, abs=0.1)
