"""Which edge.toml a command works on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearside.errors import SettingsError
from nearside.terminal import ConfigFile

if TYPE_CHECKING:
    from edge_node.settings import EdgeSettings

FILE = ConfigFile("edge-node", "edge.toml", "NEARSIDE_EDGE_CONFIG")
Config = Annotated[Path | None, FILE.option()]
TenantOption = Annotated[str | None, typer.Option("--tenant", metavar="ID", help="Needed where there are several.")]


def load(given: Path | None) -> "EdgeSettings":
    from edge_node import settings

    return settings.load(FILE.find(given))


def one_tenant(settings: "EdgeSettings", given: str | None) -> str:
    """The tenant a command is about: the one named, or the only one there is."""
    known = ", ".join(settings.tenants) or "none"
    if given is None and len(settings.tenants) == 1:
        return next(iter(settings.tenants))
    if given is None:
        raise SettingsError("which tenant?", where=f"edge.toml has {known}", hint="give --tenant ID")
    if given not in settings.tenants:
        raise SettingsError(f"no tenant {given}", where=f"edge.toml has {known}", hint="add [tenants.…] to edge.toml")
    return given
