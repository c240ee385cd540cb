"""The model files of an edge: one folder, beside each model what was found out when it was added."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nearside.errors import ModelError
from nearside.sealing import write_secret

FOLDER = "models"
ENDING = ".gguf"
ABOUT = ".json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
ADD = "`edge-node model add FILE`"


@dataclass(frozen=True, slots=True)
class About:
    """Of one installed model; `added_at` in seconds since 1970."""

    name: str
    size: int
    sha256: str
    architecture: str
    quantisation: str
    licence: str
    context: int
    added_at: float
    active: bool = False


class Models:
    """`chosen` names the active one; without it the one that was added last is active."""

    def __init__(self, data: Path, chosen: str = "") -> None:
        self.folder, self.chosen = data / FOLDER, chosen.removesuffix(ENDING)

    def file(self, name: str) -> Path:
        return self.folder / f"{name}{ENDING}"

    def all(self) -> list[About]:
        """Newest first."""
        found = sorted(self._found(), key=lambda about: -about.added_at)
        active = self.chosen or next((about.name for about in found), "")
        return [replace(about, active=about.name == active) for about in found]

    def active(self) -> Path:
        """Raises ModelError where there is none."""
        if name := next((about.name for about in self.all() if about.active), ""):
            return self.file(name)
        if self.chosen:
            where = "local_model.file in edge.toml"
            raise ModelError(f"no model {self.chosen[:80]!a} is installed", where=where, hint=f"{ADD}, or correct it")
        raise ModelError("no model is installed", hint=ADD)

    def keep(self, about: About) -> None:
        """Say that a file is there, whole."""
        write_secret(self._about(about.name), json.dumps(asdict(about)).encode())

    def remove(self, name: str) -> None:
        """Raises ModelError where it is not there."""
        if not NAME.fullmatch(name) or not (self._about(name).exists() or self.file(name).exists()):
            known = ", ".join(about.name for about in self.all()) or "none"
            raise ModelError(f"no model {name[:80]!a}", where=f"installed: {known}", hint="see `edge-node model list`")
        self._about(name).unlink(missing_ok=True)
        self.file(name).unlink(missing_ok=True)

    def _found(self) -> Iterator[About]:
        for file in self.folder.glob(f"*{ABOUT}"):
            try:
                about = About(**json.loads(file.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                continue  # a file of somebody else's, or half of one
            if self._about(about.name) == file and self.file(about.name).is_file():
                yield about

    def _about(self, name: str) -> Path:
        return self.folder / f"{name}{ABOUT}"


def name_of(file: Path, given: str | None) -> str:
    """Raises ModelError where it cannot name a file."""
    name = given if given is not None else file.name.removesuffix(ENDING)
    if not NAME.fullmatch(name):
        hint = "give --name: letters, digits, . _ -, at most 80"
        raise ModelError("its name is not one for a model", where=str(file), hint=hint)
    return name
