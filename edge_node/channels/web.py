"""The widget's channel: /widget.js, /chat/{tenant}, and the WebSocket protocol of docs/websocket.md."""

import asyncio
import contextlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from edge_node.channels.drafts import Frame, to_json
from edge_node.channels.feed import Subscription, feed_key
from edge_node.channels.live import LiveChannel, prefix
from edge_node.messages import ACCOUNT, TEXT_LIMIT, Accept, Inbound, Lang, Says, Tenant
from edge_node.web.problems import problem
from edge_node.web.widget import chat_page, chat_page_policy, widget_etag, widget_source
from nearside.errors import Refused
from nearside.http_server import send_texts

HELLO_WITHIN_S = 10.0
BAD_FRAME, BAD_TOKEN, UNKNOWN_TENANT, NO_HELLO = 4400, 4401, 4404, 4408
TRY_AGAIN = 1013


class _Frame(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Hello(_Frame):
    type: Literal["hello"]
    v: Literal[1]
    conversation: Annotated[str, Field(max_length=64)] | None = None
    token: Annotated[str, Field(max_length=128)] | None = None
    after: Annotated[int, Field(ge=0, le=2**62)] = 0
    lang: Lang | None = None


class Message(_Frame):
    type: Literal["message"]
    id: Annotated[str, Field(min_length=1, max_length=64)]
    text: Says


F = TypeVar("F", bound=_Frame)
HELLO = TypeAdapter(Hello)
MESSAGE = TypeAdapter(Message)


class BadFrame(Exception):
    """The peer does not speak the protocol: `code` closes the socket."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


@dataclass(slots=True, eq=False)
class _Session:
    """One open socket. `seen` is the last event of the log that it was sent while it caught up."""

    tenant: Tenant
    thread: str
    lang: Lang | None
    subscription: Subscription
    seen: int


class Channel(LiveChannel):
    kind = "web"

    def routes(self, accept: Accept) -> Sequence[BaseRoute]:
        async def chat(websocket: WebSocket) -> None:
            await self._chat(websocket, accept)

        return (
            Route("/widget.js", self._widget, methods=["GET"]),
            Route("/chat/{tenant}", self._page, methods=["GET"]),
            WebSocketRoute("/v1/{tenant}/chat", chat),
        )

    async def _widget(self, request: Request) -> Response:
        headers = {
            "ETag": widget_etag(),
            "Cache-Control": "public, max-age=300",
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        if request.headers.get("if-none-match") == widget_etag():
            return Response(status_code=304, headers=headers)
        return Response(widget_source(), media_type="text/javascript; charset=utf-8", headers=headers)

    async def _page(self, request: Request) -> Response:
        tenant = self.context.find_tenant(request.path_params["tenant"])
        lang = _page_lang(request, tenant)
        nonce = secrets.token_urlsafe(16)
        page = chat_page(tenant_id=tenant.id, name=tenant.name[lang], lang=lang, nonce=nonce)
        headers = {"Content-Security-Policy": chat_page_policy(nonce), "Cache-Control": "no-store"}
        return HTMLResponse(page, headers=headers)

    async def _chat(self, websocket: WebSocket, accept: Accept) -> None:
        await websocket.accept()
        try:
            tenant = self.context.find_tenant(websocket.path_params["tenant"])
            hello = await _hello(websocket)
            thread = hello.conversation or f"w_{secrets.token_hex(16)}"
            resumed = hello.conversation is not None
            if resumed and not self._knows(tenant, thread, hello.token):
                raise BadFrame(BAD_TOKEN, "this token does not open that conversation")
            with self.context.feed.subscribe(feed_key(tenant, self.kind, thread)) as subscription:
                session = _Session(tenant, thread, hello.lang, subscription, hello.after)
                await websocket.send_text(to_json(self._welcome(session, resumed)))
                await self._catch_up(websocket, session)
                await self._talk(websocket, session, accept)
        except Refused as error:
            code = TRY_AGAIN if error.retryable else UNKNOWN_TENANT
            await websocket.close(code, error.what)
        except BadFrame as error:
            await websocket.close(error.code, error.why)
        except WebSocketDisconnect:
            return

    def _knows(self, tenant: Tenant, thread: str, token: str | None) -> bool:
        return hmac.compare_digest(self.context.log.token(tenant, thread).encode(), (token or "").encode())

    def _welcome(self, session: _Session, resumed: bool) -> Frame:
        tenant = session.tenant
        lang = session.lang or tenant.default_lang
        branding = tenant.branding
        return {
            "type": "hello",
            "v": 1,
            "conversation": session.thread,
            "token": self.context.log.token(tenant, session.thread),
            "resumed": resumed,
            "tenant": {
                "name": tenant.name[lang],
                "greeting": branding.greeting[lang],
                "color": branding.color,
                "suggestions": list(branding.suggestions[lang]),
            },
            "limits": {"text": TEXT_LIMIT},
        }

    async def _catch_up(self, websocket: WebSocket, session: _Session) -> None:
        known = await self.context.log.find(session.tenant, self.kind, session.thread)
        if known is not None:
            conversation, owner = known
            async with contextlib.aclosing(self.missed(session.tenant, conversation, session.seen)) as missed:
                async for frame in missed:
                    await websocket.send_text(to_json(frame))
                    session.seen = frame["event_id"]
            await websocket.send_text(to_json({"type": "event", "event": "owner", "owner": owner}))
        await websocket.send_text('{"type":"event","event":"caught_up"}')
        for frame in self.running(session.tenant, *known) if known else ():
            await websocket.send_text(to_json(frame))

    async def _talk(self, websocket: WebSocket, session: _Session, accept: Accept) -> None:
        """Until one side ends: reads messages here, writes frames from a task of its own."""
        writing = asyncio.create_task(_write(websocket, session))
        try:
            await self._read(websocket, session, accept)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _read(self, websocket: WebSocket, session: _Session, accept: Accept) -> None:
        while True:
            message = _parse(MESSAGE, await _receive(websocket))
            try:
                self.context.admit(session.tenant, session.thread)
                await self._take(session, message, accept)
            except Refused as error:
                refusal = {"type": "event", "event": "error", "id": message.id, "problem": problem(error)}
                session.subscription.put(refusal)

    async def _take(self, session: _Session, message: Message, accept: Accept) -> None:
        inbound = Inbound(
            channel=self.kind,
            account=ACCOUNT,
            thread=session.thread,
            message_id=prefix(self.kind, session.thread) + message.id,
            customer=session.thread,
            text=message.text,
            lang=session.lang,
        )
        accepted = await accept(session.tenant, inbound)
        session.subscription.put(
            {
                "type": "ack",
                "id": message.id,
                "turn_id": accepted.turn_id,
                "event_id": accepted.event_id,
                "duplicate": accepted.duplicate,
            }
        )
        if not accepted.duplicate:
            self.announce(session.tenant, inbound, accepted, besides=session.subscription)


async def _write(websocket: WebSocket, session: _Session) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        is_cut_off = False
        while not is_cut_off:
            frames = await session.subscription.all()
            is_cut_off = frames[-1] is None
            await send_texts(websocket, [to_json(frame) for frame in frames if frame and not _was_seen(session, frame)])
        await websocket.close(TRY_AGAIN, "come back and catch up")


def _was_seen(session: _Session, frame: Frame) -> bool:
    return frame["type"] in ("message", "reply") and frame["event_id"] <= session.seen


async def _hello(websocket: WebSocket) -> Hello:
    try:
        async with asyncio.timeout(HELLO_WITHIN_S):
            return _parse(HELLO, await _receive(websocket))
    except TimeoutError:
        raise BadFrame(NO_HELLO, "no hello") from None


async def _receive(websocket: WebSocket) -> str:
    received = await websocket.receive()
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received.get("code", 1005))
    text = received.get("text")
    if text is None:
        raise BadFrame(BAD_FRAME, "frames are text")
    return str(text)


def _parse(adapter: TypeAdapter[F], text: str) -> F:
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadFrame(BAD_FRAME, f"{where}: {first['msg']}"[:120]) from None


def _page_lang(request: Request, tenant: Tenant) -> Lang:
    wanted = request.query_params.get("lang") or request.headers.get("accept-language", "")
    for lang in ("zh", "en"):
        if wanted.lower().startswith(lang):
            return lang
    return tenant.default_lang
