"""Processes that answer questions: whatever becomes of them is a sentence, and none outlives who waits for it."""

import ast
import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import made_up_answers
import pytest
import tomllib

from iota.errors import BackendError
from iota.processes import awaiting
from iota.processes.program import output_of, run_program
from iota.processes.question import AnsweringProcess, CrashError, FailureError, LateError, NoAnswerError, Question

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _answers_are_found(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))


def question(function, asked=int, answered=int, **limits):
    name = f"{made_up_answers.__name__}:{function.__name__}"
    return Question(name, asked, answered, "Doubling", **{"seconds": 20, "advice": "Ask another.", **limits})


def test_an_answer_and_what_is_told_on_the_way_is_typed_whatever_libraries_print():
    told = []
    assert question(made_up_answers.double).ask(21, told.append) == 42
    assert told == [1]
    process = AnsweringProcess(question(made_up_answers.with_bytes, str))
    assert process.ask("ä" * 100_000) == (100_000, ("ä" * 100_000).encode() * 100)
    process.end()


def test_one_process_answers_many_questions_and_a_new_one_takes_its_place():
    process = AnsweringProcess(question(made_up_answers.process_id))
    first = process.ask(0)[0]
    assert process.ask(0)[0] == first
    os.kill(first, signal.SIGKILL)
    while process.is_running:
        time.sleep(0.01)
    second = process.ask(0)[0]
    assert second != first
    process.end()
    assert not Path(f"/proc/{second}").exists()


@pytest.mark.parametrize(
    ("asked", "given", "kind", "sentence"),
    [
        (question(made_up_answers.refuse), 3, NoAnswerError, "3 is too odd."),
        (
            question(made_up_answers.look_too_far, counted="names"),
            5000,
            NoAnswerError,
            "Doubling was ended at 5,000 names; 5,000 names were found by then. Ask another.",
        ),
        (
            question(made_up_answers.fail),
            3,
            FailureError,
            "Doubling failed (KeyError: 'nothing of this name'). Ask another.",
        ),
        (
            question(made_up_answers.hang, str, seconds=1),
            "",
            LateError,
            "Doubling was ended after 1 s. Ask another.",
        ),
        (
            question(made_up_answers.take_memory, megabytes=300),
            400_000_000,
            NoAnswerError,
            "Doubling was ended at 300 MB of memory. Ask another.",
        ),
        (
            question(made_up_answers.crash),
            signal.SIGUSR1,
            CrashError,
            "Doubling has no result because its process was killed (signal 10): cannot open libboost. Ask another.",
        ),
        (
            question(made_up_answers.crash),
            signal.SIGKILL,
            CrashError,
            "Doubling has no result because its process was killed (signal 9), as happens when a machine runs out of"
            " memory: cannot open libboost. Ask another.",
        ),
        (
            question(made_up_answers.leave),
            3,
            CrashError,
            "Doubling has no result because its process ended with status 3. Ask another.",
        ),
        (
            question(made_up_answers.babble),
            3,
            CrashError,
            "Doubling has no result because its answer cannot be read. Ask another.",
        ),
        (
            question(made_up_answers.say_text),
            3,
            CrashError,
            "Doubling has no result because its answer cannot be read. Ask another.",
        ),
        (
            replace(question(made_up_answers.double), function="no_such_module:double"),
            3,
            FailureError,
            "Doubling failed (ModuleNotFoundError: No module named 'no_such_module'). Ask another.",
        ),
    ],
    ids=lambda value: value.function if isinstance(value, Question) else "",
)
def test_whatever_goes_wrong_is_a_sentence(asked, given, kind, sentence):
    process = AnsweringProcess(asked)
    start = time.monotonic()
    with pytest.raises(NoAnswerError) as error:
        process.ask(given)
    process.end()
    assert (type(error.value), str(error.value)) == (kind, sentence)
    assert time.monotonic() - start < 15


async def test_a_task_that_is_cancelled_ends_its_process(tmp_path):
    told = []
    assert await awaiting.ask(question(made_up_answers.double), 21, told.append) == 42
    assert told == [1]
    with pytest.raises(CrashError, match="status 3"):
        await awaiting.ask(question(made_up_answers.leave), 3)
    waiting = asyncio.create_task(awaiting.ask(question(made_up_answers.hang, str), str(tmp_path / "hangs")))
    while not (hangs := said_by(tmp_path / "hangs")):
        await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not Path(f"/proc/{hangs[0]}").exists()


def said_by(path):
    """Process and folder of a question that hangs, once it does."""
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_process_ends_with_who_asked_and_tidies_up(tmp_path, number):
    path = tmp_path / "hangs"
    code = (
        "from iota.processes.question import Question\n"
        f"Question('made_up_answers:hang', str, int, 'Hanging', seconds=60).ask({str(path)!r})\n"
    )
    asker = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while not (hangs := said_by(path)):
        time.sleep(0.02)
    asker.send_signal(number)
    asker.wait(20)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{hangs[0]}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert number != signal.SIGKILL or not Path(hangs[1]).exists()


def test_a_program_has_a_log_and_its_failure_is_a_sentence(tmp_path):
    log = tmp_path / "program.log"
    run_program(["sh", "-c", "pwd; echo words >&2"], folder=tmp_path, log=log)
    assert log.read_text() == f"{tmp_path}\nwords\n"
    for script, words in (
        ("echo Sorry: No such cell.; exit 1", "scale failed: No such cell. See "),
        ("echo words; exit 3", "scale ended with status 3. See "),
        ("kill -9 $$", "scale was killed (signal 9), as happens when a machine runs out of memory. See "),
    ):
        with pytest.raises(BackendError) as error:
            run_program(["sh", "-c", script], folder=tmp_path, log=log, name="scale")
        assert str(error.value) == f"{words}{log}."
    with pytest.raises(BackendError, match=r"no_such_program cannot be started: No such file or directory\."):
        run_program(["no_such_program"], folder=tmp_path, log=log)
    with pytest.raises(TimeoutError, match=r"sleep did not end within 0\.2 s"):
        output_of(["sleep", "9"], 0.2)


def modules_in_strings(path):
    """Modules of IOTA that a file names in strings which are not its docstrings."""
    tree = ast.parse(path.read_text())
    docstrings = {id(node.body[0].value) for node in ast.walk(tree) if hasattr(node, "body") and is_docstring(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            for name in re.findall(r"\biota(?:\.\w+)+", node.value):
                place = ROOT / "src" / name.replace(".", "/")
                if place.is_dir() or place.with_suffix(".py").is_file():
                    yield name


def is_docstring(node):
    body = node.body if isinstance(node.body, list) else []
    return bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)


def test_no_package_names_a_module_of_another_in_a_string():
    commands = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    named = {
        (str(path.relative_to(ROOT / "src")), name)
        for path in (ROOT / "src" / "iota").rglob("*.py")
        for name in modules_in_strings(path)
        if name not in commands and name.split(".")[1] != path.relative_to(ROOT / "src").parts[1]
    }
    assert not named
