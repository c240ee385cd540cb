"""What an operator can set: core.toml. Each description is the comment that `init` writes above the key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from nearside.deadlines import LEAST_KEPT_DAYS
from nearside.settings import LocatedPath, Section, load_settings, render_settings

PREFIX = "CORE"
FILE_NAME = "core.toml"
Port = Annotated[int, Field(ge=1, le=65535)]


class Https(Section):
    host: str = Field("127.0.0.1", description='Address to listen on; "0.0.0.0" for all.')
    port: Port = 8444
    cert: LocatedPath = Field(Path("certs/server.crt"), description="PEM files.")
    key: LocatedPath = Path("certs/server.key")


class Grpc(Section):
    host: str = Field("127.0.0.1", description='Address to listen on; "0.0.0.0" if edges run on other machines.')
    port: Port = 8445
    cert: LocatedPath = Field(Path("certs/server.crt"), description="PEM files; the certificate's key must be P-256.")
    key: LocatedPath = Path("certs/server.key")
    ca: LocatedPath = Field(
        Path("certs/ca.crt"), description="Edges must show a certificate that this authority signed."
    )


class Admin(Section):
    host: str = Field("127.0.0.1", description="Keep it on loopback, or inside the cluster.")
    port: Port = 9465


class Nats(Section):
    mode: Literal["embedded", "external", "off"] = Field(
        "embedded",
        description='"embedded" starts the nats-server installed with this program, "external" uses `url`.',
    )
    port: Port = Field(4222, description="Loopback port of the embedded server.")
    url: str = Field("", description='For "external", e.g. "tls://nats.example.com:4222".')
    cert: LocatedPath = Field(Path("certs/nats.crt"), description="The core's own name at NATS.")
    key: LocatedPath = Path("certs/nats.key")


def _without_password(url: str) -> str:
    user, at, _ = url.partition("://")[2].rpartition("@")
    if (at and ":" in user) or "password=" in url:
        raise ValueError("has a password in it: put it into a file and name that in password_file")
    return url


PostgresUrl = Annotated[str, AfterValidator(_without_password)]


class Database(Section):
    url: PostgresUrl = Field(
        "",
        description="Empty: SQLite files below `data`. Several cores share one PostgreSQL with pgvector, e.g.\n"
        '"postgresql://nearside@db.example.com/nearside". Without a password.',
    )
    password_file: LocatedPath | None = Field(
        None, description="A 0600 file with the password; without one, PGPASSFILE and ~/.pgpass are looked at."
    )
    owner_url: PostgresUrl = Field(
        "",
        description="Who owns the tables, where that is another login. Only commands that make or remove companies\n"
        "and tables need it.",
    )
    owner_password_file: LocatedPath | None = None
    connections: int = Field(10, ge=2, le=500, description="At most so many at a time, for each core.")


class EngineSettings(Section):
    kind: str = Field("extractive", description='"extractive" quotes the documents and needs no language model.')
    options: Mapping[str, Any] = Field(default_factory=dict, description="What this kind of engine understands.")


class TurnSettings(Section):
    max_in_flight: int = Field(
        64, ge=1, description="More turns at a time are refused at once, with a hint when to retry."
    )
    max_s: float = Field(60.0, gt=0, description="Upper bound of one turn in seconds, whatever the edge grants.")
    keep_days: int = Field(
        30,
        ge=LEAST_KEPT_DAYS,
        description="Answers are kept so long for repeated turns, 8 days or more: an edge may retry for a week.",
    )


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class CoreSettings(Section):
    name: str = Field("core", min_length=1, max_length=64, description="What this core calls itself.")
    data: LocatedPath = Field(Path("data"), description="Everything the core keeps: tenants, knowledge, broker.")
    node_key: LocatedPath = Field(
        Path("certs/node.key"), description="Wraps every tenant's key: back it up, apart from the data."
    )
    ca_key: LocatedPath = Field(
        Path("certs/ca.key"), description="The authority's key, with which edges get their certificates."
    )
    https: Https = Field(Https(), description="The core's HTTPS door (TLS 1.3).")
    grpc: Grpc = Field(Grpc(), description="Turns from the edges (mutual TLS 1.3).")
    admin: Admin = Field(Admin(), description="Health and metrics, plain HTTP.")
    nats: Nats = Field(Nats(), description="The message broker between edges and core (mutual TLS 1.3).")
    database: Database = Field(Database(), description="Where companies, turns and knowledge are kept.")
    engine: EngineSettings = Field(EngineSettings(), description="Who writes the answers.")
    turns: TurnSettings = Field(TurnSettings(), description="Bounds of the work on turns.")
    log: Log = Field(Log(), description="JSON lines on standard error; never a customer's words.")


TITLE = """Settings of cloud-core. Relative paths start at this file's folder.
Every key can be overridden by an environment variable: CORE__HTTPS__PORT=9443 sets https.port.
`cloud-core check` says what is wrong."""


def load(path: Path) -> CoreSettings:
    return load_settings(CoreSettings, path, PREFIX)


def render(settings: CoreSettings) -> str:
    return render_settings(settings, title=TITLE)
