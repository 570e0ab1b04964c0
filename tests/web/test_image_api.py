"""Images over HTTP, as pages and programs ask for them; with the real helper process."""

import pickle
import struct
import time
import zlib

import h5py
import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from iota.processes.question import NoAnswerError
from iota.runs import read_ledger
from iota.web.image.api import ImageApi
from iota.web.image.pixel_server import PixelServer
from iota.web.projects.projects import Projects


@pytest.fixture
def ask(known_run):
    app = FastAPI()
    pixels = PixelServer()
    app.include_router(ImageApi(Projects(known_run.path.parents[1]), pixels).router)
    with TestClient(app) as client:
        yield client
    pixels.close()


def test_an_image_of_a_run_with_its_marks(ask, known_run):
    records = read_ledger(known_run.ledger)[0]
    row = next(k for k, record in enumerate(records) if record.outcome == "integrated")
    opened = ask.get("/api/image/open", params={"run": "001", "row": row}).json()
    assert opened["path"] == records[row].frame.path
    assert opened["record"]["n_spots"] == records[row].n_spots
    blank = next(k for k, record in enumerate(records) if record.outcome == "failed_triage")
    said = ask.get("/api/image/open", params={"run": "001", "row": blank}).json()["record"]
    assert (said["outcome"], said["words"]) == ("failed_triage", "no diffraction")
    assert [panel["size"] for panel in opened["layout"]["panels"]] == [[981, 1043]]
    query = {"run": "001", "row": row, "v": opened["version"]}
    answer = ask.get("/api/image/tiles", params={**query, "tiles": "0.2.0.0,0.2.0.1"})
    assert "max-age" in answer.headers["cache-control"]
    (n,) = struct.unpack_from("<I", answer.content)
    assert np.frombuffer(zlib.decompress(answer.content[4 : 4 + n]), "<u2").size == 246 * 256
    assert answer.content == ask.get("/api/image/tiles", params={**query, "tiles": "0.2.0.0,0.2.0.1"}).content
    lattices = ask.get("/api/image/marks", params=query).json()
    assert [len(one["h"]) for one in lattices] == [lattice.n_integrated for lattice in records[row].lattices]
    spots = ask.get("/api/image/spots", params=query).json()
    assert len(spots["x"]) == records[row].n_spots
    assert ask.post("/api/image/set", params=query).json()["n"] == 12
    assert ask.get("/api/image/set", params=query).status_code == 405


def test_masks_are_saved_in_the_project_and_never_over_another(ask, known_run):
    query = {"path": read_ledger(known_run.ledger)[0][0].frame.path, "name": "stop"}
    drawing = {"shapes": [{"kind": "circle", "panel": 0, "numbers": [490, 530, 40]}]}
    saved = ask.post("/api/image/mask/save", params=query, json=drawing).json()
    assert saved["mask"] == str(known_run.path.parents[1] / "masks" / "stop.pickle")
    loaded = ask.get("/api/image/mask/load", params={**query, "file": saved["mask"]}).json()
    assert loaded["n_masked"] == saved["n_masked"]
    shapes = ask.get("/api/image/mask/load", params={**query, "file": saved["phil"]}).json()["drawing"]["shapes"]
    assert shapes == drawing["shapes"]
    again = ask.post("/api/image/mask/save", params=query, json=drawing)
    assert (again.status_code, "is there already" in again.json()["error"]["message"]) == (400, True)
    for name in ("../stop", "", "a/b", ".hidden"):
        assert ask.post("/api/image/mask/save", params={**query, "name": name}, json=drawing).status_code == 400


def test_what_is_wrong_is_a_sentence(ask, known_run, tmp_path):
    path = read_ledger(known_run.ledger)[0][0].frame.path
    (tmp_path / "mask.pickle").write_bytes(pickle.dumps(print))
    with h5py.File(tmp_path / "claims.h5", "w") as file:
        file.create_dataset("entry/data/data", (10**9, 4, 3), "u2", chunks=(1, 4, 3))
    claims = str(tmp_path / "claims.h5")
    for method, what, query, words in (
        ("GET", "open", {"run": "001", "row": 99}, "has no row 99"),
        ("GET", "open", {"run": "044", "row": 0}, "There is no run 044"),
        ("GET", "open", {"path": "/nowhere/a_1.cbf"}, "There is no such file"),
        ("GET", "open", {"path": path, "index": "x"}, "not an integer"),
        ("GET", "open", {"path": claims, "index": 5}, "it claims to hold 1,000,000,000 images"),
        ("POST", "set", {"path": path, "some": "a few"}, "write it like 3,8,12-20"),
        ("GET", "open", {}, "Name an image"),
        ("GET", "tiles", {"path": path, "tiles": "0.0"}, "is no tile"),
        ("GET", "region", {"path": path, "panel": 3}, "no panel 3"),
        ("GET", "strong", {"path": path, "sigma_strong": "x"}, "is a number"),
        ("GET", "mask/load", {"path": path, "file": str(tmp_path / "mask.pickle")}, "is not a mask"),
        ("GET", "shadow", {"path": path, "threshold": ""}, "Give a number"),
        ("POST", "mask", {"path": path}, "This is no mask"),
    ):
        answer = ask.request(method, f"/api/image/{what}", params=query)
        assert answer.status_code == 400
        assert words in answer.json()["error"]["message"]


def test_processes_that_nobody_asks_any_more_end_and_come_back(known_run):
    pixels = PixelServer(idle_s=0.5)
    source = {"path": read_ledger(known_run.ledger)[0][0].frame.path, "index": None, "target": "", "experiments": ""}
    first, _ = pixels.ask("open", source=source)
    deadline = time.monotonic() + 20
    while any(helper.process.is_running for helper in pixels._helpers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert pixels.ask("open", source=source)[0] == first
    pixels.close()
    with pytest.raises(NoAnswerError, match="The server ends"):
        pixels.ask("open", source=source)


def test_queries_are_declared_and_nothing_else_has_an_effect(ask, known_run):
    routes = ask.app.openapi()["paths"]
    declared = {one["name"]: one for one in routes["/api/image/spots"]["get"]["parameters"]}
    assert {"run", "row", "path", "index", "sigma_strong", "again"} <= set(declared)
    assert declared["kernel_size"]["schema"] == {"type": "integer"}
    assert declared["d_min"]["schema"] == {"type": "number"}
    assert all(one["description"] for path in routes.values() for way in path.values() for one in way["parameters"])
    path = read_ledger(known_run.ledger)[0][0].frame.path
    assert ask.get("/api/image/open", params={"path": path, "sigma_strong": "x"}).status_code == 200


async def test_the_page_says_how_to_name_an_image(visit, tmp_path):
    user = await visit(tmp_path)
    await user.open("/image")
    await user.should_see("No image is named")
    await user.should_see("Choose images...")
