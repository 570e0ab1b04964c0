"""A real run whose ledger was damaged: every command counts the same frames, and --resume makes it whole again."""

import json
import shutil

import pytest
from commands import command

from iota.api import open_run
from iota.runs import RunFolder, iterate_ledger, read_ledger


@pytest.mark.slow
def test_every_command_counts_the_same_frames_and_resume_processes_the_others_again(known_run, tmp_path):
    run = RunFolder(shutil.copytree(known_run.path, tmp_path / "integration" / "001"))
    lines = run.ledger.read_bytes().splitlines()
    integrated = [k for k, line in enumerate(lines) if b'"outcome":"integrated"' in line]
    assert len(integrated) >= 5
    lines[integrated[0]] = lines[integrated[0]][:200]  # torn
    lines[integrated[1]] = lines[integrated[1]].replace(b'"reflections":"', b'"reflections":"\xff')
    lines[integrated[2]] = lines[integrated[2]][:-1] + b',"version":7}'
    lines.append(lines[integrated[3]])  # a frame twice
    lines.insert(2, bytes(600))
    run.ledger.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines) + b"\n{")
    names = {result.name for result in iterate_ledger(known_run.ledger)}
    n_frames, n_integrated = len(names), len(integrated)

    counts = {}
    for name, words in {
        "analyze": ["iota.run", "--analyze", run.path],
        "export": ["iota.export", run.path],
        "merge": ["iota.merge", run.path],
        "report": ["iota.report", run.path],
    }.items():
        done = command(*words, cwd=tmp_path)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        counts[name] = " ".join(done.stdout.split())
    n_left, n_integrated_left = n_frames - 3, n_integrated - 3
    assert f"{n_left} of {n_frames} finished" in counts["analyze"]
    assert "4 lines are damaged and were ignored" in counts["analyze"]
    assert "1 record is a duplicate" in counts["analyze"]
    assert len((run.path / "integrated.lst").read_text().splitlines()) == n_integrated_left
    assert json.loads((run.path / "export/001/export.json").read_text())["n_frames"] == n_integrated_left
    merged = json.loads((run.path / "merge/001/merge.json").read_text())
    lattices = sum(len(r.lattices) for r in iterate_ledger(run.ledger))
    assert merged["n_lattices"] + sum(merged["left_out"].values()) == lattices
    assert f"{n_left} of {n_frames} finished" in (run.path / "report.md").read_text()
    assert open_run(run.path).summary().counts["integrated"] == n_integrated_left

    resumed = command("iota.run", "--resume", run.path, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "4 damaged lines" in " ".join((resumed.stdout + resumed.stderr).split())
    assert {r.name for r in iterate_ledger(run.ledger)} == names
    assert open_run(run.path).summary().counts["integrated"] == n_integrated
    assert len(read_ledger(run.ledger)[0]) == n_frames + 1
