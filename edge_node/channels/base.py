"""The seam of every channel: it translates between a vendor's protocol and our messages, and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from starlette.routing import BaseRoute

from edge_node.channels.feed import Feed
from edge_node.messages import Accept, Conversation, Delivery, Draft, Event, Owner, Tenant


class ConversationLog(Protocol):
    """Reading access to what was said, for channels whose customers come back and catch up."""

    async def find(self, tenant: Tenant, channel: str, thread: str) -> tuple[Conversation, Owner] | None: ...

    async def events(self, tenant: Tenant, conversation_id: str, after: int) -> list[Event]:
        """At most a page of events with an id above `after`, oldest first."""
        ...

    async def reply_to(self, tenant: Tenant, turn_id: str) -> Event | None: ...

    def token(self, tenant: Tenant, thread: str) -> str:
        """The unguessable token of a web conversation."""
        ...


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """What a channel is handed. `find_tenant` raises Refused (404); `is_api_key` compares in constant time."""

    find_tenant: Callable[[str], Tenant]
    is_api_key: Callable[[Tenant, str], bool]
    admit: Callable[[Tenant, str | None], None]
    log: ConversationLog
    feed: Feed


class Channel(ABC):
    """`kind` is the file's name. Accounts of a channel share one object; a message says which account it is for."""

    kind: ClassVar[str]
    idempotent: ClassVar[bool] = False
    """Whether the vendor takes `Delivery.key` and keeps a repeated send from being a second message."""

    def __init__(self, context: ChannelContext) -> None:
        self.context = context

    def routes(self, accept: Accept) -> Sequence[BaseRoute]:
        """HTTP and WebSocket routes, mounted at the root."""
        return ()

    async def run(self, accept: Accept) -> None:
        """Long-lived work, e.g. polling; cancelled at the stop."""
        return

    async def draft(self, tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
        """Show a sentence of a reply in the making; a channel that can't edit leaves this."""
        return

    async def typing(self, tenant: Tenant, conversation: Conversation, turn_id: str) -> None:
        """Show that an answer is being worked on, until the reply is sent; a channel that can't leaves this."""
        return

    def show(self, delivery: Delivery) -> bool:
        """Bring a committed reply to the customer at once; False where the channel has to wait for somebody."""
        return False

    @abstractmethod
    async def send(self, delivery: Delivery) -> None:
        """Bring a committed reply to the customer. Raises DeliveryError, which says whether to try again and when.

        A TimeoutError or an OSError is taken as a send that may have arrived, and tried again; any other exception
        as a fault of the channel, and not. What takes longer than `SEND_WITHIN_S` of the sender is cancelled: a
        channel sets no time limit of its own, lets the cancellation through and never blocks the loop.
        """
