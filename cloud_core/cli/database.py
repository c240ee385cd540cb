"""`cloud-core database …`: the PostgreSQL that several cores share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from cloud_core.cli.config import Config, load
from nearside import findings, terminal
from nearside.errors import NearsideError, SettingsError
from nearside.findings import Finding
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.database.inspection import Inspection
    from cloud_core.settings import CoreSettings
    from cloud_core.tenants.postgres import PostgresTenants

group = terminal.make_group("The PostgreSQL on which several cores keep their state.")


@group.command("prepare")
def prepare(config: Config = None, as_json: AsJson = False) -> None:
    """Make the tables or bring them up to date, and let the serving login work on their rows. Safe to repeat."""
    tenants = _open(load(config))
    new = tenants.prepare()
    tenants.close()
    if as_json:
        terminal.show_json({"migrations": new})
    else:
        typer.echo(f"{new} new migrations" if new else "everything is up to date")


@group.command("status")
def status(config: Config = None, as_json: AsJson = False) -> None:
    """Say which server it is, as whom the core comes in, and how many connections there may be."""
    from cloud_core.app import open_database
    from cloud_core.database.inspection import inspect

    settings = load(config)
    if not settings.database.url:
        raise _not_set()
    database, _ = open_database(settings)
    about = inspect(database)
    facts = {
        "where": database.login.where,
        "login": about.user,
        "postgresql": about.version,
        "pgvector": about.vector or "none",
        "tls": "yes" if about.over_tls else "no",
        "connections": settings.database.connections,
    }
    if as_json:
        terminal.show_json(facts)
        return
    for name, value in facts.items():
        typer.echo(f"{name}: {value}")


def look(settings: "CoreSettings") -> Iterator[Finding]:
    """What `check` says of it; nothing where there is none."""
    if not settings.database.url:
        return
    files = (settings.database.password_file, settings.database.owner_password_file)
    yield from findings.of_secrets([file for file in files if file is not None], "write the password into it")
    try:
        from cloud_core.app import open_database
        from cloud_core.database.inspection import inspect

        database, owner = open_database(settings)
        where = database.login.where
        yield from _of_server(inspect(database), where)
        if owner is not database:
            inspect(owner)
    except NearsideError as error:
        yield Finding("error", str(error))


def _of_server(about: "Inspection", where: str) -> Iterator[Finding]:
    from cloud_core.database.inspection import OLDEST

    if about.number < OLDEST:
        yield Finding("error", f"PostgreSQL {about.version} is too old — {where} — install 15 or later")
    if about.is_standby:
        yield Finding("error", f"this is a standby — {where} — name the primary in database.url")
    if about.passes_row_security:
        what = f"{about.user} passes row-level security, so companies are not kept apart"
        yield Finding("error", f"{what} — {where} — make a login that is no superuser and has no BYPASSRLS")
    if not about.vector:
        remedy = "let its owner run CREATE EXTENSION vector" if about.vector_to_make else "install it beside the server"
        yield Finding("error", f"no pgvector in this database — {where} — {remedy}")


def _open(settings: "CoreSettings") -> "PostgresTenants":
    from cloud_core.app import postgres_tenants
    from cloud_core.tenants import KEY_OWNER
    from nearside.sealing import KeyRing

    if not settings.database.url:
        raise _not_set()
    return postgres_tenants(settings, KeyRing(settings.node_key, KEY_OWNER))


def _not_set() -> SettingsError:
    return SettingsError("this core keeps its state in files", where="database.url", hint="name a PostgreSQL")
