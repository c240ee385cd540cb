"""Which core.toml a command works on."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearside.errors import SettingsError

if TYPE_CHECKING:
    from cloud_core.settings import CoreSettings

VARIABLE = "NEARSIDE_CORE_CONFIG"
SYSTEM_FILE = Path("/etc/nearside/core.toml")

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        show_default=f"./core.toml, then ${VARIABLE}, then {SYSTEM_FILE}",
        help="The settings file.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def find_config(given: Path | None) -> Path:
    if given is not None:
        return given
    here, variable = Path("core.toml"), os.environ.get(VARIABLE)
    if here.exists():
        return here
    if variable:
        return Path(variable)
    if SYSTEM_FILE.exists():
        return SYSTEM_FILE
    raise SettingsError(
        "no core.toml",
        where=f"neither here, nor in ${VARIABLE}, nor at {SYSTEM_FILE}",
        hint="give --config FILE, or write one with `cloud-core init DIR`",
    )


def load(given: Path | None) -> "CoreSettings":
    from cloud_core import settings

    return settings.load(find_config(given))
