"""What `web` and `api` share: their customers read the conversation's log, and see it grow while they look."""

import time
from typing import Any

from edge_node.channels.base import Channel
from edge_node.channels.feed import Frame, feed_key
from edge_node.messages import Accepted, Conversation, Delivery, Draft, Event, Inbound, Tenant, message_body


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

    async def draft(self, tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
        frame: dict[str, Any] = {
            "type": "delta",
            "turn_id": draft.turn_id,
            "revision": draft.revision,
            "sequence": draft.sequence,
            "text": draft.text,
        }
        self.context.feed.publish(feed_key(tenant, conversation.channel, conversation.thread), frame)

    async def send(self, delivery: Delivery) -> None:
        conversation = delivery.conversation
        key = feed_key(delivery.tenant, conversation.channel, conversation.thread)
        self.context.feed.publish(key, event_frame(delivery.event, conversation.channel, conversation.thread))
        if owner := delivery.event.body.get("owner"):
            self.context.feed.publish(key, {"type": "event", "event": "owner", "owner": owner})
