"""What both programs' `init` do: a settings file, the node's key, a data folder. All of it is safe to repeat."""

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import ValidationError

from nearside.errors import SettingsError
from nearside.recovering import show_new_recovery_key
from nearside.sealing import make_node_key, recovery_file
from nearside.settings import Section

S = TypeVar("S", bound=Section)


def named(model: type[S], name: str) -> S:
    """The defaults, under this name. A name the model refuses is wrong use."""
    try:
        return model.model_validate({"name": name})
    except ValidationError as error:
        first = error.errors()[0]
        what = "2 to 32 of a-z, 0-9 and -, a letter first" if first["type"].startswith("string_") else first["msg"]
        raise typer.BadParameter(what, param_hint="'--name'") from None


def write_settings(file: Path, content: str, *, other: str) -> None:
    """Raises SettingsError where the folder is the other program's: they would share data, certificates and key."""
    if (file.parent / other).exists():
        theirs = str(file.parent / other)
        raise SettingsError("the other program lives here", where=theirs, hint="give each a folder of its own")
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        typer.echo(f"wrote {file}")
    elif file.read_text(encoding="utf-8") != content:
        typer.echo(f"left {file} as it is: `init` changes no settings that are there")


def make_place(node_key: Path, data: Path) -> None:
    """Raises StorageError where the data's key is lost. Shows the recovery key if there was none yet."""
    if make_node_key(node_key, data):
        typer.echo(f"wrote {node_key}: without it no company's data opens, a backup holds it")
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    if not recovery_file(node_key).exists():
        show_new_recovery_key(node_key)


def say_who_gets_in(names: Sequence[str], host: str, key: str, file: Path) -> None:
    """A name from outside is of no use while the program listens on loopback."""
    outside = [name for name in names if not _is_loopback(name)]
    if outside and _is_loopback(host):
        typer.echo(f'{", ".join(outside)}: nobody gets in yet, {key} is "{host}" — set it to "0.0.0.0" in {file}')


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
