"""A tenant's file as somebody with its keys sees it: for tests that look behind a program's back.

`config` is the program's edge.toml or core.toml. Its programs may run: this is one more process on a file in WAL mode.
"""

from pathlib import Path

import cloud_core.settings
import edge_node.settings
from nearside.database import Connection, open_database
from nearside.sealing import KeyRing


def sealed_file(config: Path, tenant_id: str) -> Path:
    return _folder(config, tenant_id) / config.with_suffix(".db").name


def tenant_key(config: Path, tenant_id: str) -> bytes:
    settings = _settings(config)
    return KeyRing(settings.node_key, settings.name).tenant_key(_folder(config, tenant_id), tenant_id)


def open_sealed(config: Path, tenant_id: str) -> Connection:
    return open_database(sealed_file(config, tenant_id), tenant_key(config, tenant_id))


def everything_in(config: Path, tenant_id: str) -> str:
    """All rows of all tables as text."""
    connection = open_sealed(config, tenant_id)
    try:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return "\n".join(str(row) for table in tables for row in connection.execute(f'SELECT * FROM "{table}"'))  # noqa: S608 - its own names
    finally:
        connection.close()


def _settings(config: Path) -> edge_node.settings.EdgeSettings | cloud_core.settings.CoreSettings:
    return edge_node.settings.load(config) if config.stem == "edge" else cloud_core.settings.load(config)


def _folder(config: Path, tenant_id: str) -> Path:
    return _settings(config).data / "tenants" / tenant_id
