"""A customer at the rules' desk: keeps the conversation's state between messages, with a shop made of a function."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from edge_node.messages import (
    Branding,
    Conversation,
    ConversationState,
    HistoryItem,
    Lang,
    Owner,
    Reply,
    Tenant,
    Turn,
)
from edge_node.responders.rules import Responder
from nearside.content import TenantContent, load_tenant_content
from nearside.lexical import language_of
from nearside.tools import ToolFailure
from tests.servers import ROOT

OPEN_AT = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)  # a Tuesday
CLOSED_AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)  # a Sunday

TENANT = Tenant(
    "demo",
    {"en": "Larkspur Outdoor", "zh": "云雀户外"},
    "en",
    Branding("#123456", {"en": "Hi", "zh": "好"}, {"en": (), "zh": ()}),
)


@lru_cache(maxsize=1)
def demo_content() -> TenantContent:
    return load_tenant_content(ROOT / "demo")


class FakeShop:
    """Order 1042 is open and ends in 4711; 1043 has left. `down` makes every call fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any], str, str]] = []
        self.cancelled: list[str] = []
        self.down: str | None = None
        self.ticket = {"ticket": "T-20001"}
        self.result = {"refund": "479.00"}
        """Of a cancellation, besides the number."""

    async def run(
        self, name: str, arguments: Mapping[str, Any], turn_id: str, call_id: str, conversation_id: str
    ) -> Any:
        assert conversation_id == "c_1"
        self.calls.append((name, dict(arguments), turn_id, call_id))
        if self.down:
            raise ToolFailure(self.down, "scripted", where=name)
        if name == "create_ticket":
            return self.ticket
        number = str(arguments["order_number"])
        if number not in ("1042", "1043"):
            raise ToolFailure("not_found", "scripted", where=name, status=404)
        return getattr(self, name)(number, arguments)

    def order_status(self, number: str, _arguments: Mapping[str, Any]) -> dict[str, Any]:
        state = "processing" if number == "1042" else "shipped"
        articles = [{"name": {"en": "Skua 3 tent", "zh": "Skua 3 帐篷"}, "quantity": 1}]
        parcel = {"carrier": "DHL", "tracking": "LK1", "eta": "2026-11-27"}
        return {"number": number, "state": state, "articles": articles, "total": "479.00", **parcel}

    def verify_order(self, _number: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        right = arguments["fact"] in ("4711", "anna@mail.example")
        return {"verified": right, "by": "phone" if right else None}

    def cancel_order(self, number: str, _arguments: Mapping[str, Any]) -> dict[str, Any]:
        if number == "1043":
            raise ToolFailure("not_cancellable", "scripted", status=409)
        self.cancelled.append(number)
        return {"number": number, **self.result}

    def names(self) -> list[str]:
        return [call[0] for call in self.calls]


@dataclass
class Customer:
    """`say` gives the reply, or None where the rules pass the turn on."""

    content: TenantContent = field(default_factory=demo_content)
    shop: FakeShop = field(default_factory=FakeShop)
    at: datetime = OPEN_AT
    intent: Callable[[str], tuple[str, float] | None] = lambda text: None
    state: ConversationState = field(default_factory=ConversationState)
    owner: Owner = "bot"
    history: tuple[HistoryItem, ...] = ()
    turns: int = 0
    handoffs: list[tuple[str, str]] = field(default_factory=list)
    tenant: Tenant = TENANT

    def say(self, text: str, lang: Lang | None = None) -> Reply | None:
        self.turns += 1
        reply = asyncio.run(self.responder().answer(self.turn(text, lang)))
        self.history += (HistoryItem("customer", text),)
        if reply:
            self.state = reply.state or self.state
            self.owner = reply.owner or self.owner
        return reply

    def hears(self, text: str, lang: Lang | None = None) -> Reply:
        reply = self.say(text, lang)
        assert reply is not None, f"no rule answered: {text}"
        return reply

    def responder(self) -> Responder:
        async def nearest_intent(turn: Turn) -> tuple[str, float] | None:
            return self.intent(turn.text)

        return Responder(
            self.content.rules,
            self.content.tools,
            self.content.hours,
            call_tool=self.shop.run,
            count_handoff=lambda tenant_id, outcome: self.handoffs.append((tenant_id, outcome)),
            nearest_intent=nearest_intent,
            now=lambda: self.at,
        )

    def turn(self, text: str, lang: Lang | None = None) -> Turn:
        async def nearest() -> tuple[()]:
            return ()

        async def encoding() -> None:
            return None

        async def history(said: tuple[HistoryItem, ...] = self.history) -> tuple[HistoryItem, ...]:
            return said

        return Turn(
            tenant=self.tenant,
            turn_id=f"t_{self.turns}",
            conversation=Conversation("c_1", "web", "default", "thread", "customer"),
            text=text,
            lang=lang or language_of(text),
            state=self.state,
            owner=self.owner,
            epoch=0,
            event_id=self.turns,
            received_at=self.at.timestamp(),
            history=history,
            nearest=nearest,
            encoding=encoding,
        )
