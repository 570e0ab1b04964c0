"""Limits the size of requests and the time that they may take to arrive."""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio import TimerHandle, Transport
from typing import ClassVar

import h11
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_BODY_BYTES = 4 * 1024 * 1024  # parameters, lists of inputs, masks; images and long lists are named by their paths
_BODY_WITHIN_S = 30.0
_HEAD_WITHIN_S = 10.0
_MAX_WAITED_FOR = 256  # connections that have not yet asked anything
_UNREAD_BYTES = 64 * 1024  # of a request that was answered before it had arrived
_LAST_WORDS_S = 1.0  # for the client to read that answer

_TOO_LARGE = (
    f"The request is larger than {MAX_BODY_BYTES // 2**20} MB. Give the path of a file instead of its contents."
)
_TOO_SLOW = f"The request did not arrive within {_BODY_WITHIN_S:g} s. Send it again."


class BodyLimit:
    """ASGI application around the real one, which sees a request when all of its body is there.

    A body that is announced to be too large is refused before any of it is read, another one as soon as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or len(announced) > 15 or int(announced) > MAX_BODY_BYTES:
            await _refuse(scope, send, 413, "too_large", _TOO_LARGE)
            return
        try:
            body = await asyncio.wait_for(_body(receive), _BODY_WITHIN_S)
        except asyncio.TimeoutError:
            await _refuse(scope, send, 408, "too_slow", _TOO_SLOW)
            return
        if body is None:  # the client has left
            return
        if len(body) > MAX_BODY_BYTES:
            await _refuse(scope, send, 413, "too_large", _TOO_LARGE)
            return
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return first.pop() if first else await receive()

        await self._app(scope, receive_again, send)


async def _body(receive: Receive) -> bytes | None:
    """The body as far as it is wanted, and a little more where it is too large; None when the client has left."""
    body = bytearray()  # one piece, which goes back to the system: a list of its parts would not
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES or not message.get("more_body", False):
            return bytes(body)


async def _refuse(scope: Scope, send: Send, status: int, kind: str, sentence: str) -> None:
    is_api = scope["path"].startswith("/api")
    error = {"error": {"kind": kind, "message": sentence, "next": ""}}
    body = json.dumps(error).encode() if is_api else sentence.encode()
    content = b"application/json" if is_api else b"text/plain; charset=utf-8"
    headers = [(b"content-type", content), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Connection(H11Protocol):
    """A connection of uvicorn's that does not wait for ever.

    It is closed when the head of a request is not there in time (h11 limits its size), and when the client goes on
    sending a body although its request was answered.  Of more connections that have not asked anything than are
    waited for, the oldest are closed.
    """

    _waited_for: ClassVar[dict[Connection, None]] = {}  # by age
    _late: TimerHandle | None = None
    _n_unread = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        self._wait_for_head()
        while len(self._waited_for) > _MAX_WAITED_FOR:
            oldest = next(iter(self._waited_for))
            oldest._head_is_there()
            oldest.transport.close()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        super().data_received(data)
        if self not in self.connections or not (self.cycle is None or self.cycle.response_complete):
            self._n_unread = 0  # it became a websocket, or a request is being answered
            self._head_is_there()
            return
        self._n_unread += len(data)
        if self._n_unread > _UNREAD_BYTES:
            self.transport.pause_reading()
            self.loop.call_later(_LAST_WORDS_S, self.transport.close)
        elif self._late is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left."""
        self._head_is_there()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, also in the middle of a request that is being answered."""
        with contextlib.suppress(h11.LocalProtocolError):
            super().send_400_response(msg)
        self.transport.close()

    def _wait_for_head(self) -> None:
        self._late = self.loop.call_later(_HEAD_WITHIN_S, self._give_up)
        self._waited_for[self] = None

    def _head_is_there(self) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late = None
        self._waited_for.pop(self, None)

    def _give_up(self) -> None:
        self._head_is_there()
        self.transport.close()
