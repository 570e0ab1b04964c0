"""The HTTP API over real run folders."""

import io
import json
import re
import sys
import threading
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from commands import LYSOZYME
from fastapi import FastAPI
from made_runs import blank, hit, lattice, made_run, write
from starlette.testclient import TestClient

from iota.analysis.table.columns import COLUMNS
from iota.records import OUTCOMES, FrameResult
from iota.runs.control import read_order
from iota.web.access.head import HeadAsGet
from iota.web.api import (
    frames as api_frames,  # the modules that the routes were made of: pages that are visited import theirs anew
)
from iota.web.api.routes import add_api
from iota.web.projects.projects import Projects


@pytest.fixture
def run(tmp_path):
    """A finished run of 20 frames, every fourth integrated; the best of its lattices differ in resolution."""
    results = [hit(k, lattice(d_min_A=2.0 + k / 10)) if k % 4 == 0 else blank(k, n_spots=k) for k in range(20)]
    return made_run(tmp_path, results)


@pytest.fixture
def app(tmp_path):
    app = FastAPI(openapi_url="/api/openapi.json", docs_url=None)
    add_api(app, Projects(tmp_path))
    return app


@pytest.fixture
def ask(app):
    """Client whose event loop goes on between requests, as a server's does."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def _rows(answer):
    names = answer.headers["x-columns"].split(",")
    return np.frombuffer(answer.content, dtype="<f4").reshape(-1, len(names))


def test_the_list_of_runs(run, ask):
    (entry,) = ask.get("/api/runs").json()["runs"]
    assert (entry["id"], entry["number"], entry["status"]) == ("001", 1, "finished")
    assert entry["folder"] == str(run.path)
    assert (entry["n_frames"], entry["n_finished"], entry["counts"]["integrated"]) == (20, 20, 5)
    assert entry["description"] == "a made-up run"
    assert ask.get("/api/runs", params={"project": entry["project"]}).json()["runs"] == [entry]


def test_a_run_in_detail(run, ask):
    detail = ask.get("/api/runs/001").json()
    assert detail["state"]["n_frames"] == 20
    assert detail["info"]["versions"]["DIALS"] == "3.12"
    assert detail["summary"]["counts"] == {"integrated": 5, "failed_triage": 15}
    assert detail["summary"]["consensus"]["space_group"] == "P 43 21 2"
    assert detail["table"]["reasons"] == [f"… {spots} found; at least … are needed." for spots in ("spot", "spots")]
    assert detail["table"]["causes"] == ["too_few_spots"] * 2
    (failure,) = detail["summary"]["failures"]
    assert (failure["cause"], failure["n"], failure["codes"]) == ("too_few_spots", 15, [1, 0])
    assert detail["table"]["symmetries"] == ["tP P 43 21 2"]
    assert (detail["table"]["n_rows"], detail["table"]["progress"], detail["problem"]) == (20, 1.0, "")


def test_records_some_at_a_time(run, ask):
    page = ask.get("/api/runs/001/frames", params={"offset": 3, "limit": 2}).json()
    assert (page["total"], page["offset"], page["progress"]) == (20, 3, 1.0)
    assert [frame["row"] for frame in page["frames"]] == [3, 4]
    first, second = page["frames"]
    assert first["reason"] == "3 spots found; at least 10 are needed."
    assert first["lattices"] == []
    assert second["lattices"][0]["unit_cell"] == [79.2, 79.2, 38.1, 90.0, 90.0, 90.0]
    assert msgspec.convert(second, FrameResult) == hit(4, lattice(d_min_A=2.4))
    assert ask.get("/api/runs/001/frames/4").json() == second


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ({"outcome": "integrated"}, [0, 4, 8, 12, 16]),
        ({"outcome": ["integrated", "failed_triage"], "limit": 2}, [0, 1]),
        ({"outcome": "crashed"}, []),
        ({"where": "d_min_A<=2.8"}, [0, 4, 8]),
        ({"where": ["n_spots>=10", "n_spots<13"]}, [10, 11]),
        ({"reason": "… spots found; at least … are needed.", "limit": 3}, [2, 3, 5]),
        ({"cause": "too_few_spots", "limit": 3}, [1, 2, 3]),
        ({"cause": "no_lattice"}, []),
        ({"text": "IMG_0000"}, [1, 2, 3, 5, 6, 7, 9]),
        ({"sort": "-d_min_A", "outcome": "integrated"}, [16, 12, 8, 4, 0]),
        ({"sort": "d_min_A", "limit": 6}, [0, 4, 8, 12, 16, 1]),
        ({"sort": "-n_spots", "text": "img_", "limit": 3}, [19, 18, 17]),
        ({"offset": 100}, []),
    ],
)
def test_frames_that_are_wanted(run, ask, asked, rows):
    answer = ask.get("/api/runs/001/frames", params=asked)
    assert answer.status_code == 200, answer.text
    assert [frame["row"] for frame in answer.json()["frames"]] == rows


def test_columns_as_float32(run, ask):
    answer = ask.get("/api/runs/001/columns", params={"names": "outcome,d_min_A,n_spots,reason,finished", "since": 15})
    assert (answer.headers["x-rows-from"], answer.headers["x-rows-to"]) == ("15", "20")
    assert answer.headers["x-columns"] == "outcome,d_min_A,n_spots,reason,finished"
    assert answer.headers["content-length"] == str(5 * 5 * 4)
    rows = _rows(answer)
    triage = OUTCOMES.index("failed_triage")
    assert rows[:, 0].tolist() == [triage, 0, triage, triage, triage]
    assert rows[1].tolist() == pytest.approx([0, 3.6, 200, 65535, 16])
    assert np.isnan(rows[0, 1])
    assert float(answer.headers["x-finished-zero"]) + rows[0, 4] == 1.79e9 + 15
    nothing = ask.get("/api/runs/001/columns", params={"names": "outcome", "since": 20})
    assert (nothing.status_code, nothing.content, nothing.headers["x-rows-to"]) == (200, b"", "20")
    some = ask.get("/api/runs/001/columns", params={"names": "n_spots", "since": 1, "limit": 2})
    assert _rows(some).tolist() == [[1], [2]]


def test_all_columns_can_be_had(run, ask):
    answer = ask.get("/api/runs/001/columns", params={"names": ",".join(COLUMNS)})
    assert _rows(answer).shape == (20, len(COLUMNS))


def test_columns_as_arrow(run, ask):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is optional and not installed")
    answer = ask.get(
        "/api/runs/001/columns",
        params={"names": "outcome,d_min_A,reason,finished"},
        headers={"Accept": "application/vnd.apache.arrow.stream"},
    )
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(io.BytesIO(answer.content)).read_all()
    assert table["outcome"].to_pylist()[:2] == ["integrated", "failed_triage"]
    assert table["d_min_A"].to_pylist()[:2] == [2.0, None]
    assert table["reason"].to_pylist()[:3] == [
        None,
        *(f"… {x} found; at least … are needed." for x in ("spot", "spots")),
    ]
    assert table["finished"].to_pylist()[3] == 1.79e9 + 3
    assert table.schema.field("d_min_A").metadata == {b"label": b"Resolution", b"unit": "Å".encode()}


def test_arrow_without_pyarrow_is_a_sentence(run, ask, monkeypatch):
    find = __import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *more: None if name == "pyarrow" else find(name, *more)
    )
    answer = ask.get(
        "/api/runs/001/columns",
        params={"names": "outcome"},
        headers={"Accept": "application/vnd.apache.arrow.stream"},
    )
    assert answer.status_code == 400
    assert "arrow.lock" in answer.json()["error"]["next"]


def _until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited too long")


def test_a_run_without_a_ledger_has_no_frames_yet(tmp_path, ask):
    made_run(tmp_path, [], status="running", n_frames=3).ledger.unlink(missing_ok=True)
    page = ask.get("/api/runs/001/frames", params={"text": "img"})
    assert (page.status_code, page.json()["total"]) == (200, 0)


def test_rows_that_are_gone_because_the_run_was_replaced_are_asked_for_again(run, ask, monkeypatch):
    def replaced(*_):
        raise IndexError(4)
        yield

    ask.get("/api/runs/001/columns", params={"names": "outcome"})
    monkeypatch.setattr(type(api_frames.LiveRun(run).table), "records", replaced)
    for what in ("frames", "frames/4"):
        answer = ask.get(f"/api/runs/001/{what}")
        assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "not_yet"), answer.text


def test_the_head_of_an_answer(app, run):
    with TestClient(HeadAsGet(app)) as client:
        for path in ("/api/runs", "/api/docs", "/api/runs/001/frames", "/api/runs/001/columns?names=outcome"):
            whole, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-type"] == whole.headers["content-type"]
            assert head.headers["content-length"] == str(len(whole.content))
        assert client.head("/api/runs/999").status_code == 404


def test_new_frames_are_there_within_a_second(run, ask):
    ask.get("/api/runs/001/columns", params={"names": "outcome"})
    write(run, [blank(50)])
    start = time.monotonic()
    _until(lambda: ask.get("/api/runs/001").json()["table"]["n_rows"] == 21)
    assert time.monotonic() - start < 1.0


def test_rows_of_a_run_that_was_replaced_come_anew(run, ask):
    first = ask.get("/api/runs/001/columns", params={"names": "outcome"})
    generation = first.headers["x-generation"]
    run.ledger.unlink()
    write(run, [blank(k) for k in range(30)])
    asked = {"names": "outcome", "since": 20, "generation": generation}
    answer = ask.get("/api/runs/001/columns", params=asked)
    assert (answer.headers["x-rows-from"], answer.headers["x-rows-to"]) == ("0", "30")


def test_a_run_that_is_deleted_while_it_is_watched(run, ask):
    ask.get("/api/runs/001")
    for path in (run.ledger, run.state, run.info):
        path.unlink()
    answer = ask.get("/api/runs/001")
    assert answer.status_code == 404
    assert answer.json()["error"]["kind"] == "not_found"


def test_the_log(run, ask):
    whole = ask.get("/api/runs/001/log").json()
    assert whole["text"].startswith("series_00001  integrated\nimg_00001  failed_triage\n")
    assert (whole["start"], whole["end"]) == (0, len(whole["text"]))
    with run.log.open("a") as file:
        file.write("one more\n")
    more = ask.get("/api/runs/001/log", params={"since": whole["end"]}).json()
    assert more["text"] == "one more\n"
    found = ask.get("/api/runs/001/log", params={"contains": "SERIES_0000"}).json()
    assert found == {
        "lines": ["series_00001  integrated", "series_00005  integrated", "series_00009  integrated"],
        "n_more": 0,
    }


def test_orders_reach_the_run(run, ask):
    answer = ask.post("/api/runs/001/finish")
    assert (answer.status_code, answer.json()) == (202, {"id": "001", "folder": str(run.path)})
    assert read_order(run) == "finish"
    assert ask.post("/api/runs/001/stop").status_code == 202
    assert read_order(run) == "stop"
    assert ask.post("/api/runs/001/dance").status_code == 422


def test_a_row_that_will_be_finished_soon_is_waited_for(tmp_path, ask, monkeypatch):
    at_work = made_run(tmp_path, [blank(0)], status="running", n_frames=3)
    soon = threading.Timer(1.5, lambda: write(at_work, [blank(1)]))
    soon.start()
    assert ask.get("/api/runs/001/frames/1").json()["name"] == "img_00001"
    soon.join()
    monkeypatch.setattr(sys.modules[api_frames.LiveRun.__module__], "PATIENCE_S", 0.3)
    answer = ask.get("/api/runs/001/frames/2")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "not_yet")
    assert "2 of 3 frames are finished" in answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert ask.get("/api/runs/001/frames/3").status_code == 404


def test_rows_of_a_ledger_that_is_still_read_are_waited_for(run, ask, monkeypatch):
    table_class = type(api_frames.LiveRun(run).table)
    read_piece = table_class._read_piece
    monkeypatch.setattr(sys.modules[table_class.__module__], "_CHUNK_BYTES", 300)
    monkeypatch.setattr(table_class, "_read_piece", lambda *words: time.sleep(0.1) or read_piece(*words))
    assert ask.get("/api/runs/001/frames/19").json()["row"] == 19
    assert ask.get("/api/runs/001/frames/20").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "words"),
    [
        ("GET", "/api/runs/999", 404, "not_found", "no run 999"),
        ("GET", "/api/runs/..%2f..%2fetc", 404, "not_found", "nothing at"),
        ("GET", "/api/runs/%2e%2e", 404, "not_found", "There is no"),
        ("GET", "/api/runs/1", 404, "not_found", "no run 1 "),
        ("GET", "/api/runs/001@deadbeef/frames", 404, "not_found", "no run"),
        ("GET", "/api/runs/001/frames/20", 404, "not_found", "Finished frames: 20."),
        ("GET", "/api/runs/001/frames/-1", 422, "request", "greater than or equal to 0"),
        ("GET", "/api/runs/001/frames?limit=1001", 422, "request", "limit: "),
        ("GET", "/api/runs/001/frames?outcome=lost", 400, "usage", "no outcome 'lost'"),
        ("GET", "/api/runs/001/frames?where=rm -rf", 400, "usage", "not a limit"),
        ("GET", "/api/runs/001/frames?sort=_offset", 400, "usage", "no column '_offset'"),
        ("GET", "/api/runs/001/columns", 422, "request", "names: "),
        ("GET", "/api/runs/001/columns?names=,", 400, "usage", "No column was requested"),
        ("GET", "/api/runs/001/columns?names=__class__", 400, "usage", "no column"),
        ("GET", "/api/runs?project=/etc", 404, "not_found", "not open on this server"),
        ("GET", "/api/nothing", 404, "not_found", "nothing at /api/nothing"),
        ("GET", "/api", 404, "not_found", "nothing at /api."),
        ("OPTIONS", "/api/nothing", 404, "not_found", "nothing at"),
        ("DELETE", "/api/runs/001", 405, "method", "takes GET, not DELETE"),
        ("OPTIONS", "/api/runs", 405, "method", "takes GET, POST, not OPTIONS"),
        ("GET", "/api/runs/001/stop", 405, "method", "takes POST, not GET"),
        ("GET", "/api/runs/001/frames?where=n_spots<.", 400, "usage", "not a limit"),
        ("GET", "/api/runs/001/frames?where=d_min_A<2.1.5", 400, "usage", "not a limit"),
    ],
)
def test_what_is_wrong_is_said_in_one_shape(run, ask, method, path, status, kind, words):
    answer = ask.request(method, path)
    problem = answer.json()
    assert answer.status_code == status, problem
    assert list(problem) == ["error"]
    assert sorted(problem["error"]) == ["kind", "message", "next"]
    assert problem["error"]["kind"] == kind
    assert words in problem["error"]["message"] + " " + problem["error"]["next"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "JSON"),
        ("[]", "dictionary"),
        ('{"surprise": 1}', "surprise: "),
        ('{"inputs": "/data"}', "inputs: "),
        ('{"inputs": ["--resume"]}', "not a path"),
        ('{"inputs": ["output=/etc"]}', "not a path"),
        ('{"assignments": ["--tmp"]}', "not an assignment"),
        ('{"inputs": ["a\\nb"]}', "inputs"),
        ('{"project": "/etc"}', "not open on this server"),
        ('{"script": "description = x", "inputs": ["/data/nothing_there"]}', "image"),
    ],
)
def test_a_run_that_cannot_be_started_says_why(tmp_path, ask, body, words):
    answer = ask.post("/api/runs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 404, 422), answer.text
    problem = answer.json()["error"]
    assert words in problem["message"] + problem["next"]
    assert not list(tmp_path.glob("integration/*"))


def test_a_run_is_started_over_the_api_and_followed(lysozyme, tmp_path, ask):
    order = {
        "inputs": [str(lysozyme)],
        "assignments": ["mp.n_processors=1", "data_selection.image_range.flag_on=True", *LYSOZYME],
    }
    order["script"] = "data_selection.image_range { flag_on = True\n range = 1-2 }\n"
    order["target"] = "indexing.stills.rmsd_min_px = 4\n"
    answer = ask.post("/api/runs", json=order)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "/api/runs/001"
    detail = {}

    def is_finished():
        detail.update(ask.get("/api/runs/001").json())
        return detail["run"]["status"] == "finished"

    _until(is_finished, 120)
    assert sum(detail["summary"]["counts"].values()) == detail["table"]["n_rows"] == 2
    assert "rmsd_min_px = 4" in (tmp_path / "integration" / "001" / "target.phil").read_text()


def test_an_error_that_nobody_thought_of_has_the_shape_too(run, ask, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(api_frames, "select_rows", broken)
    answer = ask.get("/api/runs/001/frames")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (500, "internal")


def test_the_documentation_names_all_there_is_and_loads_nothing(app, ask):
    page = ask.get("/api/docs").text
    paths = app.openapi()["paths"]
    assert len(paths) >= 9
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert f'<span class="method">{method.upper()}</span><code>{path}</code>' in page
            assert operation["description"]
    for name in (
        "OpenedImage",
        "MaskDrawing",
        "FrameRow",
        "FrameRef",
        "Lattice",
        "RunState",
        "Summary",
        "StartRequest",
        "ErrorAnswer",
    ):
        assert f'id="{name}"' in page
    assert not re.findall(r"""(?:src|href)=["'](?!#|openapi\.json)|https?:|@import|url\(""", page)
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert targets <= set(re.findall(r'id="([^"]+)"', page))


def test_the_description_for_programs_is_whole(ask):
    schema = ask.get("/api/openapi.json").json()
    used = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(schema)))
    assert used <= set(schema["components"]["schemas"])
    assert schema["info"]["title"] == "IOTA"
    assert not any("Validation" in name for name in used)  # there is one shape for errors
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            assert all(parameter["description"] for parameter in operation.get("parameters", [])), path
            for status, answer in operation["responses"].items():
                assert answer["description"], path
                error = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}}
                assert int(status) < 400 or answer["content"] == error, path


def test_columns_and_versions_are_described(ask):
    columns = ask.get("/api/columns").json()
    assert [column["name"] for column in columns["columns"]] == list(COLUMNS)
    assert columns["outcomes"] == list(OUTCOMES)
    assert ask.get("/api/versions").json()["api"] == 1


def test_every_address_is_in_the_documentation_that_people_read(app):
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    for path in app.openapi()["paths"]:
        address = path.replace("{run}", "ID").replace("{row}", "ROW").replace("{order}", "stop")
        assert address in text, address
