"""Nothing answers strangers, and nothing changes on another site's word."""

import time

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from iota.web.access import keys as keys_module
from iota.web.access.guard import Access
from iota.web.access.keys import WORD_S, Keys, new_word

HERE = "http://127.0.0.1:8765"
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}
OTHER_PORT = {"Sec-Fetch-Site": "same-site"}
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


async def _echo(request):
    prefix = request.headers.get("x-forwarded-prefix", "")
    return JSONResponse({"path": request.url.path, "query": str(request.query_params), "prefix": prefix})


async def _socket(socket):
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
def client(keys):
    """Function that makes a browser that was not let in yet, or a program."""

    def make(base_url="", keys=keys):
        routes = [Route("/{path:path}", _echo, methods=["GET", "HEAD", "POST"]), WebSocketRoute("/ws", _socket)]
        app = Access(Starlette(routes=routes[::-1]), keys, 8765, base_url)
        return TestClient(app, base_url=HERE, follow_redirects=False)

    return make


@pytest.fixture
def program(keys):
    """What programs send."""
    return {"Authorization": f"Bearer {keys.token}"}


def let_in(browser, keys, path="/"):
    return browser.get(f"{path}{'&' if '?' in path else '?'}token={new_word(keys.token)}")


@pytest.mark.parametrize(
    "path", ["/", "/runs", "/api/runs", "/iota-static/iota.css", "/_nicegui/x.js", "/~guessed/runs"]
)
def test_strangers_get_no_answer(client, path):
    answer = client().get(path)
    assert answer.status_code == 401
    assert "iota --address" in answer.text
    if path.startswith("/api"):
        assert answer.json()["error"]["kind"] == "no_token"


def test_a_word_lets_one_browser_in_once_and_leaves_the_address(client, keys):
    browser = client()
    word = new_word(keys.token)
    assert browser.head(f"/?token={word}").status_code == 401  # what only looks does not use it up
    answer = browser.get(f"/run/001?tab=log&token={word}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{keys.private_path}/run/001?tab=log")
    attributes = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Lax", f"Path={keys.private_path}"} <= set(attributes)
    assert word not in answer.headers["set-cookie"]
    assert browser.get(answer.headers["location"]).json()["path"] == "/run/001"
    again = client().get(f"/?token={word}")
    assert again.status_code == 401
    assert "already been used" in again.text


def test_words_expire_and_cannot_be_made_up(client, keys, monkeypatch):
    word = new_word(keys.token)
    expires, number, signature = word.split(".")
    later = f"{int(expires, 16) + 10_000:x}"
    for wrong in ("", "x", keys.token, f"{later}.{number}.{signature}", new_word("another token"), f"{word}é"):
        assert client().get("/", params={"token": wrong}).status_code == 401, wrong
    now = time.time()
    monkeypatch.setattr(keys_module.time, "time", lambda: now + WORD_S + 1)
    assert client().get(f"/?token={word}").status_code == 401


def test_cookie_and_private_path_are_good_together_only(client, keys):
    browser = client()
    browser.cookies.set("iota-8765", keys.cookie)
    assert browser.get(f"{keys.private_path}/runs").status_code == 200
    for path in ("/runs", f"/~{'x' * 22}/runs", "/~/runs", f"{keys.private_path}x/runs", f"/runs{keys.private_path}"):
        assert browser.get(path).status_code == 401, path
    assert client().get(f"{keys.private_path}/runs").status_code == 401


def test_nothing_of_one_start_opens_the_next(client, keys):
    browser = client()
    let_in(browser, keys)
    later = Keys()
    successor = client(keys=later)
    for path in (keys.private_path, later.private_path):
        successor.cookies.set("iota-8765", keys.cookie)
        assert successor.get(f"{path}/runs").status_code == 401
    assert successor.get("/runs", headers={"Authorization": f"Bearer {keys.token}"}).status_code == 401
    assert successor.get(f"/?token={new_word(keys.token)}").status_code == 401


@pytest.mark.parametrize("path", ["//evil.example/", "/%5Cevil.example", "/~//evil.example", "/~x//evil.example"])
def test_the_way_in_never_leads_to_another_site(client, keys, path):
    location = client().get(f"{HERE}{path}?token={new_word(keys.token)}").headers["location"]
    assert location.startswith(f"{keys.private_path}/")


def test_programs_send_the_token_as_a_header_and_not_in_the_address(client, keys, program):
    assert client().get("/api/runs", headers=program).status_code == 200
    for wrong in ("Bearer wrong", "Bearer ", f"Basic {keys.token}", f"Bearer {keys.cookie}", keys.token):
        assert client().get("/api/runs", headers={"Authorization": wrong}).status_code == 401
    for word in (keys.token, new_word(keys.token)):
        assert client().get(f"/api/runs?token={word}").status_code == 401


