"""DIALS' viewer on a virtual screen."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import LYSOZYME, command


def test_without_a_display_there_is_a_sentence(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = command("iota.image_viewer", "x.expt", cwd=tmp_path, env=environment)
    assert done.returncode == 2
    assert "display" in done.stderr or "cannot start" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("xvfb-run"), reason="needs a virtual screen: apt-get install xvfb")
def test_it_draws_the_reflections_of_a_run(tmp_path):
    images = tmp_path / "images"
    command(
        "iota.simulate",
        images,
        "-n",
        1,
        "--blank-fraction",
        0,
        "--weak-fraction",
        0,
        "--multi-fraction",
        0,
        cwd=tmp_path,
    )
    assert command("iota.run", images, "-n", 1, *LYSOZYME, cwd=tmp_path).returncode == 0
    files = sorted((tmp_path / "integration" / "001" / "dials").glob("*_integrated.*"))
    program = Path(sys.executable).with_name("iota.image_viewer")
    # unmended, the viewer dies of a TypeError on the first reflection; mended, it is still there when time is up
    viewer = subprocess.run(
        ["xvfb-run", "-a", "-s", "-screen 0 1280x1024x24 -noreset", "timeout", "25", str(program), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert viewer.returncode == 124, viewer.stdout + viewer.stderr
    assert "Traceback" not in viewer.stderr
