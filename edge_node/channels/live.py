"""What `web` and `api` share: their customers read the conversation's log, and see it grow while they look."""

import time
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Any

from edge_node.channels.base import Channel
from edge_node.channels.drafts import QUIET_S, Frame, Key, typing
from edge_node.channels.feed import Subscription, feed_key
from edge_node.messages import Accepted, Conversation, Delivery, Draft, Event, Inbound, Owner, Tenant, message_body


def prefix(channel: str, thread: str) -> str:
    """Browsers choose their message ids, so these are told apart by conversation."""
    return f"{thread}/" if channel == "web" else ""


def event_frame(event: Event, channel: str, thread: str) -> Frame:
    """A line of the log as the frame that clients get: `message`, under the id its sender gave it, or `reply`."""
    frame = {"type": event.kind, "event_id": event.id, **event.body}
    if event.kind == "message":
        frame["id"] = frame["id"].removeprefix(prefix(channel, thread))
    return frame


def message_frame(accepted: Accepted, inbound: Inbound) -> Frame:
    """The same for a message that was committed just now."""
    body = message_body(inbound, time.time())
    event = Event(accepted.event_id, accepted.turn_id, "message", body)
    return event_frame(event, inbound.channel, inbound.thread)


class LiveChannel(Channel):
    """Delivery is the log itself: a committed reply is there for whoever asks; those who look see it at once."""

    idempotent = True

    def announce(
        self, tenant: Tenant, inbound: Inbound, accepted: Accepted, besides: Subscription | None = None
    ) -> None:
        """A message that was committed just now, to all who look but the one that sent it."""
        key = feed_key(tenant, inbound.channel, inbound.thread)
        self.context.feed.drafts.begin(key, accepted.turn_id)
        if self.context.feed.others(key, besides):
            self.context.feed.publish(key, message_frame(accepted, inbound), besides=besides)
        self.context.feed.publish(key, typing(accepted.turn_id))

    async def missed(self, tenant: Tenant, conversation: Conversation, after: int) -> AsyncGenerator[Frame]:
        """The log after the event `after`. It also tells which turns run, even after a restart."""
        drafts, key = self.context.feed.drafts, _key(tenant, conversation)
        while page := await self.context.log.events(tenant, conversation.id, after):
            for event in page:
                if event.kind == "reply":
                    drafts.end(key, answered(event.body))
                elif _is_recent(event):
                    drafts.begin(key, event.turn_id)
                yield event_frame(event, conversation.channel, conversation.thread)
            after = page[-1].id

    def running(self, tenant: Tenant, conversation: Conversation, owner: Owner) -> list[Frame]:
        """What there is to see of the turns under way."""
        return self.context.feed.drafts.frames(_key(tenant, conversation)) if owner == "bot" else []

    async def typing(self, tenant: Tenant, conversation: Conversation, turn_id: str) -> None:
        """Shown since the message was accepted, unless this turn is one of before a restart or has been quiet."""
        key = _key(tenant, conversation)
        if self.context.feed.drafts.begin(key, turn_id):
            self.context.feed.publish(key, typing(turn_id))

    async def draft(self, tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
        frame: dict[str, Any] = {
            "type": "delta",
            "turn_id": draft.turn_id,
            "revision": draft.revision,
            "sequence": draft.sequence,
            "text": draft.text,
        }
        key = _key(tenant, conversation)
        self.context.feed.drafts.add(key, frame)
        self.context.feed.publish(key, frame)

    async def send(self, delivery: Delivery) -> None:
        self.show(delivery)

    def show(self, delivery: Delivery) -> bool:
        conversation = delivery.conversation
        key = _key(delivery.tenant, conversation)
        self.context.feed.drafts.end(key, answered(delivery.event.body))
        self.context.feed.publish(key, event_frame(delivery.event, conversation.channel, conversation.thread))
        if owner := delivery.event.body.get("owner"):
            if owner == "agent":
                self.context.feed.drafts.end_all(key)
            self.context.feed.publish(key, {"type": "event", "event": "owner", "owner": owner})
        return True


def answered(reply: Mapping[str, Any]) -> tuple[str, ...]:
    """The turns that a reply ends: its own, and those merged into it."""
    return (reply["turn_id"], *reply.get("answers", ()))


def _key(tenant: Tenant, conversation: Conversation) -> Key:
    return feed_key(tenant, conversation.channel, conversation.thread)


def _is_recent(message: Event) -> bool:
    return datetime.fromisoformat(message.body["at"]).timestamp() > time.time() - QUIET_S
