"""Images over HTTP, as pages and programs ask for them; with the real helper process."""

import json
import pickle
import shutil
import struct
import time
import zlib

import h5py
import msgspec
import numpy as np
import pytest
from starlette.testclient import TestClient

from iota.image_answers import LatticeMarks, MaskedPixels, Rectangle, Region, SavedMask, Spots
from iota.processes.question import BusyError
from iota.runs import RunFolder, read_ledger
from iota.web.access.head import HeadAsGet
from iota.web.api.errors import ErrorAnswer
from iota.web.api.image_models import DrawnMask, LoadedShapes, OpenedImage
from iota.web.image.frames import ImageSet
from iota.web.image.mask_phil import phil_of
from iota.web.image.pixel_server import PixelServer
from iota.web.projects.projects import Projects
from iota.web.server import make_api
from iota.web.site import Site


@pytest.fixture
def ask(known_run):
    site = Site(Projects(known_run.path.parents[1]))
    with TestClient(HeadAsGet(make_api(site)), raise_server_exceptions=False) as client:
        yield client
    site.pixels.close()


def checked(answer, kind):
    """An answer, which must be as OpenAPI says."""
    assert answer.headers["content-type"] == "application/json"
    described = msgspec.json.encode(msgspec.json.decode(answer.content, type=kind))
    assert msgspec.json.decode(described) == answer.json()
    return answer.json()


def test_an_image_of_a_run_with_its_marks(ask, known_run):
    records = read_ledger(known_run.ledger)[0]
    row = next(k for k, record in enumerate(records) if record.outcome == "integrated")
    opened = checked(ask.get("/api/image/open", params={"run": "001", "row": row}), OpenedImage)
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
    lattices = checked(ask.get("/api/image/marks", params=query), list[LatticeMarks])
    assert [len(one["h"]) for one in lattices] == [lattice.n_integrated for lattice in records[row].lattices]
    spots = checked(ask.get("/api/image/spots", params=query), Spots)
    assert len(spots["x"]) == records[row].n_spots
    checked(ask.get("/api/image/region", params={**query, "fast": 490, "slow": 530}), Region)
    checked(ask.get("/api/image/bad-pixels", params=query), list[tuple[int, float, float]])
    checked(ask.get("/api/image/shadow", params={**query, "threshold": 2}), list[tuple[int, Rectangle]])
    head = ask.head("/api/image/tiles", params={**query, "tiles": "0.2.0.0,0.2.0.1"})
    assert (head.content, head.headers["content-length"]) == (b"", str(len(answer.content)))


def test_images_to_go_through(ask, known_run):
    assert checked(ask.post("/api/image/set", params={"run": "001"}), ImageSet)["n"] == 12
    some = ask.post("/api/image/set", params={"run": "001", "rows": "3,10-14"}).json()
    assert (some["n"], some["rows"]) == (3, [3, 10, 11])
    assert some["remarks"] == ["Rows that do not exist in run 001 were left out: 3."]
    path = read_ledger(known_run.ledger)[0][0].frame.path
    (frame,) = ask.post("/api/image/set", params={"path": path}).json()["frames"]
    assert frame == {"path": path, "index": None}


def test_parameters_without_a_value_are_as_if_left_out(ask, known_run):
    path = read_ledger(known_run.ledger)[0][0].frame.path
    for what, query in (
        ("open", {"run": "", "row": "", "index": ""}),
        ("thumbnail", {"size": ""}),
        ("region", {"panel": "", "fast": "", "slow": ""}),
        ("spots", {"sigma_strong": "", "kernel_size": ""}),
    ):
        answers = [ask.get(f"/api/image/{what}", params={"path": path, **given}) for given in ({}, query)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].content == answers[1].content


