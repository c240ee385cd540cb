"""Conversations of the HTTP API: a program that posts until it is acknowledged, and one that reads the events."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import httpx2

from tests.chaos.customers import IN_FLIGHT, LATER, Conversation, Scene
from tests.chaos.record import Frame, Reader
from tests.chaos.script import Line
from tests.planted import EMAIL
from tests.servers import ServerError

TAKEN = (200, 202)
WAITS = 0.1


def client(scene: Scene) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {scene.demo.env['API_KEY']}"}
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
    return httpx2.AsyncClient(
        base_url=scene.demo.env["EDGE_URL"],
        verify=scene.tls,
        headers=headers,
        timeout=20,
        limits=limits,
        trust_env=False,
    )


class Program:
    def __init__(self, conversation: Conversation, http: httpx2.AsyncClient) -> None:
        self._conversation, self._http, self._scene = conversation, http, conversation.scene
        self._path = f"/v1/{self._scene.demo.env['TENANT']}/messages"

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(self._say_all())

    async def _say_all(self) -> None:
        while line := await self._conversation.next_line():
            if self._conversation.is_sent_twice():
                await asyncio.gather(self._say(line), self._say(line))
            else:
                await self._say(line)
            if earlier := self._conversation.earlier_line():
                await self._say(earlier)

    async def _say(self, line: Line) -> None:
        """Until it is acknowledged."""
        counts = self._scene.record.counts
        while True:
            await self._scene.door.wait()
            counts["posts"] += 1
            try:
                answer = await self._post(line)
            except httpx2.TransportError:
                answer = None
            if answer is not None and answer.status_code in TAKEN:
                return self._taken(line, answer.json())
            if answer is not None and answer.status_code not in LATER:
                raise ServerError(f"the edge refuses {line.id} with status {answer.status_code}")
            counts["resent"] += 1
            await self._conversation.pause()

    async def _post(self, line: Line) -> httpx2.Response:
        headers = {"Idempotency-Key": line.id}
        if self._conversation.chance.random() < WAITS:
            headers["Prefer"] = "wait=2"
        body = {"conversation": self._conversation.name, "customer": EMAIL, "text": line.text}
        return await self._http.post(self._path, json=body, headers=headers)

    def _taken(self, line: Line, answer: dict[str, Any]) -> None:
        self._conversation.acknowledged(self._conversation.name, "api", line, answer["turn_id"])
        if reply := answer.get("reply"):
            self._scene.record.told.append((answer["turn_id"], reply["text"]))


async def follow(scene: Scene, http: httpx2.AsyncClient, reader: Reader) -> None:
    """Reads a conversation's events for ever, each connection from where the last one ended."""
    while True:
        await scene.door.wait()
        try:
            async with aclosing(events(scene, http, reader.thread, reader.highest)) as frames:
                async for frame in frames:
                    scene.record.see(reader, frame)
        except httpx2.TransportError:
            pass
        await asyncio.sleep(0.05)


async def events(scene: Scene, http: httpx2.AsyncClient, thread: str, after: int) -> AsyncGenerator[Frame, None]:
    """The messages and replies of a conversation's log; ends when the edge ends it, at once while there is none."""
    path = f"/v1/{scene.demo.env['TENANT']}/conversations/{quote(thread, safe='')}/events"
    headers = {"Last-Event-ID": str(after)}
    async with http.stream("GET", path, headers=headers) as answer:
        if answer.status_code != 200:
            return
        async for text in answer.aiter_lines():
            if text.startswith("data: "):
                frame: Frame = json.loads(text.removeprefix("data: "))
                if frame["type"] in ("message", "reply"):
                    yield frame


async def read_log(scene: Scene, http: httpx2.AsyncClient, thread: str, quiet_s: float) -> list[Frame]:
    """All of it, until nothing more has come for `quiet_s`."""
    found: list[Frame] = []
    async with aclosing(events(scene, http, thread, 0)) as frames:
        while True:
            try:
                async with asyncio.timeout(quiet_s):
                    found.append(await anext(frames))
            except (TimeoutError, StopAsyncIteration):
                return found
