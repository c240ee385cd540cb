"""Where the demo keeps what, and what earlier runs have done."""

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.launch.tomledit import with_keys, write_private

LINKED = ("rules", "tools", "documents", "faq.yaml", "intents.jsonl")
PACKED = ("rules", "tools", "faq.yaml", "intents.jsonl", "tenant.toml")
MAKERS = ("nearside", "cloud_core/packs", "cloud_core/tuning")
"""Whose programs make a pack: after a change of theirs it is made anew."""


@dataclass(frozen=True, slots=True)
class Places:
    root: Path
    home: Path

    @property
    def core(self) -> Path:
        return self.home / "core"

    @property
    def edge(self) -> Path:
        return self.home / "edge"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def env(self) -> Path:
        return self.home / "demo.env"

    @property
    def content(self) -> Path:
        """The company's files as the edge reads them: those of the repository, with this run's addresses."""
        return self.home / "content"

    def prepare(self) -> None:
        self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.forget_run()

    def lay_out_content(self, shop_url: str) -> None:
        """Links to the company's files, so that there is one place to edit; only tenant.toml is a copy."""
        self.content.mkdir(exist_ok=True)
        for name in LINKED:
            link, target = self.content / name, self.root / "demo" / name
            if not link.is_symlink() or link.readlink() != target:
                link.unlink(missing_ok=True)
                link.symlink_to(target)
        text = (self.root / "demo" / "tenant.toml").read_text(encoding="utf-8")
        tenant = self.content / "tenant.toml"
        write_private(tenant, with_keys(text, tenant, {"tools.variables.shop_url": shop_url}))

    def pack_fingerprint(self) -> str:
        """Changes with what a pack is made of, and with what makes it."""
        paths = [*(self.root / "demo" / name for name in PACKED), *(self.root / name for name in MAKERS)]
        return hashlib.sha256("".join(map(fingerprint, paths)).encode()).hexdigest()

    def company_name(self) -> str:
        name: str = tomllib.loads((self.root / "demo" / "tenant.toml").read_text(encoding="utf-8"))["name"]["en"]
        return name

    def bundle_authorities(self) -> Path:
        """One file that verifies the edge's HTTPS and the core's."""
        bundle = self.home / "ca.pem"
        write_private(bundle, "".join((folder / "certs" / "ca.crt").read_text() for folder in (self.edge, self.core)))
        return bundle

    def forget_run(self) -> None:
        """A file that names processes must not outlive them."""
        self.env.unlink(missing_ok=True)


class Memory:
    """What earlier runs have done, by step: a step is done again when its fingerprint changes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._done: dict[str, Any] = json.loads(file.read_text())
        except (OSError, ValueError):
            self._done = {}

    def forget(self, *steps: str) -> None:
        for step in steps:
            self._done.pop(step, None)

    def get(self, step: str) -> Any:
        return self._done.get(step)

    def put(self, step: str, fingerprint: Any) -> None:
        self._done[step] = fingerprint
        write_private(self._file, json.dumps(self._done, indent=1) + "\n")


def fingerprint(path: Path) -> str:
    """Of a file, or of all below a folder but what Python made of it."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    folder, digest = path, hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        digest.update(f"{file.relative_to(folder)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
