"""Tables, made and changed under one lock, so that cores which start together do not meet."""

from collections.abc import Callable, Mapping, Sequence

import psycopg
from psycopg import errors, sql

from cloud_core.database.pool import Connection, Database
from nearside.errors import StorageError

SHARED = "nearside"
LOCK = 0x6E_65_61_72_73_69_64_65
"""Of `pg_advisory_xact_lock`: "nearside" in ASCII."""
LONGEST = "30min"
RECORDS = """
CREATE TABLE IF NOT EXISTS {schema}.migrations (
    room text NOT NULL, number integer NOT NULL, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (room, number)
)
"""
OWN = "current_setting('nearside.tenant', true)"
Migration = Callable[[Connection], object]
Rooms = Mapping[str, Sequence[Migration]]
"""By the name of a room its migrations, oldest first; they find `search_path` at the schema they are for."""


def schema_of(tenant_id: str) -> str:
    return f"tenant_{tenant_id}"


def prepare(database: Database, schema: str, rooms: Rooms, serving: str, read_only: Sequence[str] = ()) -> int:
    """Make the schema and bring its tables up to date, all or nothing; how many migrations were new.

    The login must own the schema, or may create it. `serving` may then work on the rows, and change no table;
    those that are named in `read_only` it may only read.
    Raises StorageError where it may not, or the schema is newer than this program.
    """
    name = sql.Identifier(schema)
    with database.transaction({"statement_timeout": LONGEST, "lock_timeout": "60s"}) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        if not _exists(connection, schema):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        connection.execute(sql.SQL(RECORDS).format(schema=name))
        connection.execute(
            sql.SQL("SELECT set_config('search_path', {}, true)").format(sql.Literal(f'"{schema}", public'))
        )
        new = sum(_apply(connection, name, room, migrations, database) for room, migrations in rooms.items())
        _grant(connection, name, serving, read_only)
    return new


def is_current(database: Database, schema: str, rooms: Rooms) -> bool:
    """Whether every table is there. Raises StorageError where one is newer than this program."""
    found = applied(database, schema)
    for room, migrations in rooms.items():
        _refuse_newer(found.get(room, 0), len(migrations), room, database)
    return all(found.get(room, 0) == len(migrations) for room, migrations in rooms.items())


def applied(database: Database, schema: str) -> dict[str, int]:
    """The newest migration by room; empty where there is nothing yet."""
    query = sql.SQL("SELECT room, max(number) FROM {}.migrations GROUP BY room").format(sql.Identifier(schema))
    with database.borrowed() as connection:
        try:
            return {str(room): int(number) for room, number in connection.execute(query)}
        except (errors.UndefinedTable, errors.InvalidSchemaName, errors.InsufficientPrivilege):
            return {}


def protect(connection: Connection, table: str, column: str) -> None:
    """Rows of `table` are seen and written only by the company that stands in `column`; its owner is held to it too."""
    for statement in (
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        "CREATE POLICY own ON {table} USING ({column} = " + OWN + ") WITH CHECK ({column} = " + OWN + ")",
    ):
        connection.execute(sql.SQL(statement).format(table=sql.Identifier(table), column=sql.Identifier(column)))


def _apply(
    connection: Connection, schema: sql.Identifier, room: str, migrations: Sequence[Migration], database: Database
) -> int:
    query = sql.SQL("SELECT coalesce(max(number), 0) FROM {}.migrations WHERE room = %s").format(schema)
    row = connection.execute(query, (room,)).fetchone()
    done = int(row[0]) if row else 0
    _refuse_newer(done, len(migrations), room, database)
    record = sql.SQL("INSERT INTO {}.migrations (room, number, name) VALUES (%s, %s, %s)").format(schema)
    for number, migration in enumerate(migrations[done:], start=done + 1):
        migration(connection)
        connection.execute(record, (room, number, migration.__name__))
    return len(migrations) - done


def _refuse_newer(found: int, known: int, room: str, database: Database) -> None:
    if found > known:
        what = f"schema {found} of {room!r} in PostgreSQL is newer than this program's {known}"
        raise StorageError(what, where=database.login.where, hint="install the newer release again")


def _grant(connection: Connection, schema: sql.Identifier, serving: str, read_only: Sequence[str]) -> None:
    row = connection.execute("SELECT current_user").fetchone()
    if not serving or (row and row[0] == serving):
        return
    role = sql.Identifier(serving)
    for statement in (
        "GRANT USAGE ON SCHEMA {schema} TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    ):
        connection.execute(sql.SQL(statement).format(schema=schema, role=role))
    revoke = sql.SQL("REVOKE INSERT, UPDATE, DELETE ON {schema}.{table} FROM {role}")
    for table in ("migrations", *read_only):
        connection.execute(revoke.format(schema=schema, table=sql.Identifier(table), role=role))


def _exists(connection: psycopg.Connection, schema: str) -> bool:
    """Asked first: `CREATE SCHEMA IF NOT EXISTS` needs the right to create one even where it is there."""
    return bool(connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone())
