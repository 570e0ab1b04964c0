"""Questions that processes answer: each definition says what the function that answers takes and returns."""

import importlib
import os
import pkgutil
import subprocess
import sys
import time
from pathlib import Path
from typing import get_type_hints

import pytest

import iota
from iota.engine.backend.inspection import inspect_installation
from iota.engine.frame import questions
from iota.errors import BackendError
from iota.processes.protocol import WithBytes
from iota.processes.question import Question
from iota.workers import dials

SOURCE = Path(iota.__file__).parent
MODULES = [
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
    for path in sorted(SOURCE.rglob("*.py"))
    if "= Question(" in path.read_text()
]
QUESTIONS = {
    question.function: question
    for module in MODULES
    for question in vars(importlib.import_module(module)).values()
    if isinstance(question, Question)
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_the_function_that_answers_is_there_and_takes_what_is_asked(question):
    hints = get_type_hints(pkgutil.resolve_name(question.function))
    assert next(iter(hints.values())) is question.asked
    assert hints["return"] in (question.answered, WithBytes)


def test_definitions_do_not_load_dials():
    assert len(QUESTIONS) == 14
    code = f"import sys, {', '.join(MODULES)}; print(*({{'dials', 'dxtbx'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_the_installed_dials_is_looked_at_in_a_process_of_its_own():
    found = inspect_installation()
    assert (found.error, found.stills_process_error) == ("", "")
    assert found.dials_version.startswith("3.")
    assert all(not package.error for package in found.packages.values())


def test_a_coordinator_is_told_why_the_forked_process_has_no_answer(monkeypatch):
    assert dials.ask(questions.dials_version).startswith("DIALS")
    with pytest.raises(BackendError, match="DIALS can be loaded, but crashed while the run was being prepared"):
        dials.ask(os._exit, 3)
    monkeypatch.setattr(dials, "_SECONDS", 2.0)
    with pytest.raises(BackendError, match=r"did not answer within 2 s"):
        dials.ask(time.sleep, 60)
    monkeypatch.undo()
    assert dials.ask(questions.dials_version).startswith("DIALS")
    dials.no_more_questions()
