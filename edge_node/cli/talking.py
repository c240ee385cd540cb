"""The widget's protocol in a terminal: type, Enter, read. A line at a time, also from a pipe."""

import asyncio
import json
import ssl
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from nearside import terminal
from nearside.errors import NearsideError, SettingsError
from nearside.tls import client_context

LAST_REPLY_S = 60.0
WITH_CONFIDENCE = ("faq", "cache", "core", "edge_model")
OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


@dataclass(frozen=True, slots=True)
class Place:
    """Where to chat. `ca` None trusts what the machine trusts."""

    url: str
    tenant_id: str
    ca: Path | None
    lang: str | None

    @property
    def socket_url(self) -> str:
        if not self.url.startswith("https://"):
            raise SettingsError("the edge speaks TLS only", where=self.url, hint="the address starts with https://")
        return f"wss://{self.url.removeprefix('https://').rstrip('/')}/v1/{self.tenant_id}/chat"


@dataclass(slots=True)
class _Shown:
    """What is on the screen: the draft's turn and revision, and the messages that wait for a reply."""

    waiting: set[str] = field(default_factory=set)
    draft: tuple[str, int] | None = None
    drafted: str = ""
    idle: asyncio.Event = field(default_factory=asyncio.Event)


async def talk(place: Place) -> None:
    """Until end of input; after it, the replies still due are awaited. Raises NearsideError."""
    try:
        context = client_context(place.ca) if place.ca else True
        async with connect(place.socket_url, ssl=context, max_size=1 << 20) as socket:
            await socket.send(json.dumps({"type": "hello", "v": 1, "lang": place.lang}))
            await _converse(socket)
    except ConnectionClosed as error:
        why = error.rcvd.reason or f"code {error.rcvd.code}" if error.rcvd else "the connection was lost"
        raise NearsideError(f"the edge ended the chat: {why}", where=place.url) from None
    except ssl.SSLCertVerificationError as error:
        raise _not_trusted(error, place.url) from None
    except (OSError, InvalidHandshake, TimeoutError) as error:
        raise NearsideError(
            f"no edge answers ({type(error).__name__})", where=place.url, hint="start it with `edge-node serve`"
        ) from None


def _not_trusted(error: ssl.SSLCertVerificationError, url: str) -> NearsideError:
    hint = "use a name that is in it" if error.verify_code in OTHER_NAME else "give the authority with --ca FILE"
    return NearsideError(f"the edge's certificate is not trusted ({error.verify_message})", where=url, hint=hint)


async def _converse(socket: ClientConnection) -> None:
    shown = _Shown()
    shown.idle.set()
    reading = asyncio.create_task(_read(socket, shown))
    typing = asyncio.create_task(_type(socket, shown))
    tasks = (reading, typing)
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _type(socket: ClientConnection, shown: _Shown) -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip():
            message_id = str(uuid.uuid4())
            shown.waiting.add(message_id)
            shown.idle.clear()
            await socket.send(json.dumps({"type": "message", "id": message_id, "text": line.strip()}))
            if not sys.stdin.isatty():
                await _replied(shown)
    await _replied(shown)


async def _replied(shown: _Shown) -> None:
    try:
        async with asyncio.timeout(LAST_REPLY_S):
            await shown.idle.wait()
    except TimeoutError:
        raise NearsideError(f"no reply within {LAST_REPLY_S:g} s", hint="see the edge's log") from None


async def _read(socket: ClientConnection, shown: _Shown) -> None:
    turns: dict[str, str] = {}
    async for raw in socket:
        frame: dict[str, Any] = json.loads(raw)
        match frame["type"]:
            case "hello":
                print(f"{frame['tenant']['name']}\n{frame['tenant']['greeting']}\n", flush=True)
            case "ack":
                turns[frame["turn_id"]] = frame["id"]
            case "delta":
                _show_delta(frame, shown)
            case "reply":
                _show_reply(frame, shown)
                _settle(shown, turns.get(frame["turn_id"], ""))
            case "event" if frame["event"] == "error":
                terminal.complain("edge-node", frame["problem"]["detail"])
                _settle(shown, frame["id"])


def _settle(shown: _Shown, message_id: str) -> None:
    shown.waiting.discard(message_id)
    if not shown.waiting:
        shown.idle.set()


def _show_delta(frame: dict[str, Any], shown: _Shown) -> None:
    current = (frame["turn_id"], frame["revision"])
    if shown.draft != current:
        shown.draft, shown.drafted = current, ""
    print(frame["text"], end="", flush=True)
    shown.drafted += frame["text"]


def _show_reply(frame: dict[str, Any], shown: _Shown) -> None:
    is_drafted = shown.draft is not None and shown.draft[0] == frame["turn_id"]
    drafted = shown.drafted.rstrip() if is_drafted else ""
    if drafted and frame["text"].startswith(drafted):
        print(frame["text"].removeprefix(drafted))
    else:
        print(("\n" if is_drafted else "") + (f"> {frame['quotes']}\n" if frame["quotes"] else "") + frame["text"])
    shown.draft = None
    for citation in frame["citations"]:
        print(f"   「{citation['quote']}」 {citation['title']} ({citation['uri']})")
    confidence = f", {frame['confidence']:.2f}" if frame["source"] in WITH_CONFIDENCE else ""
    print(f"   [{frame['source']}: {frame['reason']}{confidence}]\n", flush=True)
