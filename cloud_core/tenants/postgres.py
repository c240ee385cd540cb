"""The companies of a core on PostgreSQL: shared tables, and a schema for each company's own.

Which companies there are, every core sees; a wrapped key, only a transaction that names its company.
"""

import os
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from psycopg import sql

from cloud_core.database import (
    SHARED,
    Connection,
    Database,
    Migration,
    Rooms,
    Seal,
    TenantDatabase,
    is_current,
    prepare,
    protect,
    schema_of,
)
from cloud_core.tenants.registry import Tenant, TenantUnknown, already_there, refuse_malformed
from nearside.errors import NearsideError, StorageError
from nearside.ids import is_name
from nearside.sealing import KEY_BYTES, KeyRing, Rewrap

OWNERS_ALONE = ("tenants", "tenant_keys")
"""The serving login reads these and changes nothing in them."""
FIND = f"SELECT name, created_at, incarnation FROM {SHARED}.tenants WHERE id = %s"  # noqa: S608  our own names
ADD = f"INSERT INTO {SHARED}.tenants (id, name, created_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"  # noqa: S608
ADD_KEY = f"INSERT INTO {SHARED}.tenant_keys (tenant_id, wrapped) VALUES (%s, %s)"  # noqa: S608
KEY = f"SELECT wrapped FROM {SHARED}.tenant_keys WHERE tenant_id = %s"  # noqa: S608
CHANGE_KEY = f"UPDATE {SHARED}.tenant_keys SET wrapped = %s WHERE tenant_id = %s"  # noqa: S608


def m001_tenants(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE tenants (id text PRIMARY KEY, name text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),"
        " incarnation uuid NOT NULL DEFAULT gen_random_uuid())"
    )
    connection.execute(
        "CREATE TABLE tenant_keys (tenant_id text PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,"
        " wrapped bytea NOT NULL)"
    )
    protect(connection, "tenants", "id")
    protect(connection, "tenant_keys", "tenant_id")
    connection.execute("CREATE POLICY listed ON tenants FOR SELECT USING (true)")


MIGRATIONS: tuple[Migration, ...] = (m001_tenants,)


