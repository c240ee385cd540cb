"""Everything that the core has of a tenant, in open formats: a zip of JSON lines for a company that leaves.

Inside: a `.jsonl` file for each `Table` that the rooms hand in, and `manifest.json`, which explains every one.
"""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cloud_core.tenants.registry import Tenant
from nearside import __version__
from nearside.archive import whole_file
from nearside.database import Connection, SqliteError
from nearside.errors import StorageError

FORMAT = "nearside tenant export 1"
MANIFEST = "manifest.json"
LEFT_OUT = (
    "the tenant's key, which opens nothing outside this core",
    "vectors and search indexes, which are computed from the passages",
    "the files that documents were read from, which the core does not keep",
)

Row = Mapping[str, Any]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Table:
    """`name` becomes a file, `fields` explains each key of a row; `rows` reads them in the caller's transaction."""

    name: str
    about: str
    fields: Mapping[str, str]
    count: Callable[[Connection], int]
    rows: Callable[[Connection], Iterator[Row]]


@dataclass(frozen=True, slots=True)
class Written:
    """One file of an export. `sha256` is in hex."""

    path: str
    rows: int
    size: int
    sha256: str
    about: str
    fields: Mapping[str, str] = field(repr=False)


def export(
    tenant: Tenant, tables: Sequence[Table], target: Path, *, force: bool, progress: Progress | None = None
) -> list[Written]:
    """All as it is at one moment, also while the core serves. Raises StorageError; `target` is then as it was."""
    connection = tenant.connect(read_only=True)
    try:
        with whole_file(target, force=force) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            connection.execute("BEGIN")
            written = [_write(bundle, table, connection, progress) for table in tables]
            bundle.writestr(MANIFEST, json.dumps(_manifest(tenant, written), ensure_ascii=False, indent=2))
        return written
    except SqliteError as error:
        where = str(tenant.folder)
        raise StorageError(f"the tenant cannot be read ({error})", where=where, hint="repeat the export") from None
    finally:
        connection.close()


def _write(bundle: zipfile.ZipFile, table: Table, connection: Connection, progress: Progress | None) -> Written:
    total, rows, size, digest = table.count(connection), 0, 0, sha256()
    path = f"{table.name}.jsonl"
    with bundle.open(path, "w", force_zip64=True) as file:
        for row in table.rows(connection):
            line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
            file.write(line)
            digest.update(line)
            rows, size = rows + 1, size + len(line)
            if progress:
                progress(path, rows, total)
    return Written(path, rows, size, digest.hexdigest(), table.about, table.fields)


def _manifest(tenant: Tenant, written: Sequence[Written]) -> Row:
    return {
        "format": FORMAT,
        "version": __version__,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tenant": {"id": tenant.id, "name": tenant.name, "created_at": tenant.created_at},
        "encoding": "UTF-8, one JSON object a line; times are UTC, ISO 8601",
        "files": [asdict(file) for file in written],
        "left_out": LEFT_OUT,
    }
