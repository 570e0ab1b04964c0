"""Runs that pages start: the command of a person, in a process of its own."""

import asyncio

import pytest
from commands import LYSOZYME, command

from iota.errors import UsageError
from iota.params import read, script_text
from iota.runs import RunFolder, read_ledger, read_state
from iota.runs.state import is_at_work
from iota.web.projects.launch import resume_run, start_run, stop_run


async def _until(condition, seconds=120.0):
    for _ in range(int(seconds * 10)):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("waited too long")


@pytest.mark.slow
async def test_a_run_is_started_stopped_and_resumed(lysozyme, tmp_path):
    script = script_text(read([], [f"input={lysozyme}", "mp.n_processors=1", *LYSOZYME]))
    folder = await start_run(script, "indexing.stills.rmsd_min_px = 4\n", tmp_path)
    assert folder.path == tmp_path / "integration" / "001"
    assert is_at_work(read_state(folder.state))
    await _until(lambda: read_ledger(folder.ledger)[0])
    await stop_run(folder)
    await _until(lambda: read_state(folder.state).status == "aborted")
    assert len(read_ledger(folder.ledger)[0]) < 12
    await resume_run(folder)
    await _until(lambda: read_state(folder.state).status == "finished")
    assert len(read_ledger(folder.ledger)[0]) == 12
    assert "rmsd_min_px = 4" in folder.target.read_text()
    again = command("iota.run", "--analyze", folder.path, cwd=tmp_path)
    assert again.returncode == 0, again.stderr


async def test_what_the_command_refuses_is_its_own_sentence(tmp_path):
    script = script_text(read([], [f"input={tmp_path / 'nothing'}"]))
    with pytest.raises(UsageError, match="No images"):
        await start_run(script, "", tmp_path)
    with pytest.raises(UsageError, match=r"no parameter named indexing\.nonsense"):
        await start_run(script, "indexing.nonsense = 1\n", tmp_path)
    assert not list((tmp_path / "integration").glob("*"))


async def test_a_folder_that_is_a_file_is_a_sentence(tmp_path):
    (tmp_path / "project").write_text("not a folder")
    with pytest.raises(UsageError, match="Choose another project folder"):
        await start_run("", "", tmp_path / "project")


def test_a_run_whose_process_is_gone_is_not_at_work(tmp_path):
    folder = RunFolder.create(tmp_path)
    folder.write_text(folder.state, '{"status":"running","n_frames":3,"process_id":4194999,"heartbeat":1.0}')
    assert not is_at_work(read_state(folder.state))
