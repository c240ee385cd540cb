"""The core's parts list: the only place where its rooms meet."""

import asyncio
import importlib
import os
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import cast
from weakref import WeakKeyDictionary

from cloud_core.engines.base import Engine
from cloud_core.fleet.lock import sole_owner
from cloud_core.fleet.nats import EmbeddedServer
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.store import MIGRATIONS as KNOWLEDGE
from cloud_core.settings import CoreSettings, EngineSettings
from cloud_core.tenants import Tenant, Tenants
from cloud_core.turns.claims import MIGRATIONS as CLAIMS
from nearside.encoder import TextEncoder
from nearside.errors import SettingsError
from nearside.logs import configure_logging, logger
from nearside.sealing import KeyRing

LOG = logger("app")
KEY_OWNER = "core"
DRAIN_S = 10.0
DAY_S = 86_400.0


def open_tenants(settings: CoreSettings) -> Tenants:
    keys = KeyRing(settings.node_key, KEY_OWNER)
    return Tenants(settings.data, keys, {"knowledge": KNOWLEDGE, "turns": CLAIMS})


def open_knowledge(tenant: Tenant, encoder: TextEncoder) -> KnowledgeBase:
    return KnowledgeBase(tenant.connect(), encoder)
