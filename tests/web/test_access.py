"""Nothing answers without the token, and nothing changes on another site's word."""

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from iota.web.access import Access

TOKEN = "a-secret-token"


async def _echo(request):
    prefix = request.headers.get("x-forwarded-prefix", "")
    return JSONResponse({"path": request.url.path, "query": str(request.query_params), "prefix": prefix})


async def _socket(socket):
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


def client(base_url=""):
    routes = [Route("/{path:path}", _echo, methods=["GET", "POST"]), WebSocketRoute("/ws", _socket)]
    app = Access(Starlette(routes=routes[::-1]), TOKEN, 8765, base_url)
    return TestClient(app, base_url="http://127.0.0.1:8765", follow_redirects=False)


@pytest.mark.parametrize(
    "path", ["/", "/runs", "/api/runs", "/iota-static/iota.css", "/_nicegui/x.js", "/?token=wrong"]
)
def test_without_the_token_there_is_no_answer(path):
    answer = client().get(path)
    assert answer.status_code == 401
    assert "token" in answer.text
    if path.startswith("/api"):
        assert answer.json()["error"]["kind"] == "no_token"


def test_a_token_in_the_address_becomes_a_cookie_and_leaves_the_address():
    browser = client()
    answer = browser.get(f"/run/001?tab=log&token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/run/001?tab=log")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert browser.get("/run/001").json()["path"] == "/run/001"


@pytest.mark.parametrize("path", ["//evil.example/", "/%5Cevil.example"])
def test_the_way_back_never_leads_to_another_site(path):
    location = client().get(f"http://127.0.0.1:8765{path}?token={TOKEN}").headers["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


def test_programs_send_the_token_as_a_header():
    answer = client().get("/api/runs", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert client().get("/api/runs", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_a_page_of_another_site_changes_nothing():
    browser = client()
    browser.cookies.set("iota-8765", TOKEN)
    assert browser.post("/api/runs", headers={"Origin": "http://evil.example"}).status_code == 403
    assert browser.post("/api/runs", headers={"Origin": "null"}).status_code == 403
    assert browser.post("/api/runs", headers={"Origin": "http://127.0.0.1:8765"}).status_code == 200
    assert browser.post("/api/runs").status_code == 200


def test_a_websocket_needs_token_and_origin():
    browser = client()
    for headers in ({}, {"Origin": "http://127.0.0.1:8765"}):
        with pytest.raises(WebSocketDisconnect), browser.websocket_connect("ws://127.0.0.1:8765/ws", headers=headers):
            pass
    browser.cookies.set("iota-8765", TOKEN)
    with (
        pytest.raises(WebSocketDisconnect),
        browser.websocket_connect("ws://127.0.0.1:8765/ws", headers={"Origin": "http://evil.example"}),
    ):
        pass
    with browser.websocket_connect("ws://127.0.0.1:8765/ws", headers={"Origin": "http://127.0.0.1:8765"}) as socket:
        assert socket.receive_text() == "hello"


def test_behind_a_proxy_the_prefix_is_known_in_all_its_ways():
    known = {"Authorization": f"Bearer {TOKEN}"}
    for headers in ({"X-Forwarded-Prefix": "/user/me/iota"}, {"X-Forwarded-Context": "/user/me/iota/"}):
        answer = client().get("/runs", headers=known | headers).json()
        assert (answer["path"], answer["prefix"]) == ("/runs", "/user/me/iota")
    answer = client("https://host/iota").get("/iota/runs", headers=known).json()  # the proxy left it in the path
    assert (answer["path"], answer["prefix"]) == ("/runs", "/iota")
    moved = client("/iota").get(f"/runs?token={TOKEN}")
    assert moved.headers["location"] == "/iota/runs"
    assert "Path=/iota" in moved.headers["set-cookie"]
    evil = client().get("/runs", headers=known | {"X-Forwarded-Prefix": '/"><script>'}).json()
    assert evil["prefix"] == ""


def test_the_proxy_s_own_host_is_no_other_site():
    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://beamline.example"}
    assert client().post("/x", headers=headers).status_code == 403
    assert client("https://beamline.example/iota").post("/x", headers=headers).status_code == 200
    assert client().post("/x", headers=headers | {"X-Forwarded-Host": "beamline.example"}).status_code == 200


def test_every_answer_carries_the_security_headers():
    for answer in (client().get("/"), client().get("/", headers={"Authorization": f"Bearer {TOKEN}"})):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "http:" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
