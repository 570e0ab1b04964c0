"""A run that watches for hours, while files arrive as they do at a beamline: is any lost, and how long does each wait?

    .venv/bin/python benchmarks/watching.py [--hours 2] [--folders 60] [--per-second 2] [--volley N] [--keep DIR]

A real ``iota.run --watch`` follows a tree of folders. Files come in bursts into random folders, with rests of 1 to 5
minutes between: written at once, in slow pieces, or under a .tmp name; some are renamed or moved to another folder up
to two seconds after they were complete, others long after they were processed; some are copies; folders are renamed,
and emptied, deleted and made again. A file is deleted some time after its record, as inodes and disks are limited.

With ``--volley N`` now and then N files come in one moment, more than the one worker can take, so that many are renamed
while they are waiting for it; how long they wait then says nothing about watching.

Prints how many files have no record, or more than one, and how long they waited from when they were complete under
the name of their record. Exit status 1 when a file was lost or counted twice.
``docs/decisions/0005-runs-that-survive.md`` has the figures.
"""

from __future__ import annotations

import argparse
import atexit
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from iota.records import FrameResult
from iota.runs import RunFolder, read_state
from iota.runs.ledger import read_ledger
from iota.runs.lists import read_input_list
from iota.simulate.dataset import write_dataset
from iota.simulate.detector import make_detector
from iota.simulate.experiment import Experiment, Frames

IOTA_RUN = Path(sys.executable).with_name("iota.run")
BURST_S, REST_S = (20.0, 60.0), (60.0, 300.0)
KEPT_S = 60.0  # how long a file stays after its record


class Arriving:
    """Writes files, and knows under which names each of them has been, and since when."""

    def __init__(self, tree: Path, image: bytes, n_folders: int, rng: random.Random) -> None:
        self.tree, self.image, self.rng = tree, image, rng
        self.folders = [tree / f"day_{k % 3}" / f"chip_{k:03d}" for k in range(n_folders)]
        for folder in self.folders:
            folder.mkdir(parents=True)
        self.file_of: dict[str, int] = {}  # every name it had -> number of the file
        self.since: dict[str, float] = {}  # name -> when the file was there and complete (s since the epoch)
        self.kind: dict[int, str] = {}
        self.place: dict[int, Path] = {}  # where a file is now
        self.n_renamed_folders = 0
        self.lock = threading.RLock()
        self.threads: list[threading.Thread] = []

    def arrive(self) -> None:
        """Let one more file come."""
        kinds = {"at once": 35, "tmp": 15, "pieces": 10, "renamed": 15, "moved": 10, "late": 10, "copy": 5}
        (kind,) = self.rng.choices(list(kinds), list(kinds.values()))
        with self.lock:
            number = len(self.kind)
            self.kind[number] = kind
            path = self._new_name(number)
        ways = {"tmp": self._by_tmp, "pieces": self._in_pieces, "copy": self._copy}
        act: Callable[[int, Path], None] = ways.get(kind, self._at_once)
        then = {"renamed": (0.0, 2.0), "moved": (0.0, 2.0), "late": (5.0, 60.0)}.get(kind)
        pause_s = self.rng.uniform(*then) if then else None

        def work() -> None:
            act(number, path)
            if pause_s is not None:
                time.sleep(pause_s)
                self._move(number, is_far=kind != "renamed")

        self.threads = [thread for thread in self.threads if thread.is_alive()]
        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()

    def _new_name(self, number: int, folder: Path | None = None) -> Path:
        return (folder or self.rng.choice(self.folders)) / f"img_{self.rng.randrange(10**6):06d}_{number:06d}.cbf"

    def _is_there(self, number: int, path: Path, at: float) -> None:
        self.file_of[str(path)], self.since[str(path)], self.place[number] = number, at, path

    def _at_once(self, number: int, path: Path) -> None:
        with self.lock:
            self._make(path)
            path.write_bytes(self.image)
            self._is_there(number, path, time.time())

    def _copy(self, number: int, path: Path) -> None:
        """Copy a file with its times, under a hidden name as copying programs do."""
        with self.lock:
            there = [old for old in list(self.place.values())[-100:] if old.exists()]
            if not there:
                self._at_once(number, path)
                return
            self._make(path)
            part = path.with_name(f".{path.name}.Xy3")
            shutil.copy2(self.rng.choice(there), part)
            part.rename(path)
            self._is_there(number, path, time.time())

    def _by_tmp(self, number: int, path: Path) -> None:
        with self.lock:
            self._make(path)
            part = path.with_suffix(".cbf.tmp")
            part.write_bytes(self.image)
            part.rename(path)
            self._is_there(number, path, time.time())

    def _in_pieces(self, number: int, path: Path) -> None:
        with self.lock:
            self._make(path)
            self.file_of[str(path)], self.since[str(path)] = number, float("inf")
            file = path.open("wb")
        with file:
            step = len(self.image) // 6 + 1
            for start in range(0, len(self.image), step):
                file.write(self.image[start : start + step])
                file.flush()
                time.sleep(self.rng.uniform(0.05, 0.6))
        with self.lock:  # its folder may have been renamed meanwhile
            now = self.place.get(number, path)
            self._is_there(number, now, time.time())

    def _make(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)

    def _move(self, number: int, *, is_far: bool) -> None:
        with self.lock:
            before = self.place.get(number)
            if before is None or not before.exists():
                return
            path = self._new_name(number, None if is_far else before.parent)
            self._make(path)
            before.rename(path)
            self._is_there(number, path, time.time())

    def rename_a_folder(self) -> None:
        """Give a folder another name, with all that is in it."""
        with self.lock:
            k = self.rng.randrange(len(self.folders))
            before, self.n_renamed_folders = self.folders[k], self.n_renamed_folders + 1
            if not before.is_dir():
                return
            after = self.folders[k] = before.with_name(f"{before.name.partition('+')[0]}+{self.n_renamed_folders}")
            before.rename(after)
            now = time.time()
            for name, number in list(self.file_of.items()):
                if Path(name).parent == before:
                    path = after / Path(name).name
                    if path.exists():
                        unfinished = self.since[name] == float("inf")
                        self._is_there(number, path, float("inf") if unfinished else now)

    def clear(self, done: set[int]) -> None:
        """Delete files that have their record, and folders that are empty then; they are made again when needed."""
        with self.lock:
            for number in done:
                if (path := self.place.get(number)) is not None:
                    path.unlink(missing_ok=True)
            for folder in self.rng.sample(self.folders, 3):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()

    def end(self) -> None:
        """Wait for all that is on its way."""
        for thread in self.threads:
            thread.join()


