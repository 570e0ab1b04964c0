"""The page of all runs."""

from nicegui import ui

from iota.runs import RunFolder
from iota.web.projects.projects import Projects, read_note


async def test_runs_are_listed_and_their_notes_kept(visit, known_run):
    project = known_run.path.parents[1]
    user = await visit(project)
    await user.open("/runs")
    await user.should_see(str(project))
    tables = user.find(kind=ui.table)
    (row,) = next(iter(tables.elements)).rows
    assert (row["number"], row["n_finished"], row["n_frames"]) == (1, 12, 12)
    assert (row["status_text"], row["can_resume"]) == ("finished", False)
    tables.trigger("note", ["001", " good crystals \n"])
    await user.should_not_see("An unexpected error occurred")
    assert read_note(known_run) == "good crystals"


async def test_a_project_without_runs_says_where_to_begin(visit, tmp_path):
    user = await visit(tmp_path)
    await user.open("/runs")
    await user.should_see("New run")


def test_runs_of_other_projects_have_ids_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folders = []
    for name in ("here", "there"):
        folder = RunFolder.create(tmp_path / name)
        folder.write_info(["iota.run"], {})
        folder.write_text(folder.state, '{"status":"finished","n_frames":0}')
        folders.append(folder)
    projects = Projects(tmp_path / "here")
    projects.add(tmp_path / "there")
    ids = [projects.id_of(folder) for folder in folders]
    assert ids[0] == "001"
    assert ids[1].startswith("001@")
    again = Projects(tmp_path / "here")  # after a restart
    assert [again.folder(run_id).path for run_id in ids] == [folder.path for folder in folders]
    assert [entry.id for entry in again.runs()] == ids
