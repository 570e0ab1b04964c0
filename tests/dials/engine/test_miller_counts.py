"""Miller indices of a real run, counted by a process of its own."""

import asyncio
import os
import shutil
import signal
from collections import Counter

import pytest
from dials.array_family import flex

from iota.engine.merging import miller_counts
from iota.engine.merging.miller_counts import MillerCounter
from iota.engine.questions import COUNT_REFLECTIONS, CountReflections
from iota.processes.question import AnsweringProcess, NoAnswerError
from iota.runs import RunFolder, read_ledger
from iota.runs.miller_counts import read_miller_counts
from iota.web.live import index_counting
from iota.web.live.runs import LiveRuns


@pytest.fixture
def run(known_run, tmp_path):
    """A copy of the run, for files are written."""
    return RunFolder(shutil.copytree(known_run.path, tmp_path / "integration" / "001"))


def counted_by_hand(run, results):
    numbers = Counter()
    for result in results:
        if result.lattices:
            table = flex.reflection_table.from_file(str(run.path / result.files["reflections"]))
            numbers.update(table["miller_index"])
    return numbers


def as_counter(lattices):
    numbers = Counter()
    for lattice in lattices:
        numbers.update({tuple(hkl): n for hkl, n in zip(lattice.hkl.tolist(), lattice.counts.tolist(), strict=True)})
    return numbers


@pytest.fixture
def counter():
    counter = AnsweringProcess(COUNT_REFLECTIONS)
    yield counter
    counter.end()


def count(run, counter):
    """Count all there is."""
    while not counter.ask(CountReflections(str(run.path)))[0].is_all:
        pass


def test_every_integrated_reflection_is_counted_once(run, counter):
    count(run, counter)
    results, size = read_ledger(run.ledger)
    found = read_miller_counts(run.path)
    assert as_counter(found.lattices) == counted_by_hand(run, results)
    integrated = [lattice for result in results for lattice in result.lattices]
    assert found.lattices[0].n_lattices == len(integrated)
    assert found.lattices[0].n_reflections == sum(lattice.n_integrated for lattice in integrated)
    assert found.lattices[0].unit_cell == pytest.approx((79.2, 79.2, 38.1, 90, 90, 90), abs=0.3)
    assert found.ledger_bytes == size


def test_counting_goes_on_where_it_stopped(run, counter):
    whole = run.ledger.read_bytes()
    lines = whole.splitlines(keepends=True)
    run.ledger.write_bytes(b"".join(lines[:7]) + lines[7][:50])  # half a line is being written
    count(run, counter)
    half = read_miller_counts(run.path)
    assert half.ledger_bytes == sum(map(len, lines[:7]))
    run.ledger.write_bytes(whole)
    count(run, counter)
    results, _ = read_ledger(run.ledger)
    assert as_counter(read_miller_counts(run.path).lattices) == counted_by_hand(run, results)


def test_a_process_goes_on_with_a_ledger_that_grows(run, counter):
    whole = run.ledger.read_bytes()
    lines = whole.splitlines(keepends=True)
    run.ledger.write_bytes(b"".join(lines[:6]))
    count(run, counter)
    assert read_miller_counts(run.path).ledger_bytes == sum(map(len, lines[:6]))
    with run.ledger.open("ab") as file:
        file.write(b"".join(lines[6:]))
    count(run, counter)
    assert read_miller_counts(run.path).ledger_bytes == len(whole)
    assert as_counter(read_miller_counts(run.path).lattices) == counted_by_hand(run, read_ledger(run.ledger)[0])


def test_a_large_ledger_is_counted_in_pieces(run, monkeypatch):
    monkeypatch.setattr(miller_counts, "_SLICE_BYTES", 2000)
    monkeypatch.setattr(miller_counts, "_PIECE_S", 0.0)
    counter = MillerCounter(run)
    n_pieces = 1
    while not counter.count_on():
        n_pieces += 1
        counter = MillerCounter(run)
    assert n_pieces > 2
    assert as_counter(read_miller_counts(run.path).lattices) == counted_by_hand(run, read_ledger(run.ledger)[0])


def test_frames_whose_files_are_gone_or_damaged_are_told(run, counter):
    results, _ = read_ledger(run.ledger)
    integrated = [result for result in results if result.lattices]
    (run.path / integrated[0].files["reflections"]).unlink()
    (run.path / integrated[1].files["reflections"]).write_bytes(b"torn")
    odd = run.path / integrated[2].files["reflections"]  # with an index that no crystal has
    table = flex.reflection_table.from_file(str(odd))
    table["miller_index"][0] = (40_000, 0, 0)
    table.as_file(str(odd))
    count(run, counter)
    found = read_miller_counts(run.path)
    assert found.n_missing == 3
    assert found.n_frames == len(integrated) - 3
    assert as_counter(found.lattices) == counted_by_hand(run, integrated[3:])


def test_a_lattice_that_the_filter_dropped_is_not_counted(run, monkeypatch):
    counter = MillerCounter(run)
    results, _ = read_ledger(run.ledger)
    result = next(result for result in results if result.lattices)
    table = flex.reflection_table.from_file(str(run.path / result.files["reflections"]))
    dropped = table.copy()
    dropped["id"] = flex.int(len(dropped), 1)
    dropped["miller_index"] = flex.miller_index(len(dropped), (40, 40, 40))
    both = table.copy()
    both.extend(dropped)
    both.as_file(str(run.path / result.files["reflections"]))
    counter._add(result)
    assert as_counter(group.found() for group in counter.groups) == Counter(table["miller_index"])


def test_what_is_no_run_gives_a_sentence(tmp_path):
    with pytest.raises(NoAnswerError, match="is not a run folder"):
        COUNT_REFLECTIONS.ask(CountReflections(str(tmp_path)))


async def test_a_page_sees_what_is_counted_although_a_process_is_killed(run, monkeypatch):
    monkeypatch.setattr(index_counting, "_DONE_S", 0.0)
    live = LiveRuns().get(run)
    await live.current()
    counting = index_counting.IndexCounting(live)
    charts = [(await counting.pictures("P 43 21 2")).sentence]
    while not (chart := await counting.pictures("P 43 21 2")).slices:
        charts.append(chart.sentence)
        await asyncio.sleep(0.1)
    assert set(charts) == {"Counting reflections..."}
    os.kill(index_counting._drawing._process._process.pid, signal.SIGKILL)
    crashed = await counting.pictures("P 4")  # or a new process has drawn it
    assert crashed.slices or "was killed (signal 9)" in crashed.sentence
    assert (await counting.pictures("P 1")).slices
    while counting.is_counting:
        await asyncio.sleep(0.1)
    counting._last_wanted -= 1000
    await counting._watch
