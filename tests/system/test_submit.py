"""A whole run as one job of a batch system that is played by a stand-in."""

import json
import sys

import pytest
from commands import command
from essence import essence

from iota.runs import RunFolder, read_state


@pytest.fixture
def fake_batch_system(tmp_path):
    """A submit command that writes down its arguments, and where."""
    program, record = tmp_path / "bsub", tmp_path / "bsub.json"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\njson.dump(sys.argv[1:], open({str(record)!r}, 'w'))\n"
        "print('Job <17> is submitted to queue <mx>.')\n"
    )
    program.chmod(0o755)
    return program, record


@pytest.mark.slow
def test_submitted_command_does_the_run_and_a_person_can_submit_it_again(
    lysozyme, determined_run, fake_batch_system, tmp_path
):
    program, record = fake_batch_system
    done = command(
        "iota.run", lysozyme, "mp.method=custom", f"mp.submit_command={program} -q mx <iota_command>", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Submitted as job 17" in done.stdout
    folder = RunFolder.open(tmp_path / "integration" / "001")
    state = read_state(folder.state)
    assert (state.status, state.n_finished) == ("queued", 0)
    assert [(job.id, job.state) for job in state.jobs] == [("17", "queued")]

    *queue, _, here, resume, path = json.loads(record.read_text())
    assert (queue, path) == (["-q", "mx"], str(folder.path))
    record.unlink()
    again = command("iota.run", "--resume", folder.path, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert record.exists()

    done = command("iota.run", here, resume, path, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    assert essence(folder) == essence(determined_run)
    assert [(job.id, job.state) for job in read_state(folder.state).jobs] == [("17", "ended")]


def test_dry_run_shows_the_command_and_writes_nothing(lysozyme, fake_batch_system, tmp_path):
    program, record = fake_batch_system
    done = command(
        "iota.run",
        lysozyme,
        "mp.method=custom",
        f"mp.submit_command={program} <iota_command>",
        "--dry-run",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert f"{program} " in done.stdout
    assert "--here --resume" in done.stdout
    assert not record.exists()
    assert not (tmp_path / "integration").exists()
