"""What an installer can set: edge.toml. Each description is the comment that `init` writes above the key."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from nearside.deadlines import MOST_DEFERRED_HOURS
from nearside.settings import LocatedPath, Section, load_settings, render_settings

PREFIX = "EDGE"
FILE_NAME = "edge.toml"
Port = Annotated[int, Field(ge=1, le=65535)]
TenantId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")


def _host_and_port(address: str) -> str:
    found = _ADDRESS.fullmatch(address)
    if not found or not 1 <= int(found[2]) <= 65_535:
        raise PydanticCustomError("address", "not host:port, such as core.example.com:8445")
    return address


Address = Annotated[str, AfterValidator(_host_and_port)]


class Https(Section):
    host: str = Field("127.0.0.1", description='Address to listen on; "0.0.0.0" for all.')
    port: Port = 8443
    cert: LocatedPath = Field(Path("certs/server.crt"), description="PEM files that customers' browsers are shown.")
    key: LocatedPath = Path("certs/server.key")


class Admin(Section):
    host: str = Field("127.0.0.1", description="Keep it on loopback: health and metrics, plain HTTP.")
    port: Port = 9464


class Core(Section):
    address: Address = Field("127.0.0.1:8445", description="host:port of the core's gRPC door.")
    ca: LocatedPath = Field(Path("link/ca.crt"), description="The core's authority, and this edge's identity.")
    cert: LocatedPath = Path("link/edge.crt")
    key: LocatedPath = Path("link/edge.key")
    turn_s: float = Field(20.0, gt=0, description="How long a turn may wait for the core, in seconds …")
    first_s: float = Field(10.0, gt=0, description="… and how long for the first sentence, before the next rung.")


class Limits(Section):
    customer_per_s: float = Field(5.0, gt=0, description="Messages a second from one visitor of the chat …")
    customer_burst: int = Field(20, ge=1, description="… and how many at once.")
    tenant_per_s: float = Field(2_000.0, gt=0, description="Messages a second from all customers of a tenant …")
    tenant_burst: int = Field(4_000, ge=1, description="… and how many at once.")
    queued: int = Field(10_000, ge=1, description="Turns of one tenant that may wait; more are refused with 429.")
    parallel: int = Field(1024, ge=1, description="Conversations worked on at a time.")
    drain_s: float = Field(10.0, ge=0, description="How long a stop waits for turns under way, in seconds.")
    deferred_hours: float = Field(
        24.0, gt=0, le=MOST_DEFERRED_HOURS, description="How long a promised answer may take, at most a week."
    )
    outbox_hours: float = Field(24.0, gt=0, description="How long a reply is tried that a channel does not take.")


class LocalModel(Section):
    file: str = Field("", description="Which installed model; empty: the one added last (`edge-node model list`).")
    threads: int = Field(2, ge=1, le=64, description="Processor threads of the model's process.")


class TenantSettings(Section):
    content: LocatedPath = Field(
        description="Folder with tenant.toml, rules/, faq.yaml, intents.jsonl and tools/ of this company."
    )
    retention_days: int = Field(0, ge=0, description="How long conversations are kept; 0 is for ever.")


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class EdgeSettings(Section):
    name: TenantId = Field("edge", description="What this edge calls itself.")
    data: LocatedPath = Field(Path("data"), description="Everything the edge keeps: one sealed file per tenant.")
    node_key: LocatedPath = Field(
        Path("certs/node.key"), description="Wraps every tenant's key: back it up, apart from the data."
    )
    encoder_threads: int = Field(1, ge=1, le=16, description="Processor threads of the text encoder.")
    https: Https = Field(Https(), description="Chat, API and webhooks (TLS 1.3).")
    admin: Admin = Field(Admin(), description="Health and metrics.")
    core: Core = Field(Core(), description="The cloud core (mutual TLS 1.3).")
    limits: Limits = Field(Limits(), description="What the edge takes before it says 429.")
    local_model: LocalModel = Field(
        LocalModel(), description="The small language model at the edge, for companies whose tenant.toml uses it."
    )
    log: Log = Field(Log(), description="JSON lines on standard error; never a customer's words.")
    tenants: Mapping[TenantId, TenantSettings] = Field(
        default_factory=dict,
        description="The companies this edge serves. At the end of this file: [tenants.ID], and below it content = …",
    )


TITLE = """Settings of edge-node. Relative paths start at this file's folder.
Every key can be overridden by an environment variable: EDGE__HTTPS__PORT=9443 sets https.port.
`edge-node check` says what is wrong."""


def load(path: Path) -> EdgeSettings:
    return load_settings(EdgeSettings, path, PREFIX)


def render(settings: EdgeSettings) -> str:
    return render_settings(settings, title=TITLE)