def test_masks_are_saved_in_the_project_and_never_over_another(ask, known_run):
    query = {"path": read_ledger(known_run.ledger)[0][0].frame.path, "name": "stop"}
    drawing = {"shapes": [{"kind": "circle", "panel": 0, "numbers": [490, 530, 40]}]}
    drawn = checked(ask.post("/api/image/mask", params=query, content=json.dumps(drawing)), DrawnMask)  # as pages do
    saved = checked(ask.post("/api/image/mask/save", params=query, json=drawing), SavedMask)
    assert drawn["n_masked"] == saved["n_masked"]
    assert saved["mask"] == str(known_run.path.parents[1] / "masks" / "stop.pickle")
    loaded = checked(ask.get("/api/image/mask/load", params={**query, "file": saved["mask"]}), MaskedPixels)
    assert loaded["n_masked"] == saved["n_masked"]
    loaded = ask.get("/api/image/mask/load", params={**query, "file": saved["phil"]}).json()
    assert loaded["drawing"]["shapes"] == drawing["shapes"]
    assert phil_of(msgspec.convert(loaded, LoadedShapes).drawing) == drawn["phil"]
    for no in ({}, {"replace": "false"}, {"replace": "0"}):
        again = ask.post("/api/image/mask/save", params=query | no, json={})
        assert (again.status_code, again.json()["error"]["kind"]) == (409, "conflict")
        assert again.json()["error"]["message"] == f"{saved['mask']} already exists."
    for yes in ({"replace": ""}, {"replace": "1"}):
        assert ask.post("/api/image/mask/save", params=query | yes, json=drawing).json() == saved
    for name in ("../stop", "", "a/b", ".hidden"):
        assert ask.post("/api/image/mask/save", params={**query, "name": name}, json=drawing).status_code == 400


