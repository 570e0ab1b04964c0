"""A large run in the server: a tenth of what the benchmark does in full."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "web_million.py"


@pytest.mark.slow
def test_a_large_run_is_ready_at_once_and_changes_reach_five_viewers_within_a_second():
    done = subprocess.run(
        [sys.executable, BENCHMARK, "100000", "0.05", "6"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100000 frames, 5% integrated" in done.stdout
    assert "all as wanted" in done.stdout
