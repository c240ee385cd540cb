"""Where things lie in an archive: a folder that a core could be served from as it is."""

from pathlib import Path

from cloud_core.settings import FILE_NAME, PREFIX, CoreSettings
from nearside.relocation import Key, relocated
from nearside.sealing import recovery_file

PROGRAM = "cloud-core"
SETTINGS = FILE_NAME
NODE_KEY = "certs/node.key"
RECOVERY = "certs/recovery.pub"


def tenant_of(tenant_id: str) -> str:
    return f"data/tenants/{tenant_id}"


def certificates(settings: CoreSettings) -> dict[Key, tuple[str, Path]]:
    """By the key in core.toml: the name in the archive, and where the settings have the file."""
    https, grpc, nats = settings.https, settings.grpc, settings.nats
    cert = "certs/server.crt" if grpc.cert == https.cert else "certs/grpc.crt"
    key = "certs/server.key" if grpc.key == https.key else "certs/grpc.key"
    return {
        ("grpc", "ca"): ("certs/ca.crt", grpc.ca),
        ("ca_key",): ("certs/ca.key", settings.ca_key),
        ("https", "cert"): ("certs/server.crt", https.cert),
        ("https", "key"): ("certs/server.key", https.key),
        ("grpc", "cert"): (cert, grpc.cert),
        ("grpc", "key"): (key, grpc.key),
        ("nats", "cert"): ("certs/nats.crt", nats.cert),
        ("nats", "key"): ("certs/nats.key", nats.key),
    }


def keys(settings: CoreSettings) -> dict[str, Path]:
    return {NODE_KEY: settings.node_key, RECOVERY: recovery_file(settings.node_key)}


def settings_text(text: str, settings: CoreSettings) -> str:
    """The operator's core.toml with the archive's paths."""
    named = {key: name for key, (name, _) in certificates(settings).items()}
    return relocated(text, {("data",): "data", ("node_key",): NODE_KEY} | named)


def is_override(variable: str) -> bool:
    """Whether this environment variable sets a key of core.toml."""
    return variable.startswith(f"{PREFIX}__")