def test_what_is_wrong_has_its_status_and_a_sentence(ask, known_run, tmp_path, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    path = read_ledger(known_run.ledger)[0][0].frame.path
    (tmp_path / "mask.pickle").write_bytes(pickle.dumps(print))
    (tmp_path / "text_1.cbf").write_text("hello\n")
    with h5py.File(tmp_path / "claims.h5", "w") as file:
        file.create_dataset("entry/data/data", (10**9, 4, 3), "u2", chunks=(1, 4, 3))
    for method, what, query, body, status, kind, words in (
        ("GET", "open", {}, None, 400, "usage", "Specify an image"),
        ("GET", "open", {"run": "001", "row": 99}, None, 404, "not_found", "has no row 99"),
        ("GET", "open", {"run": "044", "row": 0}, None, 404, "not_found", "There is no run 044"),
        ("GET", "open", {"run": "001", "row": -1}, None, 422, "request", "row: "),
        ("GET", "open", {"path": "/nowhere/a_1.cbf"}, None, 404, "not_found", "There is no such file"),
        ("GET", "open", {"path": path, "index": 5}, None, 404, "not_found", "contains only 1 image"),
        ("GET", "open", {"path": path, "index": "x"}, None, 422, "request", "valid integer"),
        ("GET", "open", {"path": "a.cbf"}, None, 400, "usage", "not an absolute path"),
        ("GET", "open", {"path": f"{tmp_path}/text_1.cbf"}, None, 400, "usage", "not recognise"),
        ("GET", "open", {"path": f"{tmp_path}/claims.h5", "index": 5}, None, 400, "usage", "hold 1,000,000,000 images"),
        ("POST", "open", {"path": path}, None, 405, "method", "takes GET, not POST"),
        ("POST", "set", {}, None, 400, "usage", "Specify images"),
        ("POST", "set", {"run": "044"}, None, 404, "not_found", "no run 044"),
        ("POST", "set", {"run": "001", "rows": "a-b"}, None, 400, "usage", "not a list of rows"),
        ("POST", "set", {"path": path, "some": "a few"}, None, 400, "usage", "use the form 3,8,12-20"),
        ("GET", "set", {"path": path}, None, 405, "method", "takes POST, not GET"),
        ("GET", "tiles", {"path": path, "tiles": "0.0"}, None, 400, "usage", "is not a tile"),
        ("GET", "tiles", {"path": path, "tiles": 401 * "0.0.0.0,"}, None, 400, "usage", "too many"),
        ("GET", "thumbnail", {"path": path, "size": 0}, None, 422, "request", "size: "),
        ("GET", "region", {"path": path, "panel": 3}, None, 404, "not_found", "no panel 3"),
        ("GET", "region", {"path": path, "fast": 9999}, None, 404, "not_found", "no pixel 9999, 0"),
        ("GET", "strong", {"path": path, "sigma_strong": "x"}, None, 422, "request", "valid number"),
        ("GET", "strong", {"path": path, "sigma_strong": "4 a=b"}, None, 422, "request", "valid number"),
        ("GET", "strong", {"path": path, "gain": "nan"}, None, 422, "request", "gain: "),
        ("GET", "spots", {"path": path, "min_spot_size": 10**12}, None, 422, "request", "min_spot_size: "),
        ("GET", "shadow", {"path": path}, None, 400, "usage", "Enter a shadow threshold in counts"),
        ("GET", "shadow", {"path": path, "threshold": "nan"}, None, 422, "request", "finite number"),
        ("POST", "mask", {"path": path}, None, 422, "request", "This is not a mask"),
        ("POST", "mask", {"path": path}, {"border": "x"}, 422, "request", "This is not a mask"),
        ("POST", "mask", {"path": path}, {"border": -1}, 400, "usage", "Edges must be"),
        ("POST", "mask", {"path": path}, {"base": ["/nowhere/m.pickle"]}, 404, "not_found", "cannot be read"),
        ("GET", "mask/load", {"path": path}, None, 422, "request", "file: "),
        ("GET", "mask/load", {"path": path, "file": "/nowhere/m.pickle"}, None, 404, "not_found", "No such file"),
        ("GET", "mask/load", {"path": path, "file": "/nowhere/m.phil"}, None, 404, "not_found", "No such file"),
        ("GET", "mask/load", {"path": path, "file": f"{tmp_path}/mask.pickle"}, None, 400, "usage", "is not a mask"),
        ("POST", "viewer", {"path": path}, None, 409, "conflict", "no display"),
    ):
        answer = ask.request(method, f"/api/image/{what}", params=query, json=body)
        problem = checked(answer, ErrorAnswer)["error"]
        assert (answer.status_code, problem["kind"]) == (status, kind), (what, query, problem)
        assert words in f"{problem['message']} {problem['next']}"


def test_images_that_dials_cannot_cope_with_have_their_status(known_run):
    site = Site(Projects(known_run.path.parents[1]), pixels=PixelServer(limit_s=0.01))
    query = {"path": read_ledger(known_run.ledger)[0][0].frame.path}
    with TestClient(make_api(site), raise_server_exceptions=False) as client:
        late = client.get("/api/image/open", params=query)
        site.pixels.close()
        closed = client.get("/api/image/open", params=query)
    assert (late.status_code, late.json()["error"]["kind"]) == (504, "timed_out")
    assert (closed.status_code, closed.json()["error"]["kind"]) == (503, "busy")
    assert int(closed.headers["retry-after"]) > 0


def test_files_of_a_run_that_are_damaged_or_gone(ask, known_run, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(known_run.path, project / "integration" / "001")
    run = RunFolder.open(project / "integration" / "001")
    records = read_ledger(run.ledger)[0]
    row = next(k for k, record in enumerate(records) if record.outcome == "integrated")
    (run.path / records[row].files["reflections"]).write_bytes(b"not reflections")
    run.target.unlink()
    run.ledger.write_bytes(b'{"torn\n' + run.ledger.read_bytes())
    site = Site(Projects(project))
    with TestClient(make_api(site), raise_server_exceptions=False) as client:
        query = {"run": "001", "row": row}
        for what in ("marks", "open"):
            answer = client.get(f"/api/image/{what}", params=query)
            assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "run_folder"), answer.text
        assert client.post("/api/image/set", params={"run": "001"}).json()["n"] == len(records)
        shutil.rmtree(run.path)
        answer = client.get("/api/image/open", params=query)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (404, "not_found")
    site.pixels.close()


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
    with pytest.raises(BusyError, match="shutting down"):
        pixels.ask("open", source=source)


def test_queries_are_declared_and_nothing_else_has_an_effect(ask, known_run):
    routes = ask.get("/api/openapi.json").json()["paths"]
    declared = {one["name"]: one for one in routes["/api/image/spots"]["get"]["parameters"]}
    assert {"run", "row", "path", "index", "sigma_strong", "again"} <= set(declared)
    for name, kind in (("kernel_size", "integer"), ("d_min", "number"), ("row", "integer")):
        (number,) = (one for one in declared[name]["schema"]["anyOf"] if one["type"] != "null")
        assert (number["type"], number["minimum"]) == (kind, 0)
    path = read_ledger(known_run.ledger)[0][0].frame.path
    given = {"path": path, "sigma_strong": "x", "spotfinder.lookup.mask": "/evil.pickle"}
    assert ask.get("/api/image/open", params=given).status_code == 200


async def test_the_page_says_how_to_name_an_image(visit, tmp_path):
    user = await visit(tmp_path)
    await user.open("/image")
    await user.should_see("No image specified")
    await user.should_see("Choose images...")
