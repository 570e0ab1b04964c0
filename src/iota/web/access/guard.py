"""Checks every request (token, cookie, origin), and sets the cookie of a browser that was let in."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from iota.web.access.keys import PRIVATE, Keys
from iota.web.access.refusals import FOREIGN, HEADERS, SPENT, STRANGER, answer, refuse

_PREFIX = re.compile(r"(?:/[\w.~%-]+)*", re.ASCII)
_PAGES = re.compile(r"/|/runs|/image|/run/[^/]+")  # those that a link on another site may lead to


class Access:
    """ASGI application around the real one.

    A browser is let in by the word in an address, ``?token=``, once; from then on it has a cookie that scripts cannot
    read, and stays below a private path.  Programs send a token as a bearer token.  Pages of other sites, and of other
    ports of this host, cannot ask for anything; they can only lead to a page.

    Behind a proxy the prefix under which people see the server is that of ``X-Forwarded-Prefix`` or
    ``X-Forwarded-Context``, or that of ``base_url``.
    """

    def __init__(self, app: ASGIApp, keys: Keys, port: int, base_url: str = "") -> None:
        """Guard an application.

        Args:
            app: what is guarded.
            keys: the secrets.
            port: of this server; cookies do not know ports, so it is a part of the cookie's name.
            base_url: address or path under which a proxy shows the server, e.g. ``https://host/iota`` or ``/iota``.
        """
        self._app = app
        self._keys = keys
        self.cookie = f"iota-{port}"
        self.entered: Callable[[str], object] = lambda word: None  # is told which word has let a browser in
        given = urlsplit(base_url)
        self._prefix = given.path.rstrip("/")
        self._origin_host = given.netloc
        self._is_https = given.scheme == "https"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        outer = self._outer_prefix(headers)
        is_private = self._cut_paths(scope, outer)
        is_link = _is_link(scope, headers)
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        word = next((value for name, value in query if name == "token"), None)
        if self._is_foreign(headers) and not is_link:
            await refuse(scope, send, 403, FOREIGN)
        elif self._is_known(headers, is_private):
            await self._app(scope, receive, _with_headers(send))
        elif word is None or scope.get("method") != "GET" or scope["path"].startswith("/api"):
            await refuse(scope, send, 401, STRANGER, outer=outer, is_link=is_link)
        elif self._keys.spend(word):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            await self._let_in(scope, send, outer, quote(scope["path"]) + ("?" + rest if rest else ""))
            self.entered(word)
        else:
            await refuse(scope, send, 401, SPENT, outer=outer, is_link=is_link)

    def _outer_prefix(self, headers: Headers) -> str:
        """The prefix under which a proxy shows the server; empty where there is none, or none that is a path."""
        prefix = headers.get("x-forwarded-prefix") or headers.get("x-forwarded-context") or self._prefix
        prefix = prefix.rstrip("/")
        return prefix if _PREFIX.fullmatch(prefix) else ""

    def _cut_paths(self, scope: Scope, outer: str) -> bool:
        """Cut the prefix, where the proxy left it, and the private path; tell the application of both in one way.

        Returns:
            Whether the request is for something on the private path of this server.
        """
        path: str = scope["path"]
        if outer and (path == outer or path.startswith(outer + "/")):
            path = path[len(outer) :] or "/"
        is_private = False
        if path.startswith(PRIVATE):
            first, slash, rest = path[1:].partition("/")
            is_private = self._keys.is_private_path("/" + first)
            path = slash + rest or "/"
        prefix = outer + (self._keys.private_path if is_private else "")
        scope["path"], scope["raw_path"] = path, quote(path).encode()
        kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"x-forwarded-prefix"]
        scope["headers"] = [*kept, *([(b"x-forwarded-prefix", prefix.encode())] if prefix else [])]
        return is_private

    def _is_known(self, headers: Headers, is_private: bool) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._keys.is_token(token.strip()):
            return True
        return is_private and self._keys.is_cookie(cookie_parser(headers.get("cookie", "")).get(self.cookie))

    def _is_foreign(self, headers: Headers) -> bool:
        """Whether a browser says that a page of another site, or of another port, asks; programs say nothing."""
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return True
        origin = headers.get("origin")
        if origin is None:
            return False
        host = urlsplit(origin).netloc
        own = (headers.get("host"), headers.get("x-forwarded-host"), self._origin_host or None)
        return not host or host not in own

    async def _let_in(self, scope: Scope, send: Send, outer: str, target: str) -> None:
        seen_as = Headers(scope=scope).get("x-forwarded-proto", scope.get("scheme", "")).partition(",")[0].strip()
        secure = "; Secure" if self._is_https or seen_as == "https" else ""
        path = outer + self._keys.private_path
        cookie = f"{self.cookie}={self._keys.cookie}; HttpOnly; SameSite=Lax; Path={path}{secure}"
        await answer(send, 303, b"", [("location", f"{path}/{target.lstrip('/')}"), ("set-cookie", cookie)])


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Whether a person follows a link on another site to one of the pages, which changes nothing."""
    return (
        headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and scope.get("method") == "GET"
        and _PAGES.fullmatch(scope["path"]) is not None
    )


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
