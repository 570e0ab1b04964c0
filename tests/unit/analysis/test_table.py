"""The table of a run: its columns are what the records say, however the ledger grows."""

import math
import os
import pickle
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import blank, hit, lattice, made_run, new_folder, write

from iota.analysis.summary import SummaryBuilder, summary_of
from iota.analysis.table import table_cache
from iota.analysis.table.codes import Codes
from iota.analysis.table.columns import CELL, COLUMNS, NO_CODE, OTHER_CODE
from iota.analysis.table.reasons import without_numbers
from iota.analysis.table.table import RunTable
from iota.causes import Cause
from iota.errors import RunFolderError
from iota.processing.conclusion import conclude_again
from iota.records import FORMAT_VERSION, NOT_HITS, OUTCOMES, FrameRef, FrameResult
from iota.runs import read_ledger
from iota.runs.lists import write_input_list


def _read(folder):
    table = RunTable(folder)
    table.update()
    return table


def test_a_run_without_a_frame_is_an_empty_table(tmp_path):
    table = _read(new_folder(tmp_path))
    assert (table.n_rows, table.n_lattices, table.progress, table.is_complete, table.counts) == (0, 0, 1.0, True, {})
    assert all(len(table.column(name)) == 0 for name in COLUMNS)


def test_rows_are_the_frames_in_the_order_they_finished(tmp_path):
    folder = new_folder(tmp_path)
    write(folder, [blank(7, n_spots=0), hit(3), blank(2)])
    table = _read(folder)
    assert [OUTCOMES[code] for code in table.column("outcome")] == ["failed_triage", "integrated", "failed_triage"]
    assert table.column("finished").tolist() == [1.79e9 + 7, 1.79e9 + 3, 1.79e9 + 2]
    assert table.column("seconds").tolist() == [0.75, 0.0, 0.75]
    assert table.column("n_spots").tolist() == [0, 200, 3]
    assert table.column("d_min_A").tolist() == pytest.approx([math.nan, 2.0, math.nan], nan_ok=True)
    assert table.column("symmetry").tolist() == [NO_CODE, 0, NO_CODE]
    assert table.symmetries == [("tP", "P 43 21 2")]
    assert table.counts == {"integrated": 1, "failed_triage": 2}
    assert table.record(1) == hit(3)
    assert [r.name for r in table.records([2, 0])] == ["img_00002", "img_00007"]
    with pytest.raises(IndexError):
        table.record(3)


def test_reasons_that_differ_in_numbers_only_are_one(tmp_path):
    folder = new_folder(tmp_path)
    write(folder, [blank(1, n_spots=2), blank(2, n_spots=9), hit(3)])
    table = _read(folder)
    assert table.reasons == ["… spots found; at least … are needed."]
    assert table.column("reason").tolist() == [0, 0, NO_CODE]
    named = "The data file 2026_run_1_data_000002.h5 is missing."
    assert without_numbers(named) == named
    assert without_numbers("I/sigma 1.5e-3 in P43 at -4.0 A") == "I/sigma … in P43 at … A"


def test_the_best_of_several_lattices_is_that_with_most_reflections(tmp_path):
    folder = new_folder(tmp_path)
    lattices = [lattice(90, a=70.0), lattice(120, a=80.0), lattice(120, a=85.0), lattice(3, a=60.0)]
    write(folder, [hit(1, lattice(1, a=50.0)), hit(2, *lattices), blank(4)])
    table = _read(folder)
    assert table.column("n_lattices").tolist() == [1, 4, 0]
    assert table.column("a_A").tolist() == pytest.approx([50.0, 80.0, math.nan], nan_ok=True)
    assert table.lattice_column("a_A").tolist() == [50.0, 70.0, 80.0, 85.0, 60.0]
    assert table.lattice_column("row").tolist() == [0, 1, 1, 1, 1]
    assert table.column("a_A", start=1, stop=2).tolist() == [80.0]


def test_columns_are_read_only_and_have_the_types_that_are_documented(tmp_path):
    folder = new_folder(tmp_path)
    write(folder, [hit(1)])
    table = _read(folder)
    for name, column in COLUMNS.items():
        values = table.column(name)
        assert values.dtype == column.dtype, name
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1
    with pytest.raises(KeyError):
        table.column("_offset")


