"""A run that is stopped while its geometry is revised waits for nothing, and leaves no process behind."""

import os
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import made_up_answers
from made_runs import blank, hit, made_run

from iota.params import read
from iota.processes.question import Question
from iota.processing import conclusion
from iota.processing.geometry import rules as geometry_rules
from iota.processing.geometry.checks import GeometryChecks
from iota.processing.geometry.live import LiveGeometry
from iota.records import FrameRef, Screened


def _answering():
    ours = ["pgrep", "-P", str(os.getpid()), "-f", "made_up_answers:think"]
    return subprocess.run(ours, capture_output=True, text=True, check=False).stdout.split()


def test_a_calculation_ends_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(made_up_answers.__file__).parent))
    slow = Question("made_up_answers:think", dict, int, "Thinking", seconds=60)
    monkeypatch.setattr(geometry_rules, "SEARCH_WITH_HITS", slow)
    run = made_run(tmp_path, [blank(0)])
    values = SimpleNamespace(geometry=SimpleNamespace(refine="auto", levels=None))
    rules = geometry_rules.geometry_rules(values, "", run, (), list)
    found = []
    hits = [Screened(frame=FrameRef("/data/a.cbf"), name="a", n_spots=50)]
    thread = threading.Thread(target=lambda: found.append(rules.search(hits)))
    thread.start()
    while not _answering():
        time.sleep(0.02)
    rules.stop()
    thread.join(5)
    assert found == [None]
    assert not _answering()
    assert rules.search(hits) is None, "and nothing is begun any more"


def test_the_conclusion_of_a_stopped_run_does_not_check_the_geometry(tmp_path, monkeypatch):
    checked = []
    monkeypatch.setattr(conclusion, "conclude_geometry", lambda *words: (checked.append(1), None))
    run = made_run(tmp_path, [hit(k) for k in range(3)])
    parameters = read([run.script])
    conclusion.conclude(run, parameters, [], {}, checks_geometry=False)
    assert not checked
    conclusion.conclude(run, parameters, [], {})
    assert checked


def test_a_check_in_progress_is_lost_when_the_geometry_changes(tmp_path, monkeypatch):
    """It is about the geometry before, and must not be stored after that of the new one begins."""
    monkeypatch.setenv("PYTHONPATH", str(Path(made_up_answers.__file__).parent))
    slow = Question("made_up_answers:think", dict, int, "Thinking", seconds=60)
    run, told = made_run(tmp_path, [hit(k) for k in range(30)]), []
    monkeypatch.setattr(GeometryChecks, "diagnosis", lambda checks: checks._ask(slow, {}))
    live = LiveGeometry(run, told.append)
    live.look(25, [])
    while not _answering():
        time.sleep(0.02)
    live.restart()
    assert not live.is_checking
    assert not _answering()
    assert not run.geometry_diagnosis.exists()
    live.look(24, [])
    assert not live.is_checking
    live.look(25, [])
    assert live.is_checking, "the new geometry is checked"
    live.stop()
    assert told == []
