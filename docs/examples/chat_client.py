"""A small complete client of the chat protocol (docs/websocket.md): reads lines, prints answers, reconnects.

    python chat_client.py wss://edge.example:8443/v1/demo/chat --ca ca.crt

Needs only `pip install websockets`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import ssl
import sys
import uuid
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

STOP_AT = {4400, 4404}


class ChatClient:
    def __init__(self, url: str, tls: ssl.SSLContext | None, lang: str = "en") -> None:
        self.url, self.tls, self.lang = url, tls, lang
        # An app stores these four, so that a restart goes on where it was.
        self.conversation: str | None = None
        self.token: str | None = None
        self.last_event_id = 0
        self.unconfirmed: dict[str, str] = {}
        self.socket: ClientConnection | None = None

    async def say(self, text: str) -> None:
        message_id = str(uuid.uuid4())
        self.unconfirmed[message_id] = text
        if self.socket is not None:
            await self._send(self.socket, message_id)

    async def run(self) -> None:
        attempt = 0
        while True:
            try:
                async with connect(self.url, ssl=self.tls) as socket:
                    await self._greet(socket)
                    async for data in socket:
                        attempt = 0
                        await self._take(socket, json.loads(data))
                close_code = socket.close_code
            except (OSError, InvalidHandshake, ConnectionClosed) as error:
                close_code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd else None
            self.socket = None
            if close_code in STOP_AT:
                raise SystemExit(f"the server closed the chat with {close_code}: check the address")
            if close_code == 4401:
                self.conversation, self.token, self.last_event_id = None, None, 0
            await asyncio.sleep(min(30.0, 0.5 * 2 ** min(attempt, 6)) * random.uniform(0.5, 1.0))  # noqa: S311
            attempt += 1

    async def _greet(self, socket: ClientConnection) -> None:
        hello = {"type": "hello", "v": 1, "conversation": self.conversation, "token": self.token}
        await socket.send(json.dumps({**hello, "after": self.last_event_id, "lang": self.lang}))

    async def _send(self, socket: ClientConnection, message_id: str) -> None:
        await socket.send(json.dumps({"type": "message", "id": message_id, "text": self.unconfirmed[message_id]}))

    async def _take(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["type"] in ("message", "reply"):
            if frame["event_id"] <= self.last_event_id:
                return
            self.last_event_id = frame["event_id"]
        match frame:
            case {"type": "hello"}:
                self.conversation, self.token = frame["conversation"], frame["token"]
            case {"type": "event", "event": "caught_up"}:
                self.socket = socket
                for message_id in list(self.unconfirmed):
                    await self._send(socket, message_id)
            case {"type": "ack", "id": message_id} | {"type": "message", "id": message_id}:
                self.unconfirmed.pop(message_id, None)
            case {"type": "event", "event": "error", "problem": problem}:
                self.unconfirmed.pop(str(frame["id"]), None)
                print(f"! {problem['title']}", flush=True)
            case {"type": "reply"}:
                print(f"< {frame['text']}  [{frame['source']}]", flush=True)
                for citation in frame["citations"]:
                    print(f"    {citation['title']}: {citation['quote']}", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description="Chat with a Nearside edge node.")
    parser.add_argument("url")
    parser.add_argument("--ca", help="certificate authority of the edge node (PEM)")
    parser.add_argument("--lang", choices=["en", "zh"], default="en")
    options = parser.parse_args()
    tls = ssl.create_default_context(cafile=options.ca) if options.url.startswith("wss:") else None
    client = ChatClient(options.url, tls, options.lang)
    running = asyncio.create_task(client.run())
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip():
            await client.say(line.strip())
    await running


if __name__ == "__main__":
    asyncio.run(main())
