"""`cloud-core kb migrate`: from files to PostgreSQL."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloud_core.cli.config import Config, load
from cloud_core.cli.progress import progress
from nearside import terminal
from nearside.errors import NearsideError
from nearside.ownership import FolderInUse, sole_owner
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.settings import CoreSettings
    from cloud_core.tenants import Tenant
    from nearside.encoder import TextEncoder


def add_to(group: typer.Typer) -> None:
    group.command("migrate")(migrate)


def migrate(
    to: Annotated[str, typer.Option("--to", metavar="URL", help="postgresql://OWNER@HOST/DATABASE, without password.")],
    password_file: Annotated[Path | None, typer.Option(metavar="FILE", help="That login's password.")] = None,
    tenant: Annotated[list[str] | None, typer.Option("--tenant", "-t", help="Only this one; may be repeated.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Copy companies with turns and knowledge into PostgreSQL, while the core is stopped.

    The login owns the tables. The files stay as they are. An interrupted one is repeated and goes on.
    """
    settings = load(config)
    try:
        with sole_owner(settings.data, "core"):
            rows = _move(settings, to, password_file, tenant or [], quiet=as_json)
    except FolderInUse:
        raise NearsideError("the core serves", where=str(settings.data), hint="stop it first") from None
    columns = {"tenant": "Company", "passages": "Passages", "turns": "Turns", "searches": "Searches that agree"}
    terminal.show_rows(rows, columns, as_json=as_json, empty="no company")
    if not as_json:
        typer.echo("now set database.url in core.toml, see `cloud-core check`; the files below data/tenants stay")


def _move(
    settings: "CoreSettings", to: str, password_file: Path | None, only: list[str], *, quiet: bool
) -> list[dict[str, object]]:
    from cloud_core.app import open_postgres, open_tenants
    from cloud_core.backups.moving import move
    from cloud_core.settings import Database
    from cloud_core.tenants import KEY_OWNER
    from nearside.encoder import TextEncoder
    from nearside.sealing import KeyRing

    if settings.database.url:
        raise NearsideError("this core is on PostgreSQL already", where="database.url")
    given = settings.model_copy(update={"database": Database(url=to, password_file=password_file)})
    source, target = open_tenants(settings), open_postgres(given, KeyRing(settings.node_key, KEY_OWNER))
    encoder, rows = TextEncoder(), list[dict[str, object]]()
    with progress(quiet=quiet) as advance:
        for tenant in [source.get(tenant_id) for tenant_id in only] or source.all():
            adopted = target.adopt(tenant)
            assert adopted.database is not None
            counts = move(tenant, adopted.database, advance)
            rows.append({"tenant": tenant.id, **counts, "searches": _searches(tenant, adopted, encoder)})
    target.close()
    return rows


def _searches(tenant: "Tenant", adopted: "Tenant", encoder: "TextEncoder") -> str:
    from cloud_core.app import open_store
    from cloud_core.backups.moving import agreeing, sample
    from cloud_core.knowledge.base import KnowledgeBase

    here, there = open_store(tenant), open_store(adopted)
    with closing(here), closing(there):
        questions = sample(here)
        same = agreeing(KnowledgeBase(here, encoder), KnowledgeBase(there, encoder), questions)
    return f"{same} of {len(questions)}"
