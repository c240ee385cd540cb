"""The core's parts list: the only place where its rooms meet."""

from cloud_core.knowledge.store import MIGRATIONS as KNOWLEDGE
from cloud_core.settings import CoreSettings
from cloud_core.tenants import Tenants
from cloud_core.turns.claims import MIGRATIONS as CLAIMS
from nearside.sealing import KeyRing

KEY_OWNER = "core"


def open_tenants(settings: CoreSettings) -> Tenants:
    keys = KeyRing(settings.node_key, KEY_OWNER)
    return Tenants(settings.data, keys, {"knowledge": KNOWLEDGE, "turns": CLAIMS})
