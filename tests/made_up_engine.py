"""A made-up engine for tests of the coordinator: what it does to a frame depends on the frame alone."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from iota.crystallography.lattices import is_same_lattice, niggli_cell
from iota.engine.frame.bundle import run_bundle
from iota.records import FrameRef, FrameResult, Lattice, Scouted, Screened, Settings
from iota.runs.determination import Determination

TETRAGONAL = (58.4, 58.4, 152.2, 90.0, 90.0, 90.0)
DOUBLED = (58.4, 116.8, 152.2, 90.0, 90.0, 90.0)
CUBIC = (96.0, 96.0, 96.0, 90.0, 90.0, 90.0)
TRIED = [Settings("first"), Settings("second"), Settings("third")]


def noisy(cell, seed):
    rng = random.Random(seed)
    return niggli_cell(
        [x * (1 + rng.uniform(-0.006, 0.006)) for x in cell[:3]] + [90 + rng.uniform(-0.4, 0.4) for _ in range(3)]
    )


class Crystals:
    """Frames by name: ``blank``, or the cell of the crystal and the number of the settings from which it is found."""

    def __init__(self, frames):
        self.frames = frames
        self.asked = []

    def work(self, task):
        self.asked.append((task.kind, task.name))
        kind, cell, number, wrong = self.frames[task.name]
        if kind == "blank":
            return self._result(task, "failed_triage")
        if task.kind == "screen":
            return Screened(frame=task.frame, name=task.name, n_spots=100)
        if task.kind == "scout":
            return self._scouted(task, cell, number, wrong)
        for settings in task.settings:
            found = self._index(task.name, settings, cell, number, wrong)
            if found is not None:
                return self._result(task, "integrated", settings=settings.label, cell=found)
        return self._result(task, "failed_indexing")

    def _index(self, name, settings, cell, number, wrong):
        if settings.phil:  # a lattice as known
            known = tuple(float(x) for x in settings.phil.split())
            return noisy(cell, name) if is_same_lattice(niggli_cell(known), niggli_cell(cell)) else None
        k = [s.label for s in TRIED].index(settings.label)
        if k >= number:
            return noisy(cell, f"{name}{k}")
        return noisy(wrong, f"{name}{k}") if wrong else None

    def _scouted(self, task, cell, number, wrong):
        found = self._index(task.name, task.settings[0], cell, number, wrong)
        return Scouted(
            frame=task.frame,
            name=task.name,
            settings=task.settings[0].label,
            unit_cell=found,
            n_indexed=90 if found else 0,
        )

    @staticmethod
    def _result(task, outcome, settings="", cell=None):
        lattices = []
        if cell is not None:
            lattices = [Lattice(bravais="aP", space_group="P 1", unit_cell=cell, a_matrix=(1,) * 9, n_indexed=90)]
        return FrameResult(frame=task.frame, name=task.name, outcome=outcome, settings=settings, lattices=lattices)


class Threads:
    """Workers that finish in a random order, and now and then do not come to all that they were given."""

    def __init__(self, work, n_processes, seed):
        self.n_processes = n_processes
        self._pool = ThreadPoolExecutor(n_processes)
        self._work, self._random, self._lock = work, random.Random(seed), threading.Lock()

    def submit(self, tasks):
        with self._lock:
            delay = self._random.uniform(0, 0.002)
            n = len(tasks) if self._random.random() < 0.8 else self._random.randint(1, len(tasks))
        return self._pool.submit(self._do, tasks[:n], delay)

    def stop(self):
        self._pool.shutdown()

    def _do(self, tasks, delay):
        time.sleep(delay)
        return run_bundle(self._work, tasks)


class Killed(Exception):
    """The coordinator dies."""


class Book:
    """Ledger and learnt.json in one; after a number of entries the coordinator is killed."""

    def __init__(self, entries=10**9):
        self.results, self.lattices, self.determination = {}, [], None
        self.entries = entries

    def _entry(self):
        self.entries -= 1
        if self.entries < 0:
            raise Killed

    def finished(self, result):
        self._entry()
        assert result.frame not in self.results, "a frame has two records"
        self.results[result.frame] = result

    def determined(self, determination):
        self._entry()
        self.lattices = list(determination.lattices)
        self.determination = Determination(list(determination.lattices), determination.over)

    def tick(self, doing, n_waiting):
        pass


def hits(n, cell=TETRAGONAL, number=1, wrong=None, prefix="hit"):
    return {f"{prefix}_{k:03d}": ("hit", cell, number, wrong) for k in range(n)}


def blanks(n):
    return {f"blank_{k:03d}": ("blank", None, 0, None) for k in range(n)}


def essence(result):
    return result.outcome, result.settings, result.lattices


class Beam:
    """A feed that brings frames bit by bit, and then says that no more will come.

    Of some frames the first record does not count: ``moved`` ones come again, those that are ``gone`` do not.
    """

    def __init__(self, batches, moved=(), gone=()):
        self._batches = list(batches)
        self._moved, self._gone = set(moved), set(gone)
        self._overdue = []
        self.n_brought = 0

    def poll(self):
        if not self._batches:
            return []
        batch = self._batches.pop(0)
        self.n_brought += len(batch)
        return batch

    def take(self, result):
        if result.frame in self._moved:
            self._moved.remove(result.frame)
            self._batches += [[], [result.frame]]
            return False
        if result.frame in self._gone:
            self._gone.remove(result.frame)
            self._overdue.append(result)
            return False
        return True

    def overdue(self):
        results, self._overdue = self._overdue, []
        return results

    @property
    def closed(self):
        return not self._batches and not self._overdue


def batches_of(crystals, seed):
    rng = random.Random(seed)
    frames = [FrameRef(f"/data/{name}.cbf") for name in crystals]
    rng.shuffle(frames)
    batches = []
    while frames:
        n = rng.choice([0, 1, 5])
        batches.append(frames[:n])
        frames = frames[n:]
    return batches
