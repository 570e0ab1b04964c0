"""Records of hits that are processed again with another geometry, in a run that is killed meanwhile."""

import shutil

import pytest
from made_runs import blank, hit, made_run

from iota.errors import RunFolderError
from iota.runs import Ledger, iterate_ledger
from iota.runs.determination import Determination, read_determination, write_determination
from iota.runs.geometry_revisions import BY_RUN, GeometryRevisions, Proof, Revision, write_revisions
from iota.runs.withdrawn import WithdrawnRecords, undo_unfinished, withdraw

NEW = Revision(
    number=1,
    method="refinement",
    reference="geometry/001/refined.expt",
    finding="The detector is tilted.",
    n_used=48,
    proof=Proof(
        n_hits=24,
        n_integrated_before=20,
        n_integrated_after=24,
        n_both=20,
        n_indexed_before=900,
        n_indexed_after=1800,
        is_better=True,
    ),
)


@pytest.fixture
def run(tmp_path):
    """Two blanks and three hits, what was determined, and the folder of a new geometry."""
    folder = made_run(tmp_path, [blank(0), hit(1), hit(2), blank(3), hit(4)])
    write_determination(folder, Determination(over=True))
    (folder.path / "geometry" / "001").mkdir(parents=True)
    (folder.path / "geometry" / "001" / BY_RUN).touch()
    return folder


def _names(path):
    return sorted(record.name for record in iterate_ledger(path))


def _withdraw(run):
    with Ledger(run.ledger) as ledger:
        return withdraw(run, ledger, NEW, lambda record: record.outcome == "integrated", lattices=True)


def test_what_was_withdrawn_for_a_geometry_in_use_stays_withdrawn(run):
    before = _names(run.ledger)
    assert len(_withdraw(run)) == 3
    write_revisions(run, GeometryRevisions(revisions=[NEW]))
    undo_unfinished(run)
    assert len(_names(run.ledger)) == len(before) - 3
    assert len(WithdrawnRecords(run.path / NEW.frames_before)) == 3
    assert not read_determination(run).over


@pytest.mark.parametrize("killed", ["before the ledger is replaced", "before the lattices are", "before it is stored"])
def test_a_run_killed_while_it_withdraws_records_has_them_again_when_it_is_resumed(run, killed):
    before, ledger = _names(run.ledger), run.ledger.read_bytes()
    _withdraw(run)
    if killed == "before the ledger is replaced":  # the other file may be incomplete
        run.ledger.write_bytes(ledger)
        withdrawn = run.path / NEW.frames_before
        withdrawn.write_bytes(withdrawn.read_bytes()[:-40])
    if killed != "before it is stored":
        shutil.move(run.path / NEW.folder / run.determined.name, run.determined)
    undo_unfinished(run)
    undo_unfinished(run)
    assert _names(run.ledger) == before
    assert len(run.ledger.read_bytes().splitlines()) == len(before)
    assert read_determination(run).over
    assert not (run.path / NEW.folder).exists()


def test_nothing_is_undone_if_it_is_not_known_which_geometry_is_in_use(run):
    _withdraw(run)
    run.geometry_revisions.write_text("{")
    with pytest.raises(RunFolderError, match="cannot be read"):
        undo_unfinished(run)
    assert len(WithdrawnRecords(run.path / NEW.frames_before)) == 3


def test_a_geometry_that_was_being_tested_is_removed_and_one_that_somebody_asked_for_is_not(run):
    asked_for, unreplaced = run.path / "geometry" / "002", run.path / ".frames.jsonl.4711"
    asked_for.mkdir()
    unreplaced.write_bytes(b"{")
    undo_unfinished(run)
    assert [path.name for path in (run.path / "geometry").iterdir()] == ["002"]
    assert not unreplaced.exists()
