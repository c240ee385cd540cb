"""One folder per tenant, `<data>/tenants/<id>/`: `core.db` (SQLCipher) and `tenant.key`, its wrapped key."""

import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import sqlite_utils

from cloud_core.tenants.rekeying import rekey
from nearside.database import Connection, Migration, copy_database, migrate, open_database
from nearside.errors import NearsideError, StorageError
from nearside.ids import is_name
from nearside.sealing import TENANT_KEY, KeyRing, sync_folder

if TYPE_CHECKING:
    from cloud_core.database import TenantDatabase

FILE = "core.db"
KEY_OWNER = "core"
"""Keys are bound to this word and not to the core's name in the settings, which may change."""


class TenantUnknown(NearsideError):
    pass


def m001_tenant(database: sqlite_utils.Database) -> None:
    database.table("tenant").create({"id": str, "name": str, "created_at": str}, pk="id", not_null={"name"})


MIGRATIONS: Sequence[Migration] = (m001_tenant,)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Tenant:
    """Only a `Registry` makes these. The same tenant is the same object while it exists.

    `database`: its part of the PostgreSQL; None where it has a file.
    """

    id: str
    name: str
    created_at: str
    folder: Path
    _key: bytes = field(repr=False)
    database: "TenantDatabase | None" = field(default=None, repr=False)

    def connect(self, *, read_only: bool = False) -> Connection:
        """A new connection to the tenant's `core.db`, for one thread at a time. Raises TenantUnknown once removed."""
        return open_database(self._file(), self._key, read_only=read_only)

    def copy(self, target: Path, counts: Mapping[str, str]) -> dict[str, int]:
        """As `copy_database`, of its file. Raises TenantUnknown once removed."""
        return copy_database(self._file(), self._key, target, counts)

    def _file(self) -> Path:
        if self.database is not None:
            raise StorageError(f"{self.id} has no file, this core is on PostgreSQL", where=self.database.where)
        if not (self.folder / FILE).exists():
            raise TenantUnknown(f"no tenant {self.id!r}")
        return self.folder / FILE

    def is_the_same_as(self, other: "Tenant") -> bool:
        """Read again, it would be this one."""
        return (self.id, self.name, self.created_at, self._key) == (other.id, other.name, other.created_at, other._key)


class Registry(Protocol):
    """Which companies there are. What another program adds or removes is seen at once. Every method may block."""

    def add(self, tenant_id: str, name: str) -> Tenant:
        """Raises NearsideError where the id is malformed or taken."""

    def get(self, tenant_id: str) -> Tenant:
        """Raises TenantUnknown."""

    def remove(self, tenant_id: str) -> None:
        """Destroy the tenant's key, and with it the data; then the rest. Raises TenantUnknown."""

    def folder_of(self, tenant_id: str) -> Path:
        """For files of its that this machine keeps. Raises TenantUnknown."""

    def rotate_node_key(self) -> int:
        """Put every tenant's key under a new node key; how many. Those who serve read the keys anew."""

    def rekey(self, tenant_id: str) -> None:
        """Put the tenant's data under a new key."""

    def retired(self) -> list[Tenant]:
        """Tenants handed out by `get` that have been removed or replaced since, each once."""

    def keyless(self) -> list[str]:
        """What is left of tenants that were removed half way, or whose key was lost."""

    def ids(self) -> list[str]:
        """In order; also of tenants that do not open."""

    def all(self) -> list[Tenant]:
        """Raises StorageError where one does not open."""


