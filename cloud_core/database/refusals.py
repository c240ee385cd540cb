"""What PostgreSQL refuses, in one line. Never its own detail, which may quote a row."""

import re

import psycopg
from psycopg import errors

from nearside.errors import StorageError

HINTS: dict[type[psycopg.Error], str] = {
    errors.InsufficientPrivilege: "let its owner run `cloud-core database prepare`",
    errors.UndefinedTable: "run `cloud-core database prepare`",
    errors.InvalidSchemaName: "run `cloud-core database prepare`",
    errors.DiskFull: "make room on its disk",
    errors.TooManyConnections: "lower database.connections, or raise its max_connections",
    errors.ReadOnlySqlTransaction: "database.url names a standby: name the primary",
    errors.QueryCanceled: "try again; see what keeps it busy",
    errors.LockNotAvailable: "try again; see what keeps it busy",
}
AT_THE_DOOR = (
    ("password authentication failed", "correct database.password_file"),
    ("no password supplied", "name database.password_file, or set PGPASSFILE"),
    ("no pg_hba.conf entry", "let this machine in, in its pg_hba.conf"),
    ("does not exist", "create it, or correct database.url"),
    ("does not support SSL", "let it speak TLS 1.3"),
    ("certificate", "name its authority in database.url: ?sslrootcert=FILE"),
    ("too many", "lower database.connections, or raise its max_connections"),
)
AWAY = "start it, or correct database.url"
ENDED = ("08", "57P0")
"""Beginnings of the codes that come with the end of a connection."""


def not_connected(error: psycopg.OperationalError, where: str) -> StorageError:
    reason = re.sub(r"\s+", " ", str(error).strip().splitlines()[0]).rpartition("failed: ")[2]
    reason = re.sub(r"^FATAL: ", "", reason).strip()
    hint = next((hint for sign, hint in AT_THE_DOOR if sign in reason), AWAY)
    return StorageError(f"PostgreSQL does not let the core in ({reason})", where=where, hint=hint)


def refused(error: psycopg.Error, where: str) -> StorageError:
    if error.sqlstate is None or error.sqlstate.startswith(ENDED):
        return StorageError(f"PostgreSQL went away ({type(error).__name__})", where=where, hint=AWAY)
    hint = next((hint for kind, hint in HINTS.items() if isinstance(error, kind)), "see the server's log")
    return StorageError(f"PostgreSQL refuses ({type(error).__name__}, {error.sqlstate})", where=where, hint=hint)
