"""Runs that are killed and resumed until they are finished."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from killing import Bench, command, is_over, kill_group, kill_process, members, start

from iota.errors import RunFolderError
from iota.runs import RunFolder, read_ledger
from iota.runs.state import read_state

_LIMIT_S = 300.0
_Essence = dict[str, tuple[Any, ...]]


def undisturbed(bench: Bench, known: Sequence[str]) -> RunFolder:
    """A run over the images that nobody disturbs, made once for each group of parameters."""
    project = bench.folder / ("known" if known else "determined")
    folder = RunFolder(project / "integration" / "001")
    if not project.exists():
        project.mkdir()
        command("iota.run", (bench.folder / "images", "-n", 2, *known), project)
    return folder


def kill(bench: Bench, target: str, n_kills: int, known: Sequence[str]) -> None:
    """Kill runs, every second of them one that determines the lattice, until there were enough kills."""
    number = 0
    while bench.kills[target] < n_kills:
        given = known if number % 2 == 0 else ()
        reference = undisturbed(bench, given)
        project = bench.folder / f"{target}-{number}"
        project.mkdir()
        folder = _one_run(bench, target, n_kills, project, given)
        if folder is None:
            bench.problem(target, f"no run came to its end: {(project / 'said.txt').read_text()[-500:]}")
            return
        _compare(bench, target, folder, reference)
        bench.check_files(target, project)
        number += 1


def _one_run(bench: Bench, target: str, n_kills: int, project: Path, known: Sequence[str]) -> RunFolder | None:
    """Kill a run and resume it until it is finished; None when that does not come to an end."""
    arguments: Sequence[object] = (bench.folder / "images", "-n", 2, *known)
    longest_s, began = 8.0, time.monotonic()
    while time.monotonic() - began < _LIMIT_S:
        process, started = start("iota.run", arguments, project), time.monotonic()
        while not is_over(process, bench.random.uniform(0, longest_s)):
            if bench.kills[target] >= n_kills:
                process.wait(_LIMIT_S)
            elif target == "worker":
                _kill_worker(bench, process)
            else:
                (kill_process if target == "coordinator" else kill_group)(process)
                bench.count(target, "kills")
        folder = _newest(project)
        if process.returncode == 0 and folder is not None:
            return folder
        if process.returncode == 2 and folder is not None:
            bench.check_files(target, folder.path)  # it was killed before it had all to begin with
            folder = None
        longest_s = max(2.0, min(longest_s, 1.2 * (time.monotonic() - started)))
        arguments = ("--resume", folder.path) if folder is not None else (bench.folder / "images", "-n", 2, *known)
    return None


def _kill_worker(bench: Bench, process: subprocess.Popen[bytes]) -> None:
    workers = members(process, b"forkserver")[1:]  # the first is what forks them
    if workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(bench.random.choice(workers), signal.SIGKILL)
            bench.count("worker", "kills")


def _newest(project: Path) -> RunFolder | None:
    found = sorted((project / "integration").glob("[0-9]*"))
    return RunFolder(found[-1]) if found else None


def _compare(bench: Bench, target: str, folder: RunFolder, reference: RunFolder) -> None:
    """Write down frames that are lost, that have two records, and that ended in another way than undisturbed."""
    expected, names = _essence(reference), Counter(result.name for result in read_ledger(folder.ledger)[0])
    found = _essence(folder)
    bench.count(target, "lost", len(expected.keys() - found.keys()))
    bench.count(target, "twice", sum(n - 1 for n in names.values()))
    bench.count(target, "crashed", sum(outcome == "crashed" for outcome, *_ in found.values()))
    for name in sorted(expected.keys() & found.keys()):
        if found[name] != expected[name] and target != "worker":
            bench.problem(target, f"{name} is {found[name][:2]}, undisturbed {expected[name][:2]}")
    with contextlib.suppress(RunFolderError):
        state = read_state(folder.state)
        if (state.status, state.n_finished) != ("finished", len(expected)):
            bench.problem(target, f"{folder.path} says {state.status}, {state.n_finished} of {state.n_frames}")
    listed = [
        line
        for outcome in ("integrated", "not_integrated")
        for line in (folder.path / f"{outcome}.lst").read_text(encoding="utf-8").splitlines()
    ]
    if len(listed) != len(set(listed)) or len(listed) != len(expected):
        bench.problem(target, f"the lists of {folder.path} hold {len(listed)} images, {len(set(listed))} different")


def _essence(folder: RunFolder) -> _Essence:
    """What must not depend on where a run was interrupted, by frame."""
    return {
        x.name: (x.outcome, x.reason, x.settings, [(y.unit_cell, y.a_matrix, y.n_integrated) for y in x.lattices])
        for x in read_ledger(folder.ledger)[0]
    }
