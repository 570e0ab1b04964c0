"""What one client may cost the server: sizes of requests, connections that say nothing, and no traceback for any."""

import asyncio
import contextlib
import logging
import socket
import struct

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from iota.web.access import limits
from iota.web.access.limits import MAX_BODY_BYTES, BodyLimit, Connection

POST = b"POST /api/x HTTP/1.1\r\nHost: x\r\n"


async def _echo(request):
    return JSONResponse({"n": len(await request.body())})


async def _slow(request):
    await asyncio.sleep(1.5)
    return JSONResponse({})


async def _socket(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


@pytest.fixture
async def port(monkeypatch):
    """A server whose patience is short."""
    monkeypatch.setattr(limits, "_HEAD_WITHIN_S", 0.6)
    monkeypatch.setattr(limits, "_BODY_WITHIN_S", 0.6)
    monkeypatch.setattr(limits, "_MAX_WAITED_FOR", 20)
    routes = [
        WebSocketRoute("/ws", _socket),
        Route("/slow", _slow),
        Route("/{path:path}", _echo, methods=["GET", "POST"]),
    ]
    config = uvicorn.Config(
        BodyLimit(Starlette(routes=routes)), http=Connection, log_level="warning", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve([listening]))
        yield listening.getsockname()[1]
        server.should_exit = True
        await serving
    assert not limits.Connection._waited_for


@contextlib.asynccontextmanager
async def connection(port, data=b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def answer(port, data):
    """What a client reads that sends something and waits until the connection is closed."""
    said = b""
    with contextlib.suppress(ConnectionError):
        async with connection(port, data) as (reader, _):
            while part := await asyncio.wait_for(reader.read(65536), 10):
                said += part
    return said


async def test_a_body_that_is_announced_as_too_large_is_refused_before_any_of_it_is_read(port):
    said = await answer(port, POST + b"Expect: 100-continue\r\nContent-Length: 200000000\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 413")  # and no 100 Continue
    assert b"larger than 4 MB. Give the path of a file" in said
    assert (await answer(port, POST + b"Content-Length: %d\r\n\r\n" % 10**40)).startswith(b"HTTP/1.1 4")


async def test_a_body_that_is_not_announced_is_counted(port):
    block = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    full = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + block * (MAX_BODY_BYTES // 0x100000)
    assert (b'{"n":%d}' % MAX_BODY_BYTES) in await answer(port, full + b"0\r\n\r\n")
    assert (await answer(port, full + b"1\r\nx\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 413")


async def test_who_goes_on_sending_after_the_answer_is_not_read(port):
    async with connection(port, POST + b"Content-Length: 200000000\r\n\r\n") as (reader, writer):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        with pytest.raises(ConnectionError):
            for _ in range(200):
                writer.write(bytes(1_000_000))
                await asyncio.wait_for(writer.drain(), 5)


@pytest.mark.parametrize(
    "data", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n", POST + b"Content-Length: 5\r\n\r\nab"]
)
async def test_half_a_request_is_not_waited_for_for_ever(port, data):
    said = await answer(port, data)
    assert said.startswith(b"HTTP/1.1 408") if b"Length" in data else said == b""


async def test_a_drop_now_and_then_does_not_help(port):
    async with connection(port) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            for _ in range(40):
                writer.write(b"X: y\r\n")
                await writer.drain()
                await asyncio.sleep(0.1)


async def test_a_head_that_never_ends_is_refused(port):
    assert (await answer(port, b"GET / HTTP/1.1\r\nX: " + b"y" * 300_000)).startswith(b"HTTP/1.1 400")


async def test_of_many_that_say_nothing_the_oldest_are_closed(port):
    async with contextlib.AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connection(port)) for _ in range(25)]
        for reader, _ in silent[:5]:
            assert await asyncio.wait_for(reader.read(), 0.3) == b""
        silent[-1][1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await silent[-1][0].readline()).startswith(b"HTTP/1.1 200")


async def test_who_has_asked_may_take_his_time(port):
    async with connection(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") as (reader, writer):
        assert b"200" in await asyncio.wait_for(reader.readline(), 5)
        await asyncio.sleep(0.8)  # a connection that is kept for the next request
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b'{"n":0}' in await reader.read()


async def test_a_websocket_stays_open(port):
    websockets = pytest.importorskip("websockets.asyncio.client")
    async with websockets.connect(f"ws://127.0.0.1:{port}/ws") as talk:
        await asyncio.sleep(1.0)
        await talk.send("still here")
        assert await talk.recv() == "still here"


async def test_health_checks_and_nonsense_write_no_traceback(port, caplog):
    def reset(writer):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    for data in (
        b"",
        b"GET / HTTP/1.0\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        POST + b"Content-Length: 50\r\n\r\n{}",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ):
        for is_reset in (False, True):
            async with connection(port, data) as (_, writer):
                await asyncio.sleep(0.05)
                if is_reset:
                    reset(writer)
    await asyncio.sleep(2)
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert (await answer(port, b"GET / HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200")
