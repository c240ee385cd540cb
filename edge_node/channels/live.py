"""What `web` and `api` share: their customers read the conversation's log, and see it grow while they look."""

from typing import Any

from edge_node.channels.base import Channel
from edge_node.channels.feed import Frame, feed_key
from edge_node.messages import Accepted, Conversation, Delivery, Draft, Event, Inbound, Tenant

ACCOUNT = "default"


def event_frame(event: Event) -> Frame:
    """A line of the log as the frame that clients get: `message` or `reply`."""
    return {"type": event.kind, "event_id": event.id, **event.body}


def message_frame(accepted: Accepted, inbound: Inbound, at: str) -> Frame:
    return {
        "type": "message",
        "event_id": accepted.event_id,
        "id": accepted.message_id,
        "text": inbound.text,
        "at": at,
    }


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
        self.context.feed.publish(key, event_frame(delivery.event))
        if owner := delivery.event.body.get("owner"):
            self.context.feed.publish(key, {"type": "event", "event": "owner", "owner": owner})