class Records:
    """What the run says of each file."""

    def __init__(self, ledger: Path) -> None:
        self.ledger, self.results, self._offset = ledger, list[FrameResult](), 0

    def read(self) -> None:
        """Take in what is new."""
        if self.ledger.exists():
            new, self._offset = read_ledger(self.ledger, self._offset)
            self.results += new


def make_image(folder: Path) -> bytes:
    """One blank of 0.3 megapixels."""
    experiment = Experiment(
        detector=make_detector("300k"), frames=Frames(blank_fraction=1.0, weak_fraction=0.0, multi_fraction=0.0)
    )
    write_dataset(folder, experiment, 1, nproc=1)
    return next(folder.glob("*.cbf")).read_bytes()


def cpu_s(pid: int) -> float:
    """Processor time of one process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def follow(
    run: subprocess.Popen[bytes], arriving: Arriving, records: Records, hours: float, per_second: float, volley: int
) -> float:
    """Have files arrive for so long; return the share of a core that the run takes while nothing arrives."""
    rng, end = arriving.rng, time.monotonic() + hours * 3600
    due: list[tuple[float, int]] = []
    seen, quiet_cpu_s, quiet_s = 0, 0.0, 0.0
    while time.monotonic() < end and run.poll() is None:
        burst_end = min(end, time.monotonic() + rng.uniform(*BURST_S))
        while time.monotonic() < burst_end:
            for _ in range(volley if rng.random() < 0.05 else 1):
                arriving.arrive()
            if rng.random() < 0.02:
                arriving.rename_a_folder()
            time.sleep(rng.expovariate(per_second))
        rest_end = min(end, time.monotonic() + rng.uniform(*REST_S))
        time.sleep(5.0)
        started, cpu_before = time.monotonic(), cpu_s(run.pid)
        while time.monotonic() < rest_end:
            time.sleep(1.0)
        quiet_cpu_s, quiet_s = quiet_cpu_s + cpu_s(run.pid) - cpu_before, quiet_s + time.monotonic() - started
        records.read()
        now = time.time()
        due += [
            (now, arriving.file_of[r.frame.path]) for r in records.results[seen:] if r.frame.path in arriving.file_of
        ]
        seen = len(records.results)
        arriving.clear({number for at, number in due if now - at > KEPT_S})
        due = [(at, number) for at, number in due if now - at <= KEPT_S]
        tell(arriving, records, file=sys.stderr)
    arriving.end()
    return quiet_cpu_s / max(quiet_s, 1.0)


def tell(arriving: Arriving, records: Records, file: object = None) -> int:
    """Print what became of the files so far; return how many were lost or counted twice."""
    numbers = Counter(arriving.file_of.get(r.frame.path, -1) for r in records.results)
    lost = [number for number in arriving.kind if number not in numbers]
    twice = [number for number, n in numbers.items() if n > 1]
    other = Counter(r.outcome for r in records.results if r.outcome != "failed_triage")
    waits = [r.finished - arriving.since[r.frame.path] for r in records.results if r.frame.path in arriving.since]
    waits = sorted(wait for wait in waits if wait > float("-inf"))
    if waits:
        print(
            f"{len(arriving.kind)} files, {len(records.results)} records: {len(lost)} without one, {len(twice)} with"
            f" more; outcomes but blanks {dict(other)}; wait median {statistics.median(waits):.2f} s, 95 %"
            f" {waits[int(0.95 * len(waits))]:.2f} s, longest {waits[-1]:.2f} s",
            file=file,  # type: ignore[arg-type]
            flush=True,
        )
    for number in [*lost, *twice][:10]:
        names = [name for name, k in arriving.file_of.items() if k == number]
        print(f"  {'lost' if number in lost else 'twice'}: {arriving.kind[number]}, {names}", file=file)  # type: ignore[arg-type]
    return len(lost) + len(twice) + sum(other.values())


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--folders", type=int, default=60)
    parser.add_argument("--per-second", type=float, default=2.0)
    parser.add_argument("--volley", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="folder for all of it, that stays")
    options = parser.parse_args()
    place = Path(options.keep or tempfile.mkdtemp(prefix="watching_"))
    place.mkdir(parents=True, exist_ok=True)
    arriving = Arriving(place / "data", make_image(place / "image"), options.folders, random.Random(options.seed))
    words = ["data", "--watch", "-n", "1", "target_unit_cell=79.2 79.2 38.1 90 90 90", "target_space_group=P43212"]
    with (place / "out.txt").open("w") as out:
        run = subprocess.Popen([str(IOTA_RUN), *words], cwd=place, stdout=out, stderr=subprocess.STDOUT)
    folder = RunFolder(place / "integration" / "001")
    atexit.register(run.terminate)  # should anything go wrong here
    while not (folder.state.exists() and read_state(folder.state).status == "watching"):
        time.sleep(0.2)
    time.sleep(10.0)  # until its worker has DIALS
    records = Records(folder.ledger)
    quiet = follow(run, arriving, records, options.hours, options.per_second, options.volley)
    time.sleep(20.0)
    subprocess.run([str(IOTA_RUN), "--finish", str(folder.path)], check=True, stdout=subprocess.DEVNULL)
    status = run.wait(300)
    records.read()
    n_wrong = tell(arriving, records)
    listed = {frame.path for frame in read_input_list(folder)}
    n_wrong += len(listed ^ {result.frame.path for result in records.results})
    first = {number: name for name, number in reversed(arriving.file_of.items())}
    n_later = sum(first.get(arriving.file_of.get(r.frame.path, -1)) != r.frame.path for r in records.results)
    kinds = dict(Counter(arriving.kind.values()))
    print(
        f"  {n_later} records under another name than the first; {kinds}, {arriving.n_renamed_folders} folders renamed"
    )
    print(f"  {100 * quiet:.1f} % of a core at rest; exit status {status}, {len(listed)} in input.lst")
    late = sorted((arriving.since.get(r.frame.path, 0.0) - r.finished, r.frame.path) for r in records.results)[:5]
    for wait, path in late:
        print(f"  {-wait:.2f} s: {arriving.kind[arriving.file_of[path]]} {path}")
    if options.keep:
        (place / "files.json").write_bytes(msgspec.json.encode([arriving.file_of, arriving.since, arriving.kind]))
    else:
        shutil.rmtree(place)
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
