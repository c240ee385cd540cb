"""One folder per tenant, `<data>/tenants/<id>/`: `core.db` (SQLCipher) and `tenant.key`, its wrapped key."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import sqlite_utils

from nearside.database import Connection, Migration, migrate, open_database
from nearside.errors import NearsideError
from nearside.ids import is_name
from nearside.sealing import KeyRing

KEY_FILE = "tenant.key"
KEY_OWNER = "core"
"""Keys are bound to this word and not to the core's name in the settings, which may change."""


class TenantUnknown(NearsideError):
    pass


def m001_tenant(database: sqlite_utils.Database) -> None:
    database.table("tenant").create({"id": str, "name": str, "created_at": str}, pk="id", not_null={"name"})


MIGRATIONS: Sequence[Migration] = (m001_tenant,)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Tenant:
    """Only `Tenants` makes these. The same tenant is the same object while it exists."""

    id: str
    name: str
    created_at: str
    folder: Path
    _key: bytes = field(repr=False)

    def connect(self, *, read_only: bool = False) -> Connection:
        """A new connection to the tenant's `core.db`, for one thread at a time."""
        return open_database(self.folder / "core.db", self._key, read_only=read_only)


class Tenants:
    """`rooms`: the migrations of each room that keeps tables in a tenant's file, by the room's name."""

    def __init__(self, data: Path, keys: KeyRing, rooms: Mapping[str, Sequence[Migration]]) -> None:
        self._folder, self._keys = data / "tenants", keys
        self._rooms = {"tenants": MIGRATIONS, **rooms}
        self._open: dict[str, tuple[int, Tenant]] = {}

    def add(self, tenant_id: str, name: str) -> Tenant:
        """Raises NearsideError where the id is malformed or taken."""
        if not is_name(tenant_id):
            raise NearsideError(f"{tenant_id!r} is no tenant id", hint="2 to 32 of a-z, 0-9 and -, a letter first")
        if not name.strip():
            raise NearsideError("a tenant needs a name", hint="give --name")
        if self._is_complete(tenant_id):
            raise NearsideError(f"tenant {tenant_id} is there already", hint="see `cloud-core tenant list`")
        folder = self._folder / tenant_id
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = self._migrated(folder, self._keys.tenant_key(folder, tenant_id))
        try:
            row = (tenant_id, name.strip(), datetime.now(UTC).isoformat(timespec="seconds"))
            connection.execute("INSERT INTO tenant VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row)
        finally:
            connection.close()
        return self.get(tenant_id)

    def get(self, tenant_id: str) -> Tenant:
        """Looks at the folder each time, so what another program added or removed is seen at once."""
        age = self._age(tenant_id)
        if age is None:
            self._open.pop(tenant_id, None)
            raise TenantUnknown(f"no tenant {tenant_id!r}" if is_name(tenant_id) else "no such tenant")
        known = self._open.get(tenant_id)
        if known is None or known[0] != age:
            known = self._open[tenant_id] = (age, self._load(tenant_id))
        return known[1]

    def all(self) -> list[Tenant]:
        names = sorted(os.listdir(self._folder)) if self._folder.is_dir() else []
        return [self.get(name) for name in names if self._is_complete(name)]

    def _is_complete(self, tenant_id: str) -> bool:
        """A tenant whose adding was interrupted is not, and can be added again."""
        try:
            return bool(self.get(tenant_id))
        except TenantUnknown:
            return False

    def _age(self, tenant_id: str) -> int | None:
        """When the tenant's key was written, in ns; None where there is no such tenant."""
        if not is_name(tenant_id):
            return None
        try:
            return (self._folder / tenant_id / KEY_FILE).stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def _load(self, tenant_id: str) -> Tenant:
        folder = self._folder / tenant_id
        key = self._keys.tenant_key(folder, tenant_id)
        connection = self._migrated(folder, key)
        try:
            row = connection.execute("SELECT name, created_at FROM tenant WHERE id = ?", (tenant_id,)).fetchone()
        finally:
            connection.close()
        if row is None:
            raise TenantUnknown(
                f"tenant {tenant_id} is not complete", hint=f"cloud-core tenant add {tenant_id} --name …"
            )
        return Tenant(tenant_id, row[0], row[1], folder, key)

    def _migrated(self, folder: Path, key: bytes) -> Connection:
        path = folder / "core.db"
        connection = open_database(path, key)
        for room, migrations in self._rooms.items():
            migrate(connection, migrations, path, room=room)
        return connection
