"""One company's part of the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cloud_core.database.migrations import SHARED, schema_of
from cloud_core.database.pool import Connection, Database
from cloud_core.database.sealing import Seal


@dataclass(frozen=True, slots=True)
class TenantDatabase:
    """In its transactions, row-level security shows this company's rows, and unqualified names are its own tables."""

    tenant_id: str
    seal: Seal
    _database: Database

    @property
    def where(self) -> str:
        return self._database.login.where

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """Raises StorageError. `snapshot`: read at one moment, write nothing."""
        path = f'"{schema_of(self.tenant_id)}", {SHARED}, public'
        settings = {"nearside.tenant": self.tenant_id, "search_path": path}
        with self._database.transaction(settings, snapshot=snapshot) as connection:
            yield connection
