"""Where things lie in an archive: a folder that an edge could be served from as it is."""

from pathlib import Path

from edge_node.settings import FILE_NAME, PREFIX, EdgeSettings
from nearside.relocation import Key, relocated
from nearside.sealing import recovery_file

PROGRAM = "edge-node"
SCHEMA = "edge"
NODE_KEY = "certs/node.key"
RECOVERY = "certs/recovery.pub"
SETTINGS = FILE_NAME


def content_of(tenant_id: str) -> str:
    return f"content/{tenant_id}"


def tenant_of(tenant_id: str) -> str:
    return f"data/tenants/{tenant_id}"


def link_files(settings: EdgeSettings) -> dict[str, Path]:
    """Each name in the archive, and where the settings have the file."""
    core = settings.core
    return {"link/ca.crt": core.ca, "link/edge.crt": core.cert, "link/edge.key": core.key}


def certificates(settings: EdgeSettings) -> dict[str, Path]:
    cert, key = settings.https.cert, settings.https.key
    local = {f"certs/{name}": cert.parent / name for name in ("ca.crt", "ca.key")}
    return {"certs/server.crt": cert, "certs/server.key": key} | local


def keys(settings: EdgeSettings) -> dict[str, Path]:
    return {NODE_KEY: settings.node_key, RECOVERY: recovery_file(settings.node_key)}


def settings_text(text: str, settings: EdgeSettings) -> str:
    """The operator's edge.toml with the archive's paths, and the name that the keys are bound to."""
    values: dict[Key, str] = {
        ("name",): settings.name,
        ("data",): "data",
        ("node_key",): NODE_KEY,
        ("https", "cert"): "certs/server.crt",
        ("https", "key"): "certs/server.key",
        ("core", "ca"): "link/ca.crt",
        ("core", "cert"): "link/edge.crt",
        ("core", "key"): "link/edge.key",
    }
    contents: dict[Key, str] = {
        ("tenants", tenant_id, "content"): content_of(tenant_id) for tenant_id in settings.tenants
    }
    return relocated(text, values | contents, EdgeSettings())


def is_override(variable: str) -> bool:
    """Whether this environment variable sets a key of edge.toml."""
    return variable.startswith(f"{PREFIX}__")
