"""A large run, and a server under load: a tenth of what the benchmarks do in full."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_a_large_run_is_ready_at_once_and_changes_reach_five_viewers_within_a_second():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "web_million.py", "100000", "0.05", "6"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100000 frames, 5% integrated" in done.stdout
    assert "all as wanted" in done.stdout


@pytest.mark.slow
def test_images_open_while_others_do_their_worst():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "server_load.py", "20000", "5", "10", "300k"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "200 half-open connections were closed" in done.stdout
    assert "all as wanted" in done.stdout