_outcomes = st.sampled_from(OUTCOMES)
_numbers = st.floats(0.125, 500, width=32)
_lattices = st.builds(
    lattice,
    n_integrated=st.integers(0, 3000),
    a=st.floats(50, 100),
    bravais=st.sampled_from(["tP", "oP"]),
    space_group=st.sampled_from(["P 4 2 2", "P 2 2 2"]),
    d_min_A=st.none() | _numbers,
    wilson_b_A2=st.none() | _numbers,
    beam_centre_px=st.none() | st.tuples(_numbers, _numbers),
)
_results = st.lists(
    st.builds(
        FrameResult,
        frame=st.builds(FrameRef, st.text(max_size=5).map('/data/ä"#'.__add__), st.none() | st.integers(0, 9)),
        name=st.text('ab#\\"é ', min_size=1, max_size=4),
        outcome=_outcomes,
        cause=st.none() | st.just(Cause.OTHER),
        values=st.fixed_dictionaries({"text": st.text("ab 123.", min_size=1, max_size=9)}),
        version=st.just(FORMAT_VERSION),
        settings=st.sampled_from(["", "given lattice", "defaults"]),
        n_spots=st.none() | st.integers(0, 10**6),
        spots_d_min_A=st.none() | _numbers,
        seconds=st.dictionaries(st.sampled_from(["import", "indexing"]), _numbers),
        lattices=st.lists(_lattices, max_size=3),
        finished=st.floats(0, 2e9),
    ),
    max_size=12,
    unique_by=lambda result: result.frame,
)


def _same(found, wanted):
    """Equal but for the precision of float32, nan for None."""
    return found == pytest.approx([math.nan if x is None else x for x in wanted], rel=1e-6, nan_ok=True)


@given(results=_results, piece=st.integers(100, 4000), chunk=st.integers(50, 3000))
@settings(max_examples=60, deadline=None)
def test_columns_say_what_the_records_say_however_the_ledger_grows(results, piece, chunk, tmp_path_factory):
    folder = new_folder(tmp_path_factory.mktemp("run"))
    encoded = b"".join(msgspec.json.encode(result) + b"\n" for result in results)
    table = RunTable(folder)
    patch = pytest.MonkeyPatch()
    patch.setattr("iota.analysis.table.table._CHUNK_BYTES", chunk)
    with folder.ledger.open("wb", buffering=0) as file, patch.context():
        for start in range(0, len(encoded), piece):
            file.write(encoded[start : start + piece])
            table.update()
    table.update()
    assert table.n_rows == len(results)
    best = [max(r.lattices, key=lambda x: x.n_integrated) if r.lattices else None for r in results]
    assert [OUTCOMES[code] for code in table.column("outcome")] == [r.outcome for r in results]
    assert _same(table.column("n_spots").tolist(), [r.n_spots for r in results])
    assert _same(table.column("seconds").tolist(), [sum(r.seconds.values()) for r in results])
    assert table.column("finished").tolist() == [r.finished for r in results]
    assert _same(table.column("wilson_b_A2").tolist(), [b and b.wilson_b_A2 for b in best])
    for k, name in enumerate(CELL):
        assert _same(table.column(name).tolist(), [b and b.unit_cell[k] for b in best])
    assert _same(table.lattice_column("a_A").tolist(), [x.unit_cell[0] for r in results for x in r.lattices])
    words = [table.reasons[code] if code != NO_CODE else "" for code in table.column("reason")]
    assert words == [without_numbers(r.reason) for r in results]
    assert list(table.records(range(len(results)))) == read_ledger(folder.ledger)[0] == results
    rows = table.rows_of([r.frame for r in results]).tolist()
    assert [results[row].frame for row in rows] == [r.frame for r in results]
    builder = SummaryBuilder(len(results))
    for result in results:
        builder.add(result)
    expected, found = (msgspec.to_builtins(s) for s in (builder.summary(), summary_of(table, len(results))))
    for summary in (expected, found):  # of equal numbers either may come first; the last or the best lattice tells
        summary["settings"] = dict(sorted(summary["settings"].items()))
    del expected["n_spots_median"]  # of frames, which the builder of summaries of lattices leaves out
    for name in ("failures", "stages", "rates"):
        del expected[name]
    spots = [r.n_spots for r in results if r.outcome not in NOT_HITS and r.n_spots is not None]
    assert found.pop("n_spots_median") == (pytest.approx(np.median(spots)) if spots else None)
    assert sum(x["n"] for x in found.pop("failures")) == sum(r.outcome != "integrated" for r in results)
    n_read = sum(r.finished > 0 and r.outcome != "failed_import" for r in results)
    assert sum(x["n_read"] for x in found.pop("rates")) == n_read
    times = {x["stage"]: (x["n_frames"], x["total_s"]) for x in found.pop("stages")}
    for stage in ("import", "indexing"):
        seconds = [r.seconds[stage] for r in results if stage in r.seconds]
        assert times.get(stage, (0, 0)) == (len(seconds), pytest.approx(sum(seconds)))
    found, expected = _flat(found), _flat(expected)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        is_number = isinstance(value, float)
        assert found[name] == (pytest.approx(value, rel=2e-5, abs=1e-4) if is_number else value), name


