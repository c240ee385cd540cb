import asyncio
import contextlib

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect

from nearside import http_server
from nearside.errors import SettingsError

pytestmark = pytest.mark.unit


async def hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


app = Starlette(routes=[Route("/", hello)])


async def until_closed(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    received = b""
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionResetError):
            received = await reader.read()
    writer.close()
    return received


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "])
async def test_a_head_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(http_server, "HEAD_S", 0.05)
    async with http_server.serving(app, "127.0.0.1", 0) as port:
        assert await until_closed(port, start) == b""


async def test_a_head_that_is_too_large_is_cut_off() -> None:
    async with http_server.serving(app, "127.0.0.1", 0) as port:
        assert await until_closed(port, b"GET /" + b"a" * 200_000) == b""


async def test_requests_one_after_another_on_one_connection_are_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "HEAD_S", 0.2)
    async with http_server.serving(app, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.3)
        writer.close()


async def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    async with http_server.serving(app, "127.0.0.1", 0) as port:
        with pytest.raises(SettingsError, match=f"the HTTPS port {port} cannot be opened"):
            async with http_server.serving(app, "127.0.0.1", port, what="HTTPS"):
                pass


TEXTS = ["", "a" * 125, "ä" * 63, "b" * 65_535, "c" * 65_536, "你好"]


async def several(websocket: WebSocket) -> None:
    await websocket.accept()
    await http_server.send_texts(websocket, TEXTS)
    await http_server.send_texts(websocket, [])
    with pytest.raises(WebSocketDisconnect):
        await websocket.receive_text()
    with pytest.raises(WebSocketDisconnect):
        await http_server.send_texts(websocket, ["too late"])


async def test_texts_sent_together_arrive_one_by_one() -> None:
    sockets = Starlette(routes=[WebSocketRoute("/", several)])
    async with http_server.serving(sockets, "127.0.0.1", 0) as port:
        async with connect(f"ws://127.0.0.1:{port}/", compression=None) as socket:
            assert [await socket.recv() for _ in TEXTS] == TEXTS