class Tenants:
    """A `Registry` of files.

    `rooms`: the migrations of each room that keeps tables in a tenant's file, by the room's name. Thread-safe.
    """

    def __init__(self, data: Path, keys: KeyRing, rooms: Mapping[str, Sequence[Migration]]) -> None:
        self._folder, self._keys = data / "tenants", keys
        self._rooms = {"tenants": MIGRATIONS, **rooms}
        self._open: dict[str, tuple[int, Tenant]] = {}
        self._gone: list[Tenant] = []
        self._lock = threading.RLock()

    def add(self, tenant_id: str, name: str) -> Tenant:
        """Raises NearsideError where the id is malformed or taken."""
        refuse_malformed(tenant_id, name)
        if self._is_complete(tenant_id):
            raise already_there(tenant_id)
        folder = self._folder / tenant_id
        if tenant_id in self.keyless():
            hint = f"cloud-core tenant remove {tenant_id}, or restore its {TENANT_KEY} from the backup"
            raise NearsideError(f"what is left of a tenant {tenant_id} is there", where=str(folder), hint=hint)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection, _ = self._migrated(folder, tenant_id)
        try:
            row = (tenant_id, name.strip(), datetime.now(UTC).isoformat(timespec="seconds"))
            connection.execute("INSERT INTO tenant VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row)
        finally:
            connection.close()
        return self.get(tenant_id)

    def get(self, tenant_id: str) -> Tenant:
        """Looks at the folder each time, so what another program added or removed is seen at once."""
        with self._lock:
            return self._get(tenant_id)

    def _get(self, tenant_id: str) -> Tenant:
        age = self._age(tenant_id)
        if age is None:
            self._retire(tenant_id)
            what = f"no tenant {tenant_id!r}" if is_name(tenant_id) else "no such tenant"
            raise TenantUnknown(what, hint="see `cloud-core tenant list`")
        known = self._open.get(tenant_id)
        if known is not None and known[0] == age:
            return known[1]
        tenant = self._load(tenant_id)
        if known is not None and known[1].is_the_same_as(tenant):  # its key was only put under another node key
            tenant = known[1]
        else:
            self._retire(tenant_id)
        self._open[tenant_id] = (age, tenant)
        return tenant

    def remove(self, tenant_id: str) -> None:
        """Destroy the tenant's key, and with it the data; then the files. Safe to repeat after a crash.

        Raises TenantUnknown where nothing is left of such a tenant.
        """
        folder = self.folder_of(tenant_id)
        self._keys.destroy(folder)
        shutil.rmtree(folder)
        sync_folder(self._folder)

    def wrapped_keys(self, tenants: Sequence[Tenant]) -> tuple[bytes, dict[str, bytes]]:
        """The node's key, and by tenant what a `tenant.key` under it holds: for a copy of their files elsewhere."""
        while True:
            node_key = self._keys.node_key
            wrapped = {tenant.id: self._keys.wrapped(tenant._key, tenant.id) for tenant in tenants}
            if node_key == self._keys.node_key:  # else it was exchanged meanwhile
                return node_key, wrapped

    def folder_of(self, tenant_id: str) -> Path:
        """Also of a tenant that does not open, or was removed half way. Raises TenantUnknown."""
        folder = self._folder / tenant_id
        if not is_name(tenant_id) or not folder.is_dir():
            raise TenantUnknown(f"no tenant {tenant_id!r}", hint="see `cloud-core tenant list`")
        return folder

    def rekey(self, tenant_id: str) -> None:
        """Put the tenant's file under a new key. Safe to repeat: what a crash cut short is ended first.

        Raises StorageError where another program has it open. Whoever holds the `Tenant` from before needs a new one.
        """
        tenant = self.get(tenant_id)
        rekey(tenant.folder / FILE, tenant._key, self._keys.begin_rekey(tenant.folder, tenant_id))
        self._keys.finish_rekey(tenant.folder)

    def rotate_node_key(self) -> int:
        """Put every tenant's key under a new node key; how many. Those who serve read the keys anew."""
        return self._keys.rotate_node_key(self._folder.parent)

    def retired(self) -> list[Tenant]:
        """Tenants handed out by `get` that have been removed or replaced since, each once."""
        with self._lock:
            for tenant_id in [known for known in self._open if self._age(known) is None]:
                self._retire(tenant_id)
            gone, self._gone = self._gone, []
        return gone

    def keyless(self) -> list[str]:
        """What is left of tenants that were removed half way, or whose key was lost."""
        names = sorted(os.listdir(self._folder)) if self._folder.is_dir() else []
        return [name for name in names if (self._folder / name / FILE).exists() and self._age(name) is None]

    def ids(self) -> list[str]:
        """In order; also of tenants that do not open."""
        names = sorted(os.listdir(self._folder)) if self._folder.is_dir() else []
        return [name for name in names if self._age(name) is not None]

    def all(self) -> list[Tenant]:
        """Raises StorageError where one does not open."""
        return [self.get(name) for name in self.ids() if self._is_complete(name)]

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
            return (self._folder / tenant_id / TENANT_KEY).stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def _retire(self, tenant_id: str) -> None:
        if (known := self._open.pop(tenant_id, None)) is not None:
            self._gone.append(known[1])

    def _load(self, tenant_id: str) -> Tenant:
        folder = self._folder / tenant_id
        connection, key = self._migrated(folder, tenant_id)
        try:
            row = connection.execute("SELECT name, created_at FROM tenant WHERE id = ?", (tenant_id,)).fetchone()
        finally:
            connection.close()
        if row is None:
            raise TenantUnknown(
                f"tenant {tenant_id} is not complete", hint=f"cloud-core tenant add {tenant_id} --name …"
            )
        return Tenant(tenant_id, row[0], row[1], folder, key)

    def _migrated(self, folder: Path, tenant_id: str) -> tuple[Connection, bytes]:
        """The file and the key that it is under, which is the pending one where a re-keying was cut short."""
        path, keys = folder / FILE, self._keys.tenant_keys(folder, tenant_id)
        connection, key = _opened(path, keys)
        with ExitStack() as on_failure:
            on_failure.callback(connection.close)
            if len(keys) > 1:
                self._keys.settle(folder, tenant_id, key)
            for room, migrations in self._rooms.items():
                migrate(connection, migrations, path, room=room)
            on_failure.pop_all()
        return connection, key


def refuse_malformed(tenant_id: str, name: str) -> None:
    if not is_name(tenant_id):
        raise NearsideError(f"{tenant_id!r} is no tenant id", hint="2 to 32 of a-z, 0-9 and -, a letter first")
    if not name.strip():
        raise NearsideError("a tenant needs a name", hint="give --name")


def already_there(tenant_id: str) -> NearsideError:
    return NearsideError(f"tenant {tenant_id} is there already", hint="see `cloud-core tenant list`")


def _opened(path: Path, keys: Sequence[bytes]) -> tuple[Connection, bytes]:
    *others, last = keys
    for key in others:
        with suppress(StorageError):
            return open_database(path, key), key
    return open_database(path, last), last