@pytest.mark.parametrize("elsewhere", [CROSS_SITE, OTHER_PORT, {"Sec-Fetch-Site": "of a later standard"}])
def test_pages_of_other_sites_and_ports_get_nothing(client, keys, program, elsewhere):
    """Pictures, scripts, frames, forms, fetches; also with the secrets, which such a page does not have."""
    browser = client()
    let_in(browser, keys)
    here = keys.private_path
    for path in (
        "/api/runs",
        "/api/image/tiles?path=x",
        "/run/001/report",
        "/run/001/geometry/1.png",
        "/iota-static/iota.css",
        "/runs",
    ):
        assert browser.get(here + path, headers=elsewhere).status_code == 403, path
        assert client().get(path, headers=elsewhere | program).status_code == 403, path
        frame = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
        assert browser.get(here + path, headers=elsewhere | frame).status_code == 403, path
    for path in ("/", "/runs", "/run/001", "/image?path=x"):  # a link can be followed
        assert browser.get(here + path, headers=elsewhere | LINK).status_code == 200, path
        assert browser.post(here + path, headers=elsewhere | LINK).status_code == 403, path
    for path in ("/api/runs", "/api/docs", "/run/001/report", "/run/001/report.html", "/run/001/geometry/1.png", "/x"):
        assert browser.get(here + path, headers=elsewhere | LINK).status_code == 403, path
    for own in ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {}):
        assert browser.get(f"{here}/api/runs", headers=own).status_code == 200


def test_a_refused_link_of_another_site_sets_nothing_up(client):
    """Its page may find the private path by itself, and would seem to come from here: its words must stay behind."""
    assert 'data-search="yes"' in client().get("/?set=description%3Dx").text
    assert 'data-search=""' in client().get("/?set=description%3Dx", headers=CROSS_SITE | LINK).text
    evil = client().get("/", headers={"X-Forwarded-Prefix": '/"><script>'}).text
    assert 'data-outer=""' in evil
    assert evil.count("<script>") == 1


def test_the_origin_counts_where_browsers_say_no_more(client, keys):
    browser = client()
    let_in(browser, keys)
    runs = f"{keys.private_path}/api/runs"
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9000", "http://127.0.0.1"):
        assert browser.post(runs, headers={"Origin": origin}).status_code == 403
        assert browser.get(runs, headers={"Origin": origin}).status_code == 403
    assert browser.post(runs, headers={"Origin": HERE}).status_code == 200
    assert browser.post(runs).status_code == 200


def test_a_websocket_needs_cookie_path_and_origin(client, keys):
    browser = client()
    address = f"ws://127.0.0.1:8765{keys.private_path}/ws"

    def is_refused(headers, address=address):
        with pytest.raises(WebSocketDisconnect), browser.websocket_connect(address, headers=headers):
            pass

    for headers in ({}, {"Origin": HERE}):
        is_refused(headers)
    let_in(browser, keys)
    is_refused({"Origin": HERE}, "ws://127.0.0.1:8765/ws")
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:9000"}, OTHER_PORT, CROSS_SITE):
        is_refused(headers)
    with browser.websocket_connect(address, headers={"Origin": HERE, "Sec-Fetch-Site": "same-origin"}) as socket:
        assert socket.receive_text() == "hello"


def test_the_cookie_is_secure_where_people_see_https(client, keys):
    for base_url, headers, is_secure in (
        ("", {}, False),
        ("", {"X-Forwarded-Proto": "https"}, True),
        ("", {"X-Forwarded-Proto": "https, http"}, True),
        ("/iota", {"X-Forwarded-Proto": "http"}, False),
        ("https://host/iota", {}, True),
    ):
        answer = client(base_url).get(f"/?token={new_word(keys.token)}", headers=headers)
        assert ("Secure" in answer.headers["set-cookie"].split("; ")) == is_secure, (base_url, headers)


def test_behind_a_proxy_the_prefix_is_known_in_all_its_ways(client, keys, program):
    for headers in ({"X-Forwarded-Prefix": "/user/me/iota"}, {"X-Forwarded-Context": "/user/me/iota/"}):
        answer = client().get("/runs", headers=program | headers).json()
        assert (answer["path"], answer["prefix"]) == ("/runs", "/user/me/iota")
    answer = client("https://host/iota").get("/iota/runs", headers=program).json()  # the proxy left it in the path
    assert (answer["path"], answer["prefix"]) == ("/runs", "/iota")
    browser = client("/iota")
    moved = let_in(browser, keys, "/runs")
    assert moved.headers["location"] == f"/iota{keys.private_path}/runs"
    assert f"Path=/iota{keys.private_path}" in moved.headers["set-cookie"]
    answer = browser.get(moved.headers["location"]).json()
    assert (answer["path"], answer["prefix"]) == ("/runs", f"/iota{keys.private_path}")
    evil = client().get("/runs", headers=program | {"X-Forwarded-Prefix": '/"><script>'}).json()
    assert evil["prefix"] == ""


def test_the_proxy_s_own_host_is_no_other_site(client, program):
    headers = program | {"Origin": "https://beamline.example"}
    assert client().post("/x", headers=headers).status_code == 403
    assert client("https://beamline.example/iota").post("/x", headers=headers).status_code == 200
    assert client().post("/x", headers=headers | {"X-Forwarded-Host": "beamline.example"}).status_code == 200


def test_every_answer_carries_the_security_headers(client, program):
    for answer in (client().get("/"), client().get("/", headers=program)):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "http:" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
