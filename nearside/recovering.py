"""What both programs' command lines do with the recovery key: show it once, have it typed in again."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from nearside import terminal
from nearside.errors import NearsideError, SettingsError
from nearside.sealing import RecoveryKey, RecoveryPublic, recovery_file

TRIES = 3
LONGEST = 4096
FROM_STDIN = Path("-")
KEY_FILE_HELP = 'A file with the recovery key, "-" for standard input; otherwise it is asked for.'
KeyFile = Annotated[Path | None, typer.Option("--recovery-key-file", metavar="FILE", help=KEY_FILE_HELP)]


def show_new_recovery_key(node_key: Path) -> None:
    """Shown before its public part is written: one that nobody saw must not seal anything. Raises NearsideError."""
    key, file = RecoveryKey.make(), recovery_file(node_key)
    typer.echo(f"recovery key {key.public.id}, shown this once and kept nowhere:\n\n    {key.text}\n")
    typer.echo("write it down and keep it apart from this machine and its backups: it alone opens them")
    sys.stdout.flush()
    try:
        key.public.write(file)
    except OSError as error:
        what = f"the recovery key above counts for nothing: its public part cannot be written ({error.strerror})"
        raise NearsideError(what, where=str(file), hint="correct the owner or the disk space, and repeat") from None
    typer.echo(f"wrote {file}, its public part")


def renew(node_key: Path, program: str, *, replace: bool) -> None:
    """`keys recovery`. Raises NearsideError where there is a recovery key and it is not to be replaced."""
    file = recovery_file(node_key)
    if not node_key.parent.is_dir():
        raise SettingsError("nothing was made here yet", where=str(node_key.parent), hint=f"run `{program} init`")
    if file.exists() and not replace:
        known = RecoveryPublic.read(file, program=program).id
        hint = "if it is lost, make another with --replace; what was backed up before still needs the old one"
        raise NearsideError(f"the recovery key {known} was made and shown already", where=str(file), hint=hint)
    show_new_recovery_key(node_key)


def verify(node_key: Path, program: str, key_file: Path | None) -> None:
    """`keys recovery --verify`. Raises NearsideError where the key that is typed in is another."""
    known, key = RecoveryPublic.read(recovery_file(node_key), program=program), read_key(key_file)
    if key.public != known:
        raise NearsideError(f"this is the recovery key {key.public.id}, backups are made for {known.id}")
    typer.echo(f"this is the recovery key {known.id}: it opens the backups made here since it was shown")


def read_key(file: Path | None) -> RecoveryKey:
    """From a file, from standard input, or typed in unseen. Raises NearsideError."""
    if file is None and sys.stdin.isatty():
        return _typed()
    try:
        content = sys.stdin.read(LONGEST) if file in (None, FROM_STDIN) else _read(file)
    except (OSError, UnicodeDecodeError) as error:
        what = f"the recovery key cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})"
        raise NearsideError(what, where=str(file)) from None
    if not content.strip():
        raise NearsideError("no recovery key came", hint="type it in at a terminal, or give --recovery-key-file FILE")
    return RecoveryKey.parse(content)


def _read(file: Path | None) -> str:
    assert file is not None
    with file.open(encoding="utf-8") as content:
        return content.read(LONGEST)


def _typed() -> RecoveryKey:
    for left in reversed(range(TRIES)):
        try:
            return RecoveryKey.parse(getpass.getpass("Recovery key (not shown): "))
        except NearsideError as error:
            if not left:
                raise
            terminal.complain("recovery key", str(error))
        except EOFError:
            break
    raise typer.Abort
