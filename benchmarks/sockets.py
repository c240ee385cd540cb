"""A WebSocket over TLS with as little between the benchmark and the wire as the protocol allows (RFC 6455)."""

import asyncio
import base64
import contextlib
import os
import random
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator
from hashlib import sha1
from typing import cast
from urllib.parse import urlsplit

from websockets.utils import apply_mask

from benchmarks.figures import WrongAnswerError

OPEN_S = 30.0
ACCEPT_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
"""First bytes of whole frames."""


class Socket(asyncio.Protocol):
    """Texts out and in. Anything but whole text frames, pings and a close is a WrongAnswerError."""

    _transport: asyncio.Transport

    def __init__(self, host: str, path: str) -> None:
        self._host, self._path = host, path
        self._nonce = base64.b64encode(os.urandom(16)).decode()
        self._is_open = False
        self._data = b""
        self._texts: deque[str] = deque()
        self._wanted = ""
        self._waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended: WrongAnswerError | None = None

    async def opened(self) -> None:
        async with asyncio.timeout(OPEN_S):
            await self._waiter
        if self._ended is not None:
            raise self._ended

    async def send(self, text: str) -> None:
        self._write(TEXT, text.encode())

    async def recv(self, beginning: str = "") -> str:
        """The next text that begins so; others before it are let go."""
        while True:
            while self._texts:
                if (text := self._texts.popleft()).startswith(beginning):
                    return text
            if self._ended is not None:
                raise self._ended
            self._wanted = beginning
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def close(self) -> None:
        self._write(CLOSE, struct.pack("!H", 1000))
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        head = (
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {self._nonce}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        if not self._is_open and not self._read_head():
            return
        while (frame := self._next_frame()) is not None:
            self._take(*frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("the connection was lost")

    def _read_head(self) -> bool:
        head, ended, rest = self._data.partition(b"\r\n\r\n")
        if not ended:
            return False
        accepted = base64.b64encode(sha1((self._nonce + ACCEPT_KEY).encode(), usedforsecurity=False).digest())
        if not head.startswith(b"HTTP/1.1 101 ") or accepted not in head:
            self._end(f"no WebSocket: {head[:40]!r}")
            return False
        self._data, self._is_open = rest, True
        self._wake()
        return True

    def _next_frame(self) -> tuple[int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        begin, length = 2, data[1]
        if length == 126:
            begin, length = 4, int.from_bytes(data[2:4], "big")
        elif length > 126:
            begin, length = 10, int.from_bytes(data[2:10], "big")
        if len(data) < begin + length:
            return None
        self._data = data[begin + length :]
        return data[0], data[begin : begin + length]

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == TEXT:
            self._texts.append(text := payload.decode())
            if text.startswith(self._wanted):
                self._wake()
        elif kind == PING:
            self._write(PONG, payload)
        else:
            self._end(f"a frame of kind {kind:#x}: {payload[2:60]!r}")

    def _write(self, kind: int, payload: bytes) -> None:
        mask, length = struct.pack("!I", random.getrandbits(32)), len(payload)
        if length < 126:
            head = struct.pack("!BB", kind, 0x80 | length)
        elif length < 65_536:
            head = struct.pack("!BBH", kind, 0x80 | 126, length)
        else:
            head = struct.pack("!BBQ", kind, 0x80 | 127, length)
        self._transport.write(head + mask + apply_mask(payload, mask))

    def _end(self, why: str) -> None:
        self._ended = self._ended or WrongAnswerError(why)
        self._wake()

    def _wake(self) -> None:
        if not self._waiter.done():
            self._waiter.set_result(None)


@contextlib.asynccontextmanager
async def open_socket(url: str, tls: ssl.SSLContext) -> AsyncIterator[Socket]:
    """Past its handshake; closed with the block."""
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or 443
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(
        lambda: Socket(parts.netloc, parts.path), host, port, ssl=tls, server_hostname=host
    )
    try:
        await socket.opened()
        yield socket
    finally:
        socket.close()
