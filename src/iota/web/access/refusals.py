"""Responses to requests that are refused."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers
from starlette.types import Scope, Send

# Vue compiles templates in the browser, hence unsafe-eval; nothing is loaded from another machine
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self'"
    " 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:;"
    " object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ANOTHER = "Run 'iota --address' in the project folder to print a new address."
STRANGER = (
    "This is an IOTA server. Open it with the address that was printed when it was started; that address contains a"
    f" one-time word. {_ANOTHER} Programs send the header 'Authorization: Bearer TOKEN' with the token that"
    " 'iota --token' prints."
)
SPENT = (
    "The word in this address has already been used, is older than an hour, or belongs to a server that is no longer"
    " running. If you have not used this address before, somebody else may have: stop the server with Ctrl-C and start"
    f" it again. Otherwise: {_ANOTHER}"
)
FOREIGN = (
    "The request comes from a page on another site. If this server is behind a proxy, give its public address with"
    " --base-url."
)
_KINDS = {401: "no_token", 403: "foreign_origin"}

# A browser that was let in knows the private path of this server (access.js has kept it): addresses that are typed,
# linked or of an earlier start find their pages. Of a link on another site only the path is taken.
_COME_BACK = """
const {outer, search} = document.documentElement.dataset;
const comeBack = () => {
  const known = localStorage.getItem(`iota-path ${outer}`) ?? "";
  const rest = location.pathname.slice(outer.length).replace(/^\\/~[^/]*/, "");
  if (!known.startsWith(`${outer}/~`) || known + rest === location.pathname) return;
  const words = new URLSearchParams(search && location.search);
  words.delete("token");
  location.replace(known + rest + (words.toString() && `?${words}`) + location.hash);
};
addEventListener("storage", comeBack);  // let in by another tab
comeBack();
"""


async def refuse(
    scope: Scope, send: Send, status: int, sentence: str, *, outer: str = "", is_link: bool = False
) -> None:
    """Refuse a request, in the way in which it was made.

    Args:
        scope: of the request.
        send: sends the answer.
        status: 401 or 403.
        sentence: what is wrong, and what to do.
        outer: prefix under which a proxy shows the server.
        is_link: a page of another site leads here.
    """
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "Access denied."})
    elif scope["path"].startswith("/api") and "text/html" not in Headers(scope=scope).get("accept", ""):
        body = json.dumps({"error": {"kind": _KINDS[status], "message": sentence, "next": ""}}).encode()
        await answer(send, status, body, [("content-type", "application/json")])
    else:
        script = _COME_BACK if status == 401 else ""
        way_in = '<p><a href="">Continue</a> if you trust the page that linked here.' if status == 403 else ""
        page = (
            f'<!doctype html><html data-outer="{html.escape(outer)}" data-search="{"" if is_link else "yes"}">'
            f"<title>IOTA</title><script>{script}</script>"
            f"<body style='font:16px sans-serif;margin:3em'><p>{html.escape(sentence)}</p>{way_in}"
        )
        await answer(send, status, page.encode(), [("content-type", "text/html; charset=utf-8")])


async def answer(send: Send, status: int, body: bytes, headers: Iterable[tuple[str, str]]) -> None:
    """Send an answer, with the headers that all answers have; no browser keeps it."""
    all_headers = [*headers, *HEADERS.items(), ("content-length", str(len(body))), ("cache-control", "no-store")]
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in all_headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