class PostgresTenants:
    """A `Registry`. `owner` may make tables, `database` need not; `own`: the rooms that keep tables for each company.

    Tables that are not there, or of an older release, are made on the way if `owner` may. Thread-safe.
    """

    def __init__(
        self, data: Path, keys: KeyRing, database: Database, owner: Database, *, shared: Rooms, own: Rooms
    ) -> None:
        self._folder, self._keys, self._database, self._owner = data / "tenants", keys, database, owner
        self._shared, self._own = {"tenants": MIGRATIONS, **shared}, own
        self._open: dict[str, tuple[UUID, Tenant]] = {}
        self._gone: list[Tenant] = []
        self._lock = threading.Lock()

    def make_ready(self) -> None:
        """Raises StorageError where tables are missing or old and may not be made from here, or are newer."""
        self._made(SHARED, self._shared)

    def prepare(self) -> int:
        """Bring all tables and rights up to date; how many migrations were new."""
        new = self._prepare(SHARED, self._shared)
        return new + sum(self._prepare(schema_of(tenant_id), self._own) for tenant_id in self.ids())

    def add(self, tenant_id: str, name: str) -> Tenant:
        """Raises NearsideError where the id is malformed or taken."""
        refuse_malformed(tenant_id, name)
        self._put(tenant_id, name.strip(), datetime.now(UTC).isoformat(timespec="seconds"), os.urandom(KEY_BYTES))
        return self.get(tenant_id)

    def adopt(self, tenant: Tenant) -> Tenant:
        """A company that a core had in files, under the key it has. Safe to repeat.

        Raises NearsideError where the id is another company's.
        """
        if self._found(tenant.id) is None:
            self._put(tenant.id, tenant.name, tenant.created_at, tenant._key)
        if not (adopted := self.get(tenant.id)).is_the_same_as(tenant):
            raise already_there(tenant.id)
        return adopted

    def get(self, tenant_id: str) -> Tenant:
        """Asks the database each time, so what another core added or removed is seen at once."""
        found = self._found(tenant_id) if is_name(tenant_id) else None
        with self._lock:
            known = self._open.get(tenant_id)
            if found is not None and known is not None and known[0] == found[2]:
                return known[1]
            self._retire(tenant_id)
            if found is None:
                raise TenantUnknown(f"no tenant {tenant_id!r}" if is_name(tenant_id) else "no such tenant")
            tenant = self._load(tenant_id, found[0], found[1])
            self._open[tenant_id] = (found[2], tenant)
            return tenant

    def remove(self, tenant_id: str) -> None:
        """The key, the data and the schema at once, all or nothing; then what this machine has of it."""
        folder = self.folder_of(tenant_id)
        with self._owner.transaction({"nearside.tenant": tenant_id}) as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema_of(tenant_id))))
            connection.execute(f"DELETE FROM {SHARED}.tenants WHERE id = %s", (tenant_id,))  # noqa: S608  our own
        with self._owner.borrowed() as connection:
            connection.execute(f"VACUUM (FULL) {SHARED}.tenant_keys")  # a deleted row stays in its page until then
        shutil.rmtree(folder, ignore_errors=True)

    def folder_of(self, tenant_id: str) -> Path:
        if not is_name(tenant_id) or self._found(tenant_id) is None:
            raise TenantUnknown(f"no tenant {tenant_id!r}", hint="see `cloud-core tenant list`")
        return self._folder / tenant_id

    def rotate_node_key(self) -> int:
        return self._keys.rotate_node_key(self._folder.parent, self._rewrap)

    def rekey(self, tenant_id: str) -> None:
        raise NearsideError(
            "a company's key cannot be exchanged on PostgreSQL", where=tenant_id, hint="use `keys rotate --node-only`"
        )

    def retired(self) -> list[Tenant]:
        present = self._listed()
        with self._lock:
            for tenant_id in [name for name, known in self._open.items() if present.get(name) != known[0]]:
                self._retire(tenant_id)
            gone, self._gone = self._gone, []
        return gone

    def keyless(self) -> list[str]:
        """None: a key and what is under it come and go together."""
        return []

    def ids(self) -> list[str]:
        return sorted(self._listed())

    def all(self) -> list[Tenant]:
        return [self.get(tenant_id) for tenant_id in self.ids()]

    def close(self) -> None:
        self._database.close()
        self._owner.close()

    def _put(self, tenant_id: str, name: str, created_at: str, key: bytes) -> None:
        if self._found(tenant_id) is not None:
            raise already_there(tenant_id)
        self._prepare(schema_of(tenant_id), self._own)
        with self._owner.transaction({"nearside.tenant": tenant_id}) as connection:
            if not connection.execute(ADD, (tenant_id, name, created_at)).rowcount:
                raise already_there(tenant_id)
            connection.execute(ADD_KEY, (tenant_id, self._keys.wrapped(key, tenant_id)))

    def _found(self, tenant_id: str) -> tuple[str, datetime, UUID] | None:
        with self._database.borrowed() as connection:
            row = connection.execute(FIND, (tenant_id,)).fetchone()
        return (row[0], row[1], row[2]) if row else None

    def _listed(self) -> dict[str, UUID]:
        with self._database.borrowed() as connection:
            rows = connection.execute(f"SELECT id, incarnation FROM {SHARED}.tenants").fetchall()  # noqa: S608
        return {str(tenant_id): incarnation for tenant_id, incarnation in rows}

    def _load(self, tenant_id: str, name: str, created_at: datetime) -> Tenant:
        self._made(schema_of(tenant_id), self._own)
        where = self._database.login.where
        with self._database.transaction({"nearside.tenant": tenant_id}) as connection:
            row = connection.execute(KEY, (tenant_id,)).fetchone()
        if row is None:
            raise StorageError(f"the key of {tenant_id} is gone", where=where, hint="restore a backup")
        key = self._keys.unwrapped(row[0], tenant_id, where)
        since = created_at.astimezone(UTC).isoformat(timespec="seconds")
        own = TenantDatabase(tenant_id, Seal(key, tenant_id), self._database)
        return Tenant(tenant_id, name, since, self._folder / tenant_id, key, own)

    def _rewrap(self, rewrap: Rewrap) -> int:
        ids = self.ids()
        with self._owner.transaction() as connection:
            for tenant_id in ids:
                connection.execute("SELECT set_config('nearside.tenant', %s, true)", (tenant_id,))
                row = connection.execute(KEY + " FOR UPDATE", (tenant_id,)).fetchone()
                if row is not None:
                    connection.execute(CHANGE_KEY, (rewrap(tenant_id, row[0]), tenant_id))
        return len(ids)

    def _made(self, schema: str, rooms: Rooms) -> None:
        if not is_current(self._database, schema, rooms):
            self._prepare(schema, rooms)

    def _prepare(self, schema: str, rooms: Rooms) -> int:
        read_only = OWNERS_ALONE if schema == SHARED else ()
        return prepare(self._owner, schema, rooms, self._database.login.user, read_only)

    def _retire(self, tenant_id: str) -> None:
        if (known := self._open.pop(tenant_id, None)) is not None:
            self._gone.append(known[1])
