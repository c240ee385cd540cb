"""A server that speaks the widget's protocol from a script: what it answers, and when, is up to the test."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from edge_node.web.widget import chat_page, chat_page_policy, widget_etag, widget_source

TENANT_ID = "demo"
NAME = {"en": "Ridgeline Outdoor", "zh": "山脊户外"}
GREETING = {
    "en": "Hi, welcome to Ridgeline.\n\nAsk about orders, sizes, care or delivery.",
    "zh": "您好，欢迎来到山脊户外。\n\n订单、尺码、保养与配送，都可以问我。",
}
SUGGESTIONS = {
    "en": ["Where is my order?", "How do I return something?", "Which tent is best for winter?"],
    "zh": ["我的订单到哪里了？", "怎么退货？", "冬天选哪款帐篷？"],
}


FOREIGN_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Ridgeline</title><style>
  * { font-family: Georgia, serif !important; letter-spacing: .02em !important; }
  body { margin: 0; background: #faf8f4; color: #2a2722; font-size: 18px; }
  body > * { position: static !important; opacity: .99; }
  header { display: flex; gap: 36px; padding: 26px 60px; border-bottom: 1px solid #e5dfd3; }
  main { max-width: 960px; padding: 56px 60px; }
  button, textarea { background: hotpink !important; border: 9px dotted red !important; }
  ul { display: grid; grid-template-columns: repeat(3, 1fr); gap: 24px; padding: 0; list-style: none; }
  li { height: 220px; border-radius: 6px; background: #e6e0d2; }
</style><header><b>Ridgeline</b><span>Tents</span><span>Jackets</span><span>Stores</span></header>
<main><h1>Made for weather</h1><p>Shell jackets, tents and packs, repaired for life.</p><ul><li><li><li></ul></main>
<script src="%s/widget.js" data-tenant="demo" data-color="%s" async></script></html>"""


@dataclass(frozen=True, slots=True)
class Live:
    """Sent to whoever is connected, and again to who comes back while the turn runs: typing, delta."""

    frame: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gate:
    name: str


@dataclass(frozen=True, slots=True)
class Drop:
    """The sockets of the conversation go away without a word."""

    code: int = 1012


Step = Live | Reply | Gate | Drop
TYPING = Live({"type": "event", "event": "typing"})


def delta(text: str, sequence: int, revision: int = 1) -> Live:
    return Live({"type": "delta", "revision": revision, "sequence": sequence, "text": text})


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass(slots=True)
class Conversation:
    id: str = field(default_factory=lambda: "c_" + secrets.token_hex(8))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    events: list[dict[str, Any]] = field(default_factory=list)
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sockets: set[WebSocket] = field(default_factory=set)

    def record(self, frame: dict[str, Any]) -> dict[str, Any]:
        event = {**frame, "event_id": len(self.events) + 1, "at": _now()}
        self.events.append(event)
        return event


