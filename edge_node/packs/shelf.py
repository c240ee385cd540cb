"""A tenant's installed packs: a folder of `VERSION.pack`, and `active.json`, which says which one answers."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from nearside.errors import NearsideError, PackError, StorageError
from nearside.packs import LARGEST
from nearside.sealing import sync_folder, write_secret

FOLDER, ENDING, STATE = "packs", ".pack", "active.json"
KEPT = 5
PART = re.compile(r"\.incoming-[0-9a-f]{12}")
FORGOTTEN_S = 3600.0
"""A part that old was left by a command that was killed."""
COPY_BYTES = 1 << 20


class State(BaseModel):
    """`history`: versions in the order in which they became active. `active` is one of them, or none."""

    model_config = ConfigDict(frozen=True)

    history: tuple[str, ...] = ()
    active: str | None = None

    @property
    def line(self) -> tuple[str, ...]:
        """The active one and what was active before it, oldest first; those behind it were rolled back from."""
        return self.history[: self.history.index(self.active) + 1] if self.active in self.history else ()

    def with_active(self, version: str) -> Self:
        """What was rolled back from goes, and what is too old."""
        line = (*(known for known in self.line if known != version), version)
        return self.model_copy(update={"history": line[-KEPT:], "active": version})

    def before(self) -> Self:
        """As it was before the active one; without an earlier one the company's folder answers."""
        if not self.line:
            raise NearsideError("no pack is active: there is nothing to go back from", hint="see `edge-node pack list`")
        return self.model_copy(update={"active": self.line[-2] if len(self.line) > 1 else None})


@dataclass(frozen=True, slots=True)
class Shelf:
    """`tenant_folder`: where the tenant's files lie."""

    tenant_folder: Path

    @property
    def folder(self) -> Path:
        return self.tenant_folder / FOLDER

    def file(self, version: str) -> Path:
        return self.folder / f"{version}{ENDING}"

    def state(self) -> State:
        """Raises PackError where it cannot be read."""
        file = self.folder / STATE
        try:
            return State.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return State()
        except (OSError, ValidationError):
            hint = "install the company's pack again"
            raise PackError("it cannot be read which pack is active", where=str(file), hint=hint) from None

    def files(self) -> list[Path]:
        """All that makes it up, for a copy elsewhere."""
        found = [self.file(version) for version in self._known().history]
        return [file for file in (*found, self.folder / STATE) if file.is_file()]

    def part(self, name: str) -> Path:
        """Where `incoming` put something. Raises PackError."""
        if not PART.fullmatch(name) or not (self.folder / name).is_file():
            raise PackError("nothing came in under this name", where=str(self.folder), hint="repeat the command")
        return self.folder / name

    def take(self, part: Path, version: str) -> State:
        """Make what came in the active one; durable on return. Raises OSError."""
        os.replace(part, self.file(version))
        sync_folder(self.folder)
        return self._keep(self._known().with_active(version))

    def go_back(self) -> State:
        """Durable on return. Raises NearsideError where there is nothing to go back to, and OSError."""
        return self._keep(self.state().before())

    def _known(self) -> State:
        try:
            return self.state()
        except PackError:  # what is installed now says it anew
            return State()

    def _keep(self, state: State) -> State:
        write_secret(self.folder / STATE, state.model_dump_json().encode())
        kept = {self.file(version) for version in state.history}
        for file in self.folder.glob(f"*{ENDING}"):
            if file not in kept:
                file.unlink(missing_ok=True)
        return state


@contextmanager
def incoming(shelf: Shelf, source: Path) -> Iterator[str]:
    """The name of a copy on the shelf that nobody else can change, removed in the end unless it was taken.

    Raises PackError where there is no such file, StorageError where it finds no room.
    """
    if not source.is_file():
        raise PackError("a folder or a device" if source.exists() else "no such file", where=str(source))
    _make_folders(shelf)
    part = shelf.folder / f".incoming-{os.urandom(6).hex()}"
    try:
        _copy(source, part)
        yield part.name
    finally:
        part.unlink(missing_ok=True)


def _make_folders(shelf: Shelf) -> None:
    """As root, each for whoever owns the folder above."""
    for folder in (*reversed(shelf.folder.parents[:2]), shelf.folder):
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            owner = folder.parent.stat()
            if os.geteuid() == 0:
                os.chown(folder, owner.st_uid, owner.st_gid)
    for left in shelf.folder.glob(".incoming-*"):
        if time.time() - left.stat().st_mtime > FORGOTTEN_S:
            left.unlink(missing_ok=True)


def _copy(source: Path, part: Path) -> None:
    try:
        with (
            source.open("rb") as file,
            open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target,
        ):
            if os.fstat(file.fileno()).st_size > LARGEST:
                raise PackError(f"larger than {LARGEST >> 20:,} MiB", where=str(source), hint="it is no pack")
            if os.geteuid() == 0:
                owner = part.parent.stat()
                os.fchown(target.fileno(), owner.st_uid, owner.st_gid)
            shutil.copyfileobj(file, target, COPY_BYTES)
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        where = str(error.filename or part.parent)
        raise StorageError(f"the pack cannot be copied ({error.strerror})", where=where, hint="make room") from None