def _flat(value, name=""):
    if isinstance(value, dict):
        return {k: v for key, one in value.items() for k, v in _flat(one, f"{name}.{key}").items()}
    if isinstance(value, (tuple, list)):
        return {k: v for key, one in enumerate(value) for k, v in _flat(one, f"{name}.{key}").items()}
    return {name: value}


def test_a_line_that_is_being_written_waits(tmp_path):
    folder = new_folder(tmp_path)
    write(folder, [hit(1)])
    line = msgspec.json.encode(blank(2)) + b"\n"
    with folder.ledger.open("ab", buffering=0) as file:
        file.write(line[:-10])
        table = _read(folder)
        assert (table.n_rows, table.is_complete, table.progress) == (1, True, 1.0)
        file.write(line[-10:])
    assert table.update() == 1
    assert table.record(1) == blank(2)


def test_a_torn_line_that_a_resume_cuts_off_changes_nothing(tmp_path):
    folder = new_folder(tmp_path)
    write(folder, [hit(1)])
    with folder.ledger.open("ab") as file:
        file.write(b'{"frame": torn')
    table = _read(folder)
    write(folder, [blank(5)])  # opening the ledger cuts the line off
    assert table.update() == 1
    assert (table.generation, table.column("n_spots").tolist()) == (0, [200, 3])


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_ledger_that_was_replaced_is_read_anew(tmp_path, kept):
    folder = new_folder(tmp_path)
    write(folder, [hit(k) for k in range(3)])
    table = _read(folder)
    folder.ledger.unlink()
    write(folder, [blank(k) for k in range(kept)])
    table.update()
    assert (table.generation, table.n_rows, table.counts) == (1, kept, {"failed_triage": kept} if kept else {})


def test_a_run_that_was_deleted_says_so_and_keeps_what_was_read(tmp_path):
    folder = new_folder(tmp_path)
    write(folder, [hit(1)])
    table = _read(folder)
    folder.ledger.unlink()
    with pytest.raises(RunFolderError, match="is gone"):
        table.update()
    assert table.n_rows == 1
    with pytest.raises(RunFolderError, match="cannot be read"):
        table.record(0)


def test_lines_of_other_versions_and_damaged_ones_do_not_stop_the_others(tmp_path):
    folder = new_folder(tmp_path)
    write(folder, [hit(1)])
    with folder.ledger.open("ab") as file:
        file.write(b"\0\0\0\0\n")  # as network file systems leave it behind
        file.write(b'{"frame":{"path":"/x","index":null},"name":"x","outcome":"made_coffee"}\n')
        file.write(b"\n")
        file.write(b'{"frame":{"path":"/y"},"name":"y","outcome":"crashed","n_spots":null,"lattices":[]}\n')
        file.write(b'{"frame":{"path":"/z"},"name":"z","outcome":"crashed","new_field":[1,2]}\n')
    write(folder, [blank(2)])
    table = _read(folder)
    assert table.n_unreadable == 2
    assert [table.record(row).name for row in range(table.n_rows)] == ["series_00002", "y", "z", "img_00002"]
    assert np.isnan(table.column("n_spots")[1])


def test_a_large_ledger_is_read_in_slices_that_tell_how_far_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr("iota.analysis.table.table._CHUNK_BYTES", 2000)
    folder = new_folder(tmp_path)
    write(folder, [blank(k) for k in range(200)])
    table = RunTable(folder)
    told = []
    while not table.is_complete:
        table.update(limit_s=0.0)
        told.append(table.progress)
    assert table.n_rows == 200
    assert told == sorted(told)
    assert len(told) > 10
    assert 0 < told[0] < 0.2
    assert told[-1] == 1.0


def test_frames_are_found_by_a_part_of_their_path_or_name(tmp_path, monkeypatch):
    monkeypatch.setattr("iota.analysis.table.table._SEARCHED_ROWS", 3)
    folder = new_folder(tmp_path)
    write(folder, [blank(k) for k in range(8)] + [hit(k) for k in range(3)])
    table = _read(folder)
    assert table.rows_with("IMG_00005").tolist() == [5]
    assert table.rows_with("run 1").tolist() == list(range(8))
    assert table.rows_with("run 1", limit=2).tolist() == [0, 1]
    assert table.rows_with("series_").tolist() == [8, 9, 10]
    assert table.rows_with("spots found").tolist() == []
    assert table.rows_with("dials/").tolist() == []  # a file, not the frame
    assert table.rows_with('"name').tolist() == []
    assert table.rows_of([FrameRef("/data/series_master.h5", 2), FrameRef("/nowhere")]).tolist() == [10, -1]