class StandIn:
    def __init__(self) -> None:
        self.url = ""
        self.scripts: dict[str, Sequence[Step]] = {}
        self.refusals: dict[str, int] = {}
        self.swallowed_acks = 0
        self.is_down = False
        self.received: list[str] = []
        self.hellos: list[dict[str, Any]] = []
        self.conversations: dict[str, Conversation] = {}
        self._gates: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def answer(self, text: str, *steps: Step) -> None:
        self.scripts[text] = steps

    def open_gate(self, name: str) -> None:
        self._call(lambda: self._gate(name).set())

    def add_conversation(self) -> Conversation:
        made = Conversation()
        self.conversations[made.id] = made
        return made

    def drop_all(self, code: int = 1012) -> None:
        self._call(lambda: self._spawn(self._drop_each(code)))

    def _call(self, action: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(action)

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def chat(self, socket: WebSocket) -> None:
        await socket.accept()
        if socket.path_params["tenant"] != TENANT_ID:
            await socket.close(4404)
            return
        if self.is_down:
            await socket.close(1012)
            return
        hello = await socket.receive_json()
        self.hellos.append(hello)
        conversation, resumed = self._conversation(hello)
        if conversation is None:
            await socket.close(4401)
            return
        await self._welcome(socket, conversation, hello, resumed)
        conversation.sockets.add(socket)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._message(socket, conversation, await socket.receive_json())
        conversation.sockets.discard(socket)

    def _conversation(self, hello: dict[str, Any]) -> tuple[Conversation | None, bool]:
        if hello["conversation"] is None:
            return self.add_conversation(), False
        known = self.conversations.get(hello["conversation"])
        return (known if known and known.token == hello["token"] else None), True

    async def _welcome(
        self, socket: WebSocket, conversation: Conversation, hello: dict[str, Any], resumed: bool
    ) -> None:
        lang = hello["lang"]
        tenant = {"name": NAME[lang], "greeting": GREETING[lang], "color": "#1d6b57", "suggestions": SUGGESTIONS[lang]}
        await socket.send_json(
            {
                "type": "hello",
                "v": 1,
                "conversation": conversation.id,
                "token": conversation.token,
                "resumed": resumed,
                "tenant": tenant,
                "limits": {"text": 8000},
            }
        )
        for event in conversation.events[hello["after"] :]:
            await socket.send_json(event)
        await socket.send_json({"type": "event", "event": "caught_up"})
        for frames in conversation.running.values():
            for frame in frames:
                await socket.send_json(frame)

    async def _message(self, socket: WebSocket, conversation: Conversation, frame: dict[str, Any]) -> None:
        self.received.append(frame["text"])
        if status := self.refusals.get(frame["text"]):
            problem = {"type": "about:blank", "title": "refused", "status": status, "detail": "refused"}
            await socket.send_json({"type": "event", "event": "error", "id": frame["id"], "problem": problem})
            return
        duplicate = frame["id"] in conversation.accepted
        if not duplicate:
            turn_id = "t_" + secrets.token_hex(4)
            event = conversation.record({"type": "message", "id": frame["id"], "text": frame["text"]})
            conversation.accepted[frame["id"]] = {"turn_id": turn_id, "event_id": event["event_id"]}
            self._spawn(self._turn(conversation, turn_id, frame["text"]))
        if self.swallowed_acks:
            self.swallowed_acks -= 1
            await self._drop(conversation, 1012)
            return
        ack = {"type": "ack", "id": frame["id"], "duplicate": duplicate}
        await socket.send_json({**ack, **conversation.accepted[frame["id"]]})

    async def _turn(self, conversation: Conversation, turn_id: str, text: str) -> None:
        for step in self.scripts.get(text, (TYPING, Reply("Understood."))):
            match step:
                case Live(frame):
                    shown = {**frame, "turn_id": turn_id}
                    conversation.running.setdefault(turn_id, []).append(shown)
                    await self._publish(conversation, shown)
                case Reply(reply, more):
                    usual = {"source": "faq", "reason": "matched", "confidence": 0.9, "citations": [], "final": True}
                    frame = {"type": "reply", "turn_id": turn_id, "text": reply, "quotes": None, **usual, **more}
                    conversation.running.pop(turn_id, None)
                    await self._publish(conversation, conversation.record(frame))
                case Gate(name):
                    await self._gate(name).wait()
                case Drop(code):
                    await self._drop(conversation, code)

    async def _publish(self, conversation: Conversation, frame: dict[str, Any]) -> None:
        for socket in list(conversation.sockets):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await socket.send_json(frame)

    async def _drop_each(self, code: int) -> None:
        for conversation in self.conversations.values():
            await self._drop(conversation, code)

    async def _drop(self, conversation: Conversation, code: int) -> None:
        sockets, conversation.sockets = conversation.sockets, set()
        for socket in sockets:
            with contextlib.suppress(RuntimeError):
                await socket.close(code)

    async def widget(self, request: Request) -> Response:
        return Response(widget_source(), media_type="text/javascript", headers={"ETag": widget_etag()})

    async def page(self, request: Request) -> Response:
        nonce = secrets.token_urlsafe(12)
        lang = request.query_params.get("lang", "en")
        html = chat_page(tenant_id=request.path_params["tenant"], name=NAME[lang], lang=lang, nonce=nonce)
        return HTMLResponse(html, headers={"Content-Security-Policy": chat_page_policy(nonce)})

    async def foreign_page(self, request: Request) -> Response:
        return HTMLResponse(FOREIGN_PAGE % (self.url, request.query_params.get("color", "")))

    def app(self) -> Starlette:
        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            self._loop = asyncio.get_running_loop()
            yield
            for task in self._tasks:
                task.cancel()

        routes = [
            Route("/widget.js", self.widget),
            Route("/chat/{tenant}", self.page),
            Route("/foreign", self.foreign_page),
            WebSocketRoute("/v1/{tenant}/chat", self.chat),
        ]
        return Starlette(routes=routes, lifespan=lifespan)


@contextlib.contextmanager
def running(port: int = 0) -> Iterator[StandIn]:
    stand_in = StandIn()
    settings = uvicorn.Config(
        stand_in.app(), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    ready = threading.Event()
    while not server.started and thread.is_alive():
        ready.wait(0.02)
    stand_in.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield stand_in
    finally:
        server.should_exit = True
        thread.join(10)
