"""`edge-node backup`: the command writes the file, whoever makes what stands in it."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from edge_node.cli.config import FILE, Config, ask
from edge_node.cli.tables import count
from nearside import terminal
from nearside.terminal import AsJson

SHOWN = 20
READ_BYTES = 1 << 18
LAST_BYTES_S = 60.0


def add_to(app: typer.Typer) -> None:
    app.command("backup", help="Write everything into one sealed file, while the edge serves or is stopped.")(backup)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    from nearside.archive import whole_file

    text = FILE.find(config).read_text(encoding="utf-8", errors="replace")
    with whole_file(file, force=force) as target:
        held = _taken(config, text, target)
    if as_json:
        terminal.show_json({"file": str(file.absolute()), **held})
    else:
        _tell(file, held)


def _taken(config: Path | None, text: str, target: BinaryIO) -> dict[str, Any]:
    taking = _Taking(target)
    try:
        held: dict[str, Any] = ask(config, "backup", taking.hear, settings=text)
    except Exception:
        if taking.error is not None:  # the reason that the other side broke off
            raise taking.error from None
        raise
    taking.end(held["bytes"])
    return held


class _Taking:
    """Reads the archive from the pipe that the edge names, on a thread of its own."""

    def __init__(self, target: BinaryIO) -> None:
        self._target, self._read = target, 0
        self._thread: threading.Thread | None = None
        self.error: OSError | None = None

    def hear(self, progress: Mapping[str, Any]) -> None:
        if "pipe" in progress:
            self._thread = threading.Thread(target=self._take, args=(progress["pipe"],), daemon=True)
            self._thread.start()
        else:
            typer.echo(f"{progress['tenant']}: {progress['number']} of {progress['of']}", err=True)

    def end(self, size: int) -> None:
        """Raises where not every byte came."""
        from nearside.errors import NearsideError

        if self._thread is not None:
            self._thread.join(LAST_BYTES_S)
        if self.error is not None:
            raise self.error
        if self._read != size:
            raise NearsideError("the archive did not come whole", hint="repeat the command")

    def _take(self, pipe: str) -> None:
        try:
            source = open(pipe, "rb", buffering=0)
        except OSError:  # it is gone: the edge says why
            return
        with source:
            while part := source.read(READ_BYTES):
                if not self._write(part):
                    return

    def _write(self, part: bytes) -> bool:
        try:
            self._target.write(part)
        except OSError as error:
            self.error = error
            return False
        except ValueError:  # closed already: the command was ended
            return False
        self._read += len(part)
        return True


def _tell(file: Path, held: Mapping[str, Any]) -> None:
    tenants = held["tenants"].values()
    conversations = sum(tenant["conversations"] for tenant in tenants)
    parts = [count(len(tenants), "company"), count(conversations, "conversation")]
    parts += [count(held["files"], "file"), size_of(held["bytes"]), f"{held['seconds']:.1f} s"]
    typer.echo(f"wrote {file}: {', '.join(parts)}; opens with the recovery key {held['recovery_key']}")
    for line in held["left_out"][:SHOWN]:
        typer.echo(f"left out: {line}", err=True)
    if len(held["left_out"]) > SHOWN:
        typer.echo(f"left out: {len(held['left_out']) - SHOWN} more, see --json", err=True)


def size_of(number: float) -> str:
    """Such as `3.4 MiB`."""
    for unit in ("bytes", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
