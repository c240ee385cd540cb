"""A company's own program on the HTTP API: keep-alive connections over TLS, nothing of a client library in the way."""

import asyncio
import json
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from benchmarks.figures import WrongAnswerError

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Door:
    """Where to post, with what headers; `expected` is the status of a message taken."""

    name: str
    port: int
    path: str
    tls: ssl.SSLContext
    headers: str = ""
    expected: int = 202


class Poster:
    """One connection. Message ids and conversations are new with every message."""

    _numbers = count()

    def __init__(self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._door, self._reader, self._writer = door, reader, writer

    @classmethod
    async def open(cls, door: Door) -> "Poster":
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", door.port, ssl=door.tls, server_hostname="localhost"
        )
        return cls(door, reader, writer)

    async def post(self, text: str) -> dict[str, Any]:
        """Raises WrongAnswerError unless the message is taken."""
        number = next(self._numbers)
        body = json.dumps({"conversation": f"bench-{number}", "customer": f"bench-{number}", "text": text}).encode()
        head = (
            f"POST {self._door.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n{self._door.headers}\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        status, length = int(answer[9:12]), _content_length(answer)
        content = await self._reader.readexactly(length)
        if status != self._door.expected:
            raise WrongAnswerError(f"{self._door.name}: status {status} instead of {self._door.expected}")
        taken: dict[str, Any] = json.loads(content)
        return taken

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise WrongAnswerError("an answer without a length")


async def post_at_rate(door: Door, texts: Sequence[str], connections: int, per_s: float, seconds: float) -> list[float]:
    """Latencies in seconds, each from when its message was due."""
    latencies: list[float] = []
    posters = [await Poster.open(door) for _ in range(connections)]
    began_at = time.perf_counter() + 0.05

    async def program(number: int, poster: Poster) -> None:
        for place in range(number, int(per_s * seconds), connections):
            due = began_at + place / per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await poster.post(texts[place % len(texts)])
            latencies.append(time.perf_counter() - due)

    try:
        async with asyncio.timeout(seconds + PATIENCE_S), asyncio.TaskGroup() as group:
            for number, poster in enumerate(posters):
                group.create_task(program(number, poster))
    finally:
        for poster in posters:
            await poster.close()
    return latencies
