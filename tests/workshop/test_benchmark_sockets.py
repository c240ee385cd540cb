"""The benchmarks' own WebSocket client speaks the protocol."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from benchmarks.figures import WrongAnswerError
from benchmarks.sockets import open_socket
from nearside.tls import client_context, make_local_ca, server_context

pytestmark = pytest.mark.unit


async def answer(socket: ServerConnection) -> None:
    async for text in socket:
        await socket.ping()
        if text == "end":
            await socket.close(4400, "as you wish")
        await socket.send("aside")
        await socket.send(f"reply {text!s}")


def refuse(socket: ServerConnection, request: Request) -> Response | None:
    return None if request.path == "/chat" else socket.respond(HTTPStatus.NOT_FOUND, "nothing here")


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[tuple[str, ssl.SSLContext]]:
    ca = make_local_ca(folder / "ca.crt", folder / "ca.key", common_name="test")
    ca.issue_server(["localhost"]).write(folder / "server.crt", folder / "server.key")
    tls = server_context(folder / "server.crt", folder / "server.key")
    async with serve(
        answer, "localhost", 0, ssl=tls, process_request=refuse, compression=None, max_size=None
    ) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        yield f"wss://localhost:{port}/chat", client_context(folder / "ca.crt")


async def test_texts_of_every_length_are_sent_and_the_wanted_one_is_found(tmp_path: Path) -> None:
    async with server(tmp_path) as (url, tls), open_socket(url, tls) as socket:
        for text in ("", "hello", "ä" * 100, "b" * 70_000):
            await socket.send(text)
            assert await socket.recv("reply") == f"reply {text}"
        await socket.send("next")
        assert await socket.recv() == "aside"


async def test_a_socket_that_is_closed_is_a_wrong_answer(tmp_path: Path) -> None:
    async with server(tmp_path) as (url, tls), open_socket(url, tls) as socket:
        await socket.send("end")
        with pytest.raises(WrongAnswerError, match="as you wish"):
            async with asyncio.timeout(10):
                await socket.recv("reply")


async def test_what_is_no_websocket_is_a_wrong_answer(tmp_path: Path) -> None:
    async with server(tmp_path) as (url, tls):
        with pytest.raises(WrongAnswerError, match="no WebSocket"):
            async with open_socket(url + "/else", tls):
                pass
