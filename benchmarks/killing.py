"""What all of kills.py shares: starting our commands, killing them, and the book of what that cost."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from whole import half_files

_COLUMNS = ("kills", "lost", "twice", "half files", "crashed", "problems")


@dataclass
class Bench:
    """The folder in which everything happens, the moments, and what is found."""

    folder: Path
    random: random.Random
    found: dict[str, Counter[str]] = field(default_factory=dict)  # target -> column -> how many
    sentences: list[str] = field(default_factory=list)

    def count(self, target: str, column: str, n: int = 1) -> None:
        self.found.setdefault(target, Counter())[column] += n

    def problem(self, target: str, sentence: str, column: str = "problems") -> None:
        """Write down something that must not be."""
        self.count(target, column)
        self.sentences.append(f"{target}: {sentence}")

    def check_files(self, target: str, folder: Path) -> None:
        """Look for files that look whole and are not."""
        for sentence in half_files(folder):
            self.problem(target, sentence, "half files")

    @property
    def kills(self) -> Counter[str]:
        return Counter({target: columns["kills"] for target, columns in self.found.items()})

    @property
    def is_clean(self) -> bool:
        return not any(columns[name] for columns in self.found.values() for name in _COLUMNS if name not in _HARMLESS)

    def table(self, targets: Iterable[str]) -> str:
        """What was found, a line for each target."""
        lines = [f"{'target':<12}" + "".join(f"{name:>12}" for name in _COLUMNS)]
        for target in targets:
            columns = self.found.get(target, Counter())
            lines.append(f"{target:<12}" + "".join(f"{columns[name]:>12}" for name in _COLUMNS))
        return "\n".join(lines)


_HARMLESS = ("kills", "crashed")  # a frame whose worker is killed again and again has a record that says so


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def command(name: str, arguments: Sequence[object], cwd: Path) -> None:
    """Run a command that must succeed."""
    done = subprocess.run([program(name), *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} ended with {done.returncode}: {done.stdout}{done.stderr}")


def start(name: str, arguments: Sequence[object], cwd: Path) -> subprocess.Popen[bytes]:
    """Start a command as the leader of its own process group; what it says is appended to ``said.txt``."""
    with (cwd / "said.txt").open("ab") as said:
        return subprocess.Popen(
            [program(name), *map(str, arguments)], cwd=cwd, stdout=said, stderr=said, start_new_session=True
        )


def kill_process(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def members(process: subprocess.Popen[bytes], word: bytes) -> list[int]:
    """Processes below one, at any depth, with a word on their command line; those with the lowest numbers first."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    below, found = {process.pid}, []
    for pid in sorted(parents):  # children have higher numbers, but for a wrap, where some are missed
        if parents[pid] in below:
            below.add(pid)
            with contextlib.suppress(OSError):
                if word in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
    return found


def is_over(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait so long; whether the process has ended by then."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, seconds))
    return process.poll() is not None


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is true, at most so long; whether it is."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
