"""Conversations of the chat: tabs that speak docs/websocket.md and come back whenever they are cut off."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.chaos.customers import IN_FLIGHT, LATER, Conversation
from tests.chaos.record import Frame, Reader
from tests.chaos.script import Line
from tests.servers import ServerError

CUT_OFF = (OSError, EOFError, ConnectionClosed, InvalidHandshake, TimeoutError)


@dataclass(slots=True)
class Secret:
    """What opens a conversation of the chat; its first tab is told."""

    thread: str = ""
    token: str = ""
    is_known: asyncio.Event = field(default_factory=asyncio.Event)


class Tab:
    """One that only looks."""

    def __init__(self, conversation: Conversation, secret: Secret) -> None:
        self._conversation, self._secret, self._scene = conversation, secret, conversation.scene
        self._url = (
            self._scene.demo.env["EDGE_URL"].replace("https", "wss") + f"/v1/{self._scene.demo.env['TENANT']}/chat"
        )
        self._reader: Reader | None = None

    async def run(self) -> None:
        await self._secret.is_known.wait()
        await self._stay()

    async def _stay(self) -> None:
        while True:
            await self._scene.door.wait()
            with suppress(*CUT_OFF):
                async with connect(self._url, ssl=self._scene.tls) as socket:
                    await self._greet(socket)
                    async for text in socket:
                        await self._take(socket, json.loads(text))
            self._left()
            await self._conversation.pause()

    async def _greet(self, socket: ClientConnection) -> None:
        hello = {"type": "hello", "v": 1, "lang": "en", "after": self._reader.highest if self._reader else 0}
        if self._secret.thread:
            hello |= {"conversation": self._secret.thread, "token": self._secret.token}
        await socket.send(json.dumps(hello))

    async def _take(self, socket: ClientConnection, frame: Frame) -> None:
        if frame["type"] == "hello":
            self._welcome(frame)
        elif frame["type"] in ("message", "reply"):
            assert self._reader is not None
            self._scene.record.see(self._reader, frame)

    def _welcome(self, frame: Frame) -> None:
        if self._reader is None:
            self._reader = self._scene.record.reader(
                f"{self._conversation.name}, {type(self).__name__.lower()}",
                frame["conversation"],
                is_shown_own=type(self) is Tab,
            )

    def _left(self) -> None:
        """The connection is lost."""


class SpeakingTab(Tab):
    def __init__(self, conversation: Conversation, secret: Secret) -> None:
        super().__init__(conversation, secret)
        self._unacknowledged: dict[str, Line] = {}
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._speaking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        await self._stay()

    def _welcome(self, frame: Frame) -> None:
        super()._welcome(frame)
        self._secret.thread, self._secret.token = frame["conversation"], frame["token"]
        self._secret.is_known.set()

    async def _take(self, socket: ClientConnection, frame: Frame) -> None:
        await super()._take(socket, frame)
        if frame["type"] == "ack":
            self._acknowledged(frame["id"], frame["turn_id"])
        elif frame.get("event") == "caught_up":
            self._speaking = asyncio.create_task(self._speak(socket))
        elif frame.get("event") == "error":
            await self._refused(socket, frame)

    async def _refused(self, socket: ClientConnection, frame: Frame) -> None:
        if frame["problem"]["status"] not in LATER:
            raise ServerError(f"the edge refuses {frame['id']} with status {frame['problem']['status']}")
        await self._conversation.pause()
        if line := self._unacknowledged.get(frame["id"]):
            self._scene.record.counts["resent"] += 1
            await self._send(socket, line)

    def _acknowledged(self, message_id: str, turn_id: str) -> None:
        line = self._unacknowledged.pop(message_id, None)
        if line is not None:
            self._room.release()
        line = line or self._scene.record.lines[message_id]
        self._conversation.acknowledged(self._secret.thread, "web", line, turn_id)

    async def _speak(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            for unacknowledged in list(self._unacknowledged.values()):
                self._scene.record.counts["resent"] += 1
                await self._send(socket, unacknowledged)
            while line := await self._next_line():
                self._unacknowledged[line.id] = line
                for _ in range(2 if self._conversation.is_sent_twice() else 1):
                    await self._send(socket, line)
                if earlier := self._conversation.earlier_line():
                    await self._send(socket, earlier)

    async def _next_line(self) -> Line | None:
        await self._room.acquire()
        try:
            line = await self._conversation.next_line()
        except asyncio.CancelledError:
            self._room.release()
            raise
        if line is None:
            self._room.release()
        return line

    async def _send(self, socket: ClientConnection, line: Line) -> None:
        self._scene.record.counts["posts"] += 1
        await socket.send(json.dumps({"type": "message", "id": line.id, "text": line.text}))

    def _left(self) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
            self._speaking = None
