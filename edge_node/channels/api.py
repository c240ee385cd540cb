"""The HTTP channel: a company's own programs post messages and read replies (design.md §4.2)."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from edge_node.channels.drafts import Frame, to_json
from edge_node.channels.feed import Subscription, feed_key
from edge_node.channels.live import LiveChannel, answered
from edge_node.messages import ACCOUNT, TEXT_LIMIT, Accept, Accepted, Conversation, Inbound, Lang, Owner, Says, Tenant
from edge_node.web.limits import read_body
from nearside.errors import Refused
from nearside.ids import new_id

LONGEST_WAIT_S = 60.0
KEEP_ALIVE_S = 15.0
REPLY_FIELDS = (
    "text",
    "source",
    "reason",
    "confidence",
    "citations",
    "final",
    "knowledge_version",
    "quick_replies",
)


class Attachment(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=255)]
    url: Annotated[str, Field(max_length=2048, pattern=r"^https://")]
    media_type: Annotated[str, Field(max_length=127)] = "application/octet-stream"


class PostedMessage(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    conversation: Annotated[str, Field(min_length=1, max_length=128)]
    customer: Annotated[str, Field(min_length=1, max_length=128)]
    text: Says
    lang: Lang | None = None
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=10)] = ()


class Channel(LiveChannel):
    kind = "api"

    def routes(self, accept: Accept) -> Sequence[BaseRoute]:
        async def post(request: Request) -> Response:
            return await self._post(request, accept)

        return (
            Route("/v1/{tenant}/messages", post, methods=["POST"]),
            Route("/v1/{tenant}/conversations/{conversation:path}/events", self._events, methods=["GET"]),
        )

    async def _post(self, request: Request, accept: Accept) -> Response:
        tenant = self._authorised(request)
        wait_s = _wait(request)
        message_id = _message_id(request)
        posted = _parse(await read_body(request))
        self.context.admit(tenant, None)
        inbound = Inbound(
            channel=self.kind,
            account=ACCOUNT,
            thread=posted.conversation,
            message_id=message_id,
            customer=posted.customer,
            text=posted.text,
            lang=posted.lang,
            attachments=tuple(attachment.model_dump() for attachment in posted.attachments),
        )
        if wait_s is None:
            return _accepted(await self._take(tenant, inbound, accept))
        with self.context.feed.subscribe(feed_key(tenant, self.kind, inbound.thread)) as subscription:
            accepted = await self._take(tenant, inbound, accept)
            reply = await self._reply(tenant, accepted, subscription, wait_s)
        return _accepted(accepted) if reply is None else _replied(accepted, reply)

    async def _take(self, tenant: Tenant, inbound: Inbound, accept: Accept) -> Accepted:
        accepted = await accept(tenant, inbound)
        if not accepted.duplicate:
            self.announce(tenant, inbound, accepted)
        return accepted

    async def _reply(
        self, tenant: Tenant, accepted: Accepted, subscription: Subscription, wait_s: float
    ) -> Frame | None:
        """The first reply of the turn, or None if there is none in time."""
        if accepted.duplicate and (event := await self.context.log.reply_to(tenant, accepted.turn_id)):
            return event.body
        try:
            async with asyncio.timeout(wait_s):
                while (frame := await subscription.next()) is not None:
                    if frame["type"] == "reply" and accepted.turn_id in answered(frame):
                        return frame
        except TimeoutError:
            pass
        return None

    async def _events(self, request: Request) -> Response:
        tenant = self.context.find_tenant(request.path_params["tenant"])
        thread = request.path_params["conversation"]
        after = _after(request)
        self._check_reader(request, tenant, thread)
        for channel in (self.kind, "web"):
            if known := await self.context.log.find(tenant, channel, thread):
                break
        else:
            raise Refused(404, "unknown-conversation", "no such conversation", hint="check its id")
        frames = self._frames(tenant, *known, after)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(frames, media_type="text/event-stream", headers=headers)

    async def _frames(self, tenant: Tenant, conversation: Conversation, owner: Owner, after: int) -> AsyncIterator[str]:
        key = feed_key(tenant, conversation.channel, conversation.thread)
        with self.context.feed.subscribe(key) as subscription:
            async with aclosing(self.missed(tenant, conversation, after)) as missed:
                async for line in missed:
                    yield _server_sent(line)
                    after = line["event_id"]
            for shown in self.running(tenant, conversation, owner):
                yield _server_sent(shown)
            while True:
                try:
                    async with asyncio.timeout(KEEP_ALIVE_S):
                        frame = await subscription.next()
                except TimeoutError:
                    yield ": keep-alive\n\n"
                    continue
                if frame is None:
                    return
                if frame["type"] in ("message", "reply") and frame["event_id"] <= after:
                    continue
                yield _server_sent(frame)

    def _authorised(self, request: Request) -> Tenant:
        tenant = self.context.find_tenant(request.path_params["tenant"])
        if not self.context.is_api_key(tenant, _bearer(request)):
            raise Refused(401, "unauthorized", "the API key is missing or wrong", hint="Authorization: Bearer KEY")
        return tenant

    def _check_reader(self, request: Request, tenant: Tenant, thread: str) -> None:
        """The API key opens every conversation of its tenant, a conversation's token that one."""
        token = self.context.log.token(tenant, thread)
        offered = request.query_params.get("token") or _bearer(request)
        if not hmac.compare_digest(token.encode(), offered.encode()):
            self._authorised(request)


def _bearer(request: Request) -> str:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""


def _message_id(request: Request) -> str:
    key = request.headers.get("idempotency-key")
    if key is None:
        return new_id("m")
    if not 1 <= len(key) <= 128:
        raise Refused(400, "bad-idempotency-key", "an Idempotency-Key has 1 to 128 characters", hint="shorten it")
    return key


def _wait(request: Request) -> float | None:
    """Seconds of `Prefer: wait=N`, None without it; anything else a client prefers is ignored (RFC 7240)."""
    for preference in ",".join(request.headers.getlist("prefer")).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait" and value.strip().strip('"').isdecimal():
            return min(float(value.strip().strip('"')), LONGEST_WAIT_S)
    return None


def _after(request: Request) -> int:
    """Where to go on: `?after=`, or what a reconnecting EventSource says it has."""
    value = request.query_params.get("after") or request.headers.get("last-event-id") or "0"
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise Refused(400, "bad-after", "`after` is the id of an event", hint="a whole number")
    return int(value)


def _parse(body: bytes) -> PostedMessage:
    try:
        return PostedMessage.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "string_too_long" and where == "text":
            raise Refused(413, "text-too-long", f"the text is over {TEXT_LIMIT} characters", hint="split it") from None
        raise Refused(400, "bad-message", f"{where}: {first['msg']}".lstrip(": "), hint="see docs/api.md") from None


def _ids(accepted: Accepted) -> dict[str, Any]:
    return {"message_id": accepted.message_id, "turn_id": accepted.turn_id}


def _accepted(accepted: Accepted) -> Response:
    return JSONResponse(_ids(accepted), status_code=202)


def _replied(accepted: Accepted, reply: Frame) -> Response:
    shown = {field: reply[field] for field in REPLY_FIELDS} | {"answers": sorted(set(answered(reply)))}
    return JSONResponse({**_ids(accepted), "reply": shown, "timing_ms": reply["timing_ms"]})


def _server_sent(frame: Frame) -> str:
    identity = f"id: {frame['event_id']}\n" if "event_id" in frame else ""
    return f"{identity}event: {frame['type']}\ndata: {to_json(frame)}\n\n"
