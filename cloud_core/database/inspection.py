"""What a login finds on its server, for `check` and `database status`."""

from dataclasses import dataclass

from cloud_core.database.pool import Database

OLDEST = 150_000
"""Of `server_version_num`: PostgreSQL 15."""
ABOUT = """
SELECT current_setting('server_version'), current_setting('server_version_num')::int,
    (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
    (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'),
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
    rolsuper OR rolbypassrls, pg_is_in_recovery(), current_user::text
FROM pg_roles WHERE rolname = current_user
"""


@dataclass(frozen=True, slots=True)
class Inspection:
    """`vector`: pgvector's version in this database, `vector_to_make` the one that could be made; "" without."""

    version: str
    number: int
    vector: str
    vector_to_make: str
    over_tls: bool
    passes_row_security: bool
    is_standby: bool
    user: str


def inspect(database: Database) -> Inspection:
    """Raises StorageError where the server lets nobody in."""
    with database.borrowed() as connection:
        row = connection.execute(ABOUT).fetchone()
    assert row is not None
    version, number, vector, available, *rest = row
    return Inspection(str(version).split()[0], number, vector or "", available or "", *rest)
