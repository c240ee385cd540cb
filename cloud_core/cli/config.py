"""Which core.toml a command works on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nearside.terminal import ConfigFile

if TYPE_CHECKING:
    from cloud_core.settings import CoreSettings

FILE = ConfigFile("cloud-core", "core.toml", "NEARSIDE_CORE_CONFIG")
Config = Annotated[Path | None, FILE.option()]


def load(given: Path | None) -> "CoreSettings":
    from cloud_core import settings

    return settings.load(FILE.find(given))
