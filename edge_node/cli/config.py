"""Which edge.toml a command works on."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nearside.errors import SettingsError
from nearside.terminal import ConfigFile

if TYPE_CHECKING:
    from edge_node.settings import EdgeSettings

FILE = ConfigFile("edge-node", "edge.toml", "NEARSIDE_EDGE_CONFIG")
Config = Annotated[Path | None, FILE.option()]
TenantOption = Annotated[str | None, typer.Option("--tenant", metavar="ID", help="Needed where there are several.")]
AnyTenant = Annotated[str | None, typer.Option("--tenant", metavar="ID", help="One company; otherwise all of them.")]
Rows = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many of each company.")]


def load(given: Path | None) -> "EdgeSettings":
    from edge_node import settings

    return settings.load(FILE.find(given))


def ask(given: Path | None, operation: str, progress: Callable[[Any], None] | None = None, **arguments: Any) -> Any:
    """What the operation gives back, from the edge that runs or, where none does, from its files."""
    from edge_node.control import client

    return client.ask(load(given), operation, arguments, progress or client.ignore)


def one_tenant(settings: "EdgeSettings", given: str | None) -> str:
    """The tenant a command is about: the one named, or the only one there is."""
    known = ", ".join(settings.tenants)
    if given is None and len(settings.tenants) == 1:
        return next(iter(settings.tenants))
    if not settings.tenants:
        raise SettingsError("no tenant yet", where="edge.toml", hint="add [tenants.ID] with its content folder")
    if given is None:
        raise SettingsError("which tenant?", where=f"edge.toml has {known}", hint="give --tenant ID")
    if given not in settings.tenants:
        raise SettingsError(f"no tenant {given}", where=f"edge.toml has {known}", hint="add [tenants.…] to edge.toml")
    return given
