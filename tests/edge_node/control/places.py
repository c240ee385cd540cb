"""An edge on disk that was never served: two companies, one of which has been written to, and all its files."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from edge_node import settings
from edge_node.messages import Accepted, Inbound, Reply
from edge_node.settings import EdgeSettings
from edge_node.storage.places import api_keys, tenant_folder
from edge_node.storage.store import TenantStore
from nearside.origins import Reason, Source
from nearside.sealing import KeyRing, RecoveryKey, make_node_key, recovery_file

KEY = RecoveryKey(bytes(range(32)))
AT = 1_700_000_000.0
SETTINGS = """# the shop's edge, written by hand
name = "shop-edge"
data = "{data}"            # on the large disk
[https]
port = 9443
cert = "own/full.pem"
key = "own/private.pem"
[limits]
queued = 77  # enough
[tenants.shop]
content = "companies/shop"
[tenants.quiet]
content = "companies/quiet"
"""


@dataclass(frozen=True, slots=True)
class Place:
    folder: Path
    secret: str

    @property
    def config(self) -> Path:
        return self.folder / "edge.toml"

    @property
    def settings(self) -> EdgeSettings:
        return settings.load(self.config)

    def tree(self) -> dict[str, bytes]:
        return tree_of(self.folder)


def tree_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make_place(folder: Path) -> Place:
    config = folder / "edge.toml"
    folder.mkdir()
    config.write_text(SETTINGS.format(data=folder / "large" / "data"))
    loaded = settings.load(config)
    make_node_key(loaded.node_key, loaded.data)
    KEY.public.write(recovery_file(loaded.node_key))
    loaded.data.mkdir(parents=True)
    for file in ("own/full.pem", "own/private.pem", "own/ca.crt", "link/ca.crt", "link/edge.crt", "link/edge.key"):
        write(folder / file, f"the content of {file}")
    for tenant_id in ("shop", "quiet"):
        content = folder / "companies" / tenant_id
        write(content / "tenant.toml", f'name = "{tenant_id}"\n')
        write(content / "rules" / "说话.yaml", "rules: []\n")
    secret = api_keys(loaded.data, "shop").add("test")[1]
    asyncio.run(fill(loaded))
    return Place(folder, secret)


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def inbound(message_id: str, thread: str, channel: str = "api") -> Inbound:
    return Inbound(channel, "default", thread, message_id, f"customer of {thread}", f"the words of {message_id}")


async def opened(place: EdgeSettings, tenant_id: str = "shop", node: str = "shop-edge") -> TenantStore:
    folder = tenant_folder(place.data, tenant_id)
    keys = KeyRing(place.node_key, node).tenant_keys(folder, tenant_id)
    return await TenantStore.open(folder / "edge.db", keys)


async def fill(place: EdgeSettings) -> None:
    """Of three conversations one is answered, one has a reply that was not sent, one waits for its answer."""
    store = await opened(place)
    sent, unsent, _ = [await store.accept(inbound(f"m{number}", f"t{number}"), AT) for number in range(3)]
    store.mark_sent(await answered(store, sent), AT)
    await answered(store, unsent)
    await store.close()


async def answered(store: TenantStore, accepted: Accepted) -> int:
    reply = Reply("yes", Source.RULE, Reason.MATCHED)
    ended = await store.end(accepted.turn_id, 0, reply, AT, {})
    assert ended is not None
    return ended.event.id
