"""Reading access to conversations for the channels, tenant by tenant."""

import hmac
from collections.abc import Mapping
from hashlib import sha256

from edge_node.messages import ACCOUNT, Conversation, Event, Owner, Tenant
from edge_node.storage.store import TenantStore

PAGE = 200


class Conversations:
    def __init__(self, stores: Mapping[str, TenantStore]) -> None:
        self._stores = stores

    async def find(self, tenant: Tenant, channel: str, thread: str) -> tuple[Conversation, Owner] | None:
        return await self._stores[tenant.id].conversation(channel, ACCOUNT, thread)

    async def events(self, tenant: Tenant, conversation_id: str, after: int) -> list[Event]:
        return await self._stores[tenant.id].events(conversation_id, after, PAGE)

    async def reply_to(self, tenant: Tenant, turn_id: str) -> Event | None:
        return await self._stores[tenant.id].reply_to(turn_id)

    def token(self, tenant: Tenant, thread: str) -> str:
        """Made with a secret of the tenant's file: it dies with that file's key, and outlives a change of it."""
        key = self._stores[tenant.id].secret("conversation-token")
        return hmac.new(key, thread.encode("utf-8", "surrogatepass"), sha256).hexdigest()
