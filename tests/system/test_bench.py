"""scripts/bench: that it measures what it says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A process that leaves another one behind, which burns CPU time after it has ended.
LEAVES_WORK_BEHIND = """\
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        while time.process_time() < 0.5:
            pass
    os._exit(0)
os.wait()
"""
COST = """\
import json, sys
from dataclasses import asdict
from pathlib import Path
from side_by_side.timing import adopt_orphans, run
adopt_orphans()
print(json.dumps(asdict(run([sys.executable, "-c", sys.argv[1]], Path.cwd()))))
"""


def test_time_of_processes_for_which_nobody_waits_is_counted(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", COST, LEAVES_WORK_BEHIND],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "benchmarks")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    cost = json.loads(done.stdout)
    assert cost["exit_status"] == 0
    assert 0.5 <= cost["cpu_s"] < 1.5
    assert cost["own_cpu_s"] <= cost["cpu_s"] - 0.5 + 0.02  # a tick of the clock for each of the two numbers


@pytest.mark.slow
def test_blanks_are_compared(tmp_path):
    json_file = tmp_path / "figures.json"
    arguments = "--quick --sets blank --frames 6 --detector 1m --cache".split()  # noqa: SIM905
    done = subprocess.run(
        [ROOT / "scripts" / "bench", *arguments, tmp_path, "--json", json_file],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "frames/s, whole command" in done.stdout
    (figures,) = json.loads(json_file.read_text())
    assert (figures["n_frames"], figures["n_blank"]) == (6, 6)
    assert 0 < figures["read_s"] < 1
    theirs, ours = figures["programs"]
    for program in (theirs, ours):
        assert program["quality"]["n_integrated"] == 0
        assert program["cpu_s"] > 1  # DIALS alone takes longer to import
    assert 0 < ours["run"]["coordinator_percent"] < 100
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1m_blank", "figures.json"]
