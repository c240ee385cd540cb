"""The core's state on PostgreSQL: connections, tables, rights and sealed columns.

One database serves several cores. What all companies share stands in the schema `nearside`, under row-level security
that even the tables' owner is held to: a transaction says whose it is (`nearside.tenant`), and one that does not sees
nothing. A company's knowledge has a schema of its own. Whoever imports this room needs the extra "postgres".
"""

from cloud_core.database.migrations import SHARED, Migration, Rooms, is_current, prepare, protect, schema_of
from cloud_core.database.pool import Connection, Database, Login
from cloud_core.database.sealing import Seal
from cloud_core.database.tenancy import TenantDatabase

__all__ = [
    "SHARED",
    "Connection",
    "Database",
    "Login",
    "Migration",
    "Rooms",
    "Seal",
    "TenantDatabase",
    "is_current",
    "prepare",
    "protect",
    "schema_of",
]
