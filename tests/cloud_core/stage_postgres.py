"""A core on an empty PostgreSQL, for tests."""

from pathlib import Path

from cloud_core.app import open_postgres
from cloud_core.settings import CoreSettings
from cloud_core.tenants import KEY_OWNER
from cloud_core.tenants.postgres import PostgresTenants
from nearside.sealing import KeyRing, make_node_key
from tests.postgres import Database


def settings_on(
    given: Database, folder: Path, *, connections: int = 10, with_owner: bool = True, as_owner: bool = False
) -> CoreSettings:
    """As two logins: one that serves, one that owns the tables and may be left out; or as the owner alone."""
    owner = {"owner_url": given.owner_url, "owner_password_file": given.password_file} if with_owner else {}
    url = given.owner_url if as_owner else given.url
    database = {"url": url, "password_file": given.password_file, "connections": connections, **owner}
    return CoreSettings.model_validate(
        {"data": folder / "data", "node_key": folder / "node.key", "database": database, "nats": {"mode": "off"}}
    )


def tenants_on(
    given: Database, folder: Path, *, connections: int = 10, with_owner: bool = True, as_owner: bool = False
) -> PostgresTenants:
    settings = settings_on(given, folder, connections=connections, with_owner=with_owner, as_owner=as_owner)
    make_node_key(settings.node_key, settings.data)
    return open_postgres(settings, KeyRing(settings.node_key, KEY_OWNER))
