"""Who may talk to the server: nothing answers without the token, pages, files, the API and websockets alike."""

from __future__ import annotations

import html
import json
import re
import secrets
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_PREFIX = re.compile(r"(?:/[\w.~%-]+)*")
# Vue compiles templates in the browser, hence unsafe-eval; nothing is loaded from another machine
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self'"
    " 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:;"
    " object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_REFUSED = (
    "This is an IOTA server. Open it with the address that was printed when it was started: that address holds its"
    " token. Programs send the header 'Authorization: Bearer TOKEN'."
)
_FOREIGN = (
    "The request comes from a page of another site. If a proxy stands before this server, give the address that people"
    " see with --base-url."
)


class Access:
    """ASGI application around the real one.

    The token is given once in the address, ``?token=``, and then lives in a cookie that scripts cannot read; programs
    send it as a bearer token.  What changes something, and every websocket, must come from a page of this server.

    Behind a proxy the prefix under which people see the server is that of ``X-Forwarded-Prefix`` or
    ``X-Forwarded-Context``, or that of ``base_url``.
    """

    def __init__(self, app: ASGIApp, token: str, port: int, base_url: str = "") -> None:
        """Guard an application.

        Args:
            app: what is guarded.
            token: the secret.
            port: of this server; cookies do not know ports, so it is a part of the cookie's name.
            base_url: address or path under which a proxy shows the server, e.g. ``https://host/iota`` or ``/iota``.
        """
        self._app = app
        self._token = token
        self.cookie = f"iota-{port}"
        given = urlsplit(base_url)
        self._prefix = given.path.rstrip("/")
        self._origin_host = given.netloc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        prefix = self._take_prefix(scope, headers)
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = next((value for name, value in query if name == "token"), None)
        is_read = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
        if not (self._is_token(given) or self._is_known(headers)):
            await _refuse(scope, send, 401, _REFUSED)
        elif not is_read and not self._is_own_page(headers):
            await _refuse(scope, send, 403, _FOREIGN)
        elif given is not None and is_read and not scope["path"].startswith("/api/"):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            await self._remember(send, prefix, prefix + quote(scope["path"]) + ("?" + rest if rest else ""), scope)
        else:
            await self._app(scope, receive, _with_headers(send))

    def _take_prefix(self, scope: Scope, headers: Headers) -> str:
        """Find the prefix and tell the application of it in one way; where the proxy left it in the path, cut it."""
        prefix = headers.get("x-forwarded-prefix") or headers.get("x-forwarded-context") or self._prefix
        prefix = prefix.rstrip("/")
        if not _PREFIX.fullmatch(prefix):
            prefix = ""
        if prefix and (scope["path"] == prefix or scope["path"].startswith(prefix + "/")):
            scope["path"] = scope["path"][len(prefix) :] or "/"
            scope["raw_path"] = scope["path"].encode()
        kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"x-forwarded-prefix"]
        scope["headers"] = [*kept, *([(b"x-forwarded-prefix", prefix.encode())] if prefix else [])]
        return prefix

    def _is_known(self, headers: Headers) -> bool:
        bearer = headers.get("authorization", "")
        if bearer.lower().startswith("bearer ") and self._is_token(bearer[7:].strip()):
            return True
        return self._is_token(cookie_parser(headers.get("cookie", "")).get(self.cookie))

    def _is_token(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode(), self._token.encode())

    def _is_own_page(self, headers: Headers) -> bool:
        """Whether a browser says that the request comes from a page of this server; programs say nothing."""
        origin = headers.get("origin")
        if origin is None:
            return True
        host = urlsplit(origin).netloc
        return bool(host) and host in (headers.get("host"), headers.get("x-forwarded-host"), self._origin_host or None)

    async def _remember(self, send: Send, prefix: str, target: str, scope: Scope) -> None:
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        cookie = f"{self.cookie}={self._token}; HttpOnly; SameSite=Lax; Path={prefix or '/'}{secure}"
        # '//host' would be another site
        location = "/" + target.lstrip("/")
        await _answer(send, 303, b"", [("location", location), ("set-cookie", cookie), ("cache-control", "no-store")])


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers


async def _refuse(scope: Scope, send: Send, status: int, sentence: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "No access."})
        return
    if scope["path"].startswith("/api"):
        kind = "no_token" if status == 401 else "foreign_origin"
        body = json.dumps({"error": {"kind": kind, "message": sentence, "next": ""}}).encode()
        await _answer(send, status, body, [("content-type", "application/json")])
        return
    page = f"<!doctype html><title>IOTA</title><p style='font:16px sans-serif;margin:3em'>{html.escape(sentence)}</p>"
    await _answer(send, status, page.encode(), [("content-type", "text/html; charset=utf-8")])


async def _answer(send: Send, status: int, body: bytes, headers: Iterable[tuple[str, str]]) -> None:
    all_headers = [*headers, *_HEADERS.items(), ("content-length", str(len(body)))]
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in all_headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
