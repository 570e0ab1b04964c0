"""Miller indices of a real run, counted by a process of its own."""

import os
import shutil
import subprocess
import sys
from collections import Counter

import pytest
from dials.array_family import flex

from iota.engine.merging.miller_counts import MillerCounter
from iota.runs import RunFolder, read_ledger
from iota.runs.miller_counts import FILE_NAME, read_miller_counts


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


def count(run):
    done = subprocess.run(
        [sys.executable, "-m", "iota.engine.merging.miller_counts", str(run.path)],
        stdin=subprocess.PIPE, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_integrated_reflection_is_counted_once(run):
    count(run)
    results, size = read_ledger(run.ledger)
    found = read_miller_counts(run.path)
    assert as_counter(found.lattices) == counted_by_hand(run, results)
    integrated = [lattice for result in results for lattice in result.lattices]
    assert found.lattices[0].n_lattices == len(integrated)
    assert found.lattices[0].n_reflections == sum(lattice.n_integrated for lattice in integrated)
    assert found.lattices[0].unit_cell == pytest.approx((79.2, 79.2, 38.1, 90, 90, 90), abs=0.3)
    assert found.ledger_bytes == size


def test_counting_goes_on_where_it_stopped(run):
    whole = run.ledger.read_bytes()
    lines = whole.splitlines(keepends=True)
    run.ledger.write_bytes(b"".join(lines[:7]) + lines[7][:50])  # half a line is being written
    count(run)
    half = read_miller_counts(run.path)
    assert half.ledger_bytes == sum(map(len, lines[:7]))
    run.ledger.write_bytes(whole)
    count(run)
    results, _ = read_ledger(run.ledger)
    assert as_counter(read_miller_counts(run.path).lattices) == counted_by_hand(run, results)


def test_a_growing_ledger_is_followed_and_the_end_of_the_server_ends_the_process(run):
    whole = run.ledger.read_bytes()
    lines = whole.splitlines(keepends=True)
    state = run.state.read_text()
    run.state.write_text(state.replace('"finished"', '"running"'))
    run.ledger.write_bytes(b"".join(lines[:6]))
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "iota.engine.merging.miller_counts", str(run.path)], stdin=reading
    )
    os.close(reading)
    try:
        wait_for(lambda: (run.path / FILE_NAME).exists())
        with run.ledger.open("ab") as file:
            file.write(b"".join(lines[6:]))
        wait_for(lambda: read_miller_counts(run.path).ledger_bytes == len(whole))
        assert process.poll() is None
    finally:
        os.close(writing)
    assert process.wait(20) == 0


def wait_for(condition, limit_s=20):
    import time

    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_frames_whose_files_are_gone_are_told(run):
    results, _ = read_ledger(run.ledger)
    integrated = [result for result in results if result.lattices]
    (run.path / integrated[0].files["reflections"]).unlink()
    (run.path / integrated[1].files["reflections"]).write_bytes(b"torn")
    count(run)
    found = read_miller_counts(run.path)
    assert found.n_missing == 2
    assert found.n_frames == len(integrated) - 2
    assert as_counter(found.lattices) == counted_by_hand(run, integrated[2:])


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
    done = subprocess.run(
        [sys.executable, "-m", "iota.engine.merging.miller_counts", str(tmp_path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "is not a run folder" in done.stderr
    assert "Traceback" not in done.stderr