def test_no_more_words_are_kept_than_codes_can_tell():
    codes = Codes()
    found = codes.codes([f"word {k}" for k in range(70_000)])
    assert found[:3] == [0, 1, 2]
    assert found[OTHER_CODE - 1 :] == [OTHER_CODE - 1] + [OTHER_CODE] * (70_000 - OTHER_CODE)
    assert len(codes.words) == OTHER_CODE
    assert codes.codes(["word 5", "", None]) == [5, NO_CODE, NO_CODE]


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A run whose columns are saved."""
    monkeypatch.setattr("iota.analysis.table.table.MIN_SAVED", 10)
    folder = new_folder(tmp_path)
    rng = random.Random(3)
    write(folder, [hit(k) if rng.random() < 0.3 else blank(k) for k in range(60)])
    table = _read(folder)
    assert table.save()
    assert not table.save()  # nothing is new
    return folder


def _loaded(folder):
    with folder.ledger.open("rb") as file:
        return table_cache.load(folder.path, file)


def test_saved_columns_are_those_that_were_read(saved):
    before = _read(saved)
    assert _loaded(saved).rows.frames.n_rows == 60
    (saved.path / table_cache.NAME).unlink()
    again = _read(saved)
    assert _loaded(saved) is None
    for name in COLUMNS:
        np.testing.assert_array_equal(before.column(name), again.column(name))
        assert before.column(name).dtype == again.column(name).dtype
    assert (before.reasons, before.settings, before.symmetries) == (again.reasons, again.settings, again.symmetries)
    assert not [path for path in saved.path.iterdir() if path.name.startswith(".columns")]


def test_reading_goes_on_after_what_is_saved(saved):
    write(saved, [hit(99, lattice(5, a=61.0))])
    table = _read(saved)
    assert (table.n_rows, table.record(60).name) == (61, "series_00100")
    assert table.column("a_A")[60] == 61.0
    assert table.reasons == ["… spots found; at least … are needed."]


def test_saved_columns_of_another_ledger_are_not_used(saved):
    data = saved.ledger.read_bytes()
    for other in (data[:-50], data.replace(b"/data/run 1", b"/data/run 2", 1), b""):
        saved.ledger.write_bytes(other)
        assert _loaded(saved) is None
        assert _read(saved).n_rows == other.count(b"\n")
    saved.ledger.write_bytes(data)
    assert _loaded(saved) is not None


class _Bomb:
    def __reduce__(self):
        return os.abort, ()


def test_a_damaged_or_hostile_cache_is_not_used(saved):
    path = saved.path / table_cache.NAME
    good = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)
    for bad in (b"", good[: len(good) // 2], good[:50] + b"x" + good[51:], pickle.dumps(_Bomb())):
        path.write_bytes(bad)
        assert _read(saved).n_rows == 60
    for name, value in {
        "frames.outcome": np.full(60, 99, np.uint8),
        "frames._best": np.full(60, 10**6, np.int32),
        "frames._offset": np.full(60, -1, np.int64),
        "lattices._row": arrays["lattices._row"] + 100,
        "frames.n_spots": arrays["frames.n_spots"][:3],
        "frames.reason": np.full(60, 5, np.uint16),
        "frames.seconds": np.array([_Bomb()] * 60, dtype=object),
        "head": np.frombuffer(b"{}", dtype=np.uint8),
    }.items():
        np.savez(path, **(arrays | {name: value}))
        assert _loaded(saved) is None, name
    np.savez(path, **arrays)
    assert _loaded(saved) is not None


def test_a_folder_that_cannot_be_written_is_read_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("iota.analysis.table.table.MIN_SAVED", 1)
    folder = new_folder(tmp_path)
    write(folder, [hit(1)])
    table = _read(folder)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("iota.analysis.table.table_cache.atomic_file", refuse)
    assert not table.save()
    assert not table.save()
    assert table.n_rows == 1


def test_every_column_has_words_for_people():
    for name, column in COLUMNS.items():
        assert column.name == name
        assert column.meaning.endswith(".")
        assert column.text(math.nan) == ""
        assert column.text(1.23456)
    assert COLUMNS["d_min_A"].title == "Resolution (Å)"
    assert COLUMNS["d_min_A"].text(1.996) == "2.00"


def test_a_run_that_ends_keeps_its_columns(tmp_path, monkeypatch):
    monkeypatch.setattr("iota.analysis.table.table.MIN_SAVED", 3)
    results = [blank(1), hit(2), blank(3)]
    folder = made_run(tmp_path, results)
    write_input_list(folder, [result.frame for result in results])
    conclude_again(folder)
    assert _loaded(folder).rows.frames.n_rows == 3
