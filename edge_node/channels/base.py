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

    @abstractmethod
    async def send(self, delivery: Delivery) -> None:
        """Bring a committed reply to the customer. Raises NearsideError; `retryable` says whether to try again."""
