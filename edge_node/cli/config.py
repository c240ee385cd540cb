"""Which edge.toml a command works on."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearside.errors import SettingsError

if TYPE_CHECKING:
    from edge_node.settings import EdgeSettings

VARIABLE = "NEARSIDE_EDGE_CONFIG"
SYSTEM_FILE = Path("/etc/nearside/edge.toml")

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        show_default=f"./edge.toml, then ${VARIABLE}, then {SYSTEM_FILE}",
        help="The settings file.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TenantOption = Annotated[str | None, typer.Option("--tenant", metavar="ID", help="Needed where there are several.")]


def find_config(given: Path | None) -> Path:
    if given is not None:
        return given
    here, variable = Path("edge.toml"), os.environ.get(VARIABLE)
    if here.exists():
        return here
    if variable:
        return Path(variable)
    if SYSTEM_FILE.exists():
        return SYSTEM_FILE
    raise SettingsError(
        "no edge.toml",
        where=f"neither here, nor in ${VARIABLE}, nor at {SYSTEM_FILE}",
        hint="give --config FILE, or write one with `edge-node init DIR`",
    )


def load(given: Path | None) -> "EdgeSettings":
    from edge_node import settings

    return settings.load(find_config(given))


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
