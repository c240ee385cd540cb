"""A sealed archive of everything an edge has, made while it serves or while it is stopped.

The command that asked writes the file: it may stand where this edge's user cannot write, and on another disk.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_node.control import layout
from edge_node.control.content_files import content_files
from edge_node.control.edge import Edge
from edge_node.control.holdings import MOST_LEFT_OUT, Counts, Holdings
from edge_node.control.operations import Arguments, Asked, operation, parsed
from edge_node.control.pipe import Pipe
from edge_node.packs.shelf import FOLDER, Shelf
from edge_node.settings import EdgeSettings
from edge_node.storage.places import DATABASE, tenant_folder
from edge_node.storage.schema import MIGRATIONS
from edge_node.storage.store import TenantStore
from nearside.archive import About, ArchiveWriter
from nearside.errors import StorageError
from nearside.sealing import RecoveryPublic, recovery_file
from nearside.tenant_toml import TENANT_FILE

STAGE = ".backup-"


class BackupAsked(Asked):
    """`settings`: the text of edge.toml, as whoever asks reads it."""

    settings: str


@operation("backup", alone=True)
async def backup(edge: Edge, arguments: Arguments) -> Any:
    """Reports `{"pipe": PATH}`, from which the archive is to be read, then each tenant; returns what it holds."""
    asked = parsed(BackupAsked, arguments)
    begun_at = time.monotonic()
    public = RecoveryPublic.read(recovery_file(edge.settings.node_key), program=layout.PROGRAM)
    with _stage(edge.settings.data) as stage:
        pipe = Pipe(stage / "pipe")
        making = _Making(edge, stage, pipe, asked.settings, public)
        edge.report({"pipe": str(pipe.path)})
        try:
            held = await making.everything()
        finally:
            pipe.give_up()
            pipe.close()
    return held | {"bytes": pipe.written, "seconds": round(time.monotonic() - begun_at, 2)}


@contextmanager
def _stage(data: Path) -> Iterator[Path]:
    """A folder for what must lie on a disk for a moment; what a killed one left behind goes first."""
    for left in data.glob(f"{STAGE}*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=data))
    except OSError as error:
        raise StorageError(f"no backup ({error.strerror})", where=str(data), hint="look at disk space") from None
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@dataclass(slots=True)
class _Making:
    edge: Edge
    stage: Path
    pipe: Pipe
    settings_text: str
    public: RecoveryPublic
    left_out: list[str] = field(default_factory=list)

    async def everything(self) -> dict[str, Any]:
        settings = self.edge.settings
        about = About(layout.PROGRAM, settings.name, {layout.SCHEMA: len(MIGRATIONS)})
        archive = await asyncio.to_thread(ArchiveWriter, self.pipe.write, self.public, about)
        await asyncio.to_thread(self._add_place, archive)
        counted = {}
        for number, tenant_id in enumerate(settings.tenants, start=1):
            counted[tenant_id] = await self._add_tenant(archive, tenant_id)
            self.edge.report({"tenant": tenant_id, "number": number, "of": len(settings.tenants)})
        self.left_out += _left_out(settings)
        held = Holdings(tenants=counted, left_out=self.left_out[:MOST_LEFT_OUT]).model_dump()
        manifest = await asyncio.to_thread(archive.finish, held)
        self.pipe.close()
        return held | {"files": len(manifest.files), "recovery_key": self.public.id, "made_at": manifest.made_at}

    def _add_place(self, archive: ArchiveWriter) -> None:
        settings = self.edge.settings
        archive.add_bytes(layout.SETTINGS, layout.settings_text(self.settings_text, settings).encode())
        archive.add_bytes(layout.NODE_KEY, self.edge.keys.node_key.hex().encode())
        archive.add_bytes(layout.RECOVERY, self.public.to_bytes())
        for name, file in (layout.certificates(settings) | layout.link_files(settings)).items():
            if os.access(file, os.R_OK):
                archive.add_file(name, file)
            else:
                self.left_out.append(f"{file}: {'it cannot be read' if file.exists() else 'no such file'}")

    async def _add_tenant(self, archive: ArchiveWriter, tenant_id: str) -> Counts:
        counts = Counts()
        if (store := self.edge.stores.get(tenant_id)) is not None:
            copy = self.stage / f"{tenant_id}.db"
            await store.snapshot(copy)
            counts = await asyncio.to_thread(self._add_copy, archive, tenant_id, store, copy)
        elif (file := tenant_folder(self.edge.settings.data, tenant_id) / DATABASE).exists():
            self.left_out.append(f"{file}: it does not open")
        await asyncio.to_thread(self._add_files, archive, tenant_id)
        return counts

    def _add_copy(self, archive: ArchiveWriter, tenant_id: str, store: TenantStore, copy: Path) -> Counts:
        key, counts = _opened(copy, (store.key, *self._keys(tenant_id)))
        place = layout.tenant_of(tenant_id)
        archive.add_file(f"{place}/{DATABASE}", copy)
        archive.add_bytes(f"{place}/tenant.key", self.edge.keys.wrapped(key, tenant_id))
        for file in self.stage.glob(f"{copy.name}*"):
            file.unlink()
        return counts

    def _keys(self, tenant_id: str) -> tuple[bytes, ...]:
        return self.edge.keys.tenant_keys(tenant_folder(self.edge.settings.data, tenant_id), tenant_id)

    def _add_files(self, archive: ArchiveWriter, tenant_id: str) -> None:
        api_keys = tenant_folder(self.edge.settings.data, tenant_id) / "api_keys.json"
        if api_keys.exists():
            archive.add_file(f"{layout.tenant_of(tenant_id)}/{api_keys.name}", api_keys)
        for file in sorted(Shelf(tenant_folder(self.edge.settings.data, tenant_id)).files()):
            archive.add_file(f"{layout.tenant_of(tenant_id)}/{FOLDER}/{file.name}", file)
        files = content_files(self.edge.settings.tenants[tenant_id].content)
        self.left_out += files.left_out
        for name, file in files.found.items():
            place = f"{layout.content_of(tenant_id)}/{name}"
            if name == TENANT_FILE and files.settings is not None:
                archive.add_bytes(place, files.settings.encode())
            else:
                archive.add_file(place, file)


def _opened(copy: Path, keys: Sequence[bytes]) -> tuple[bytes, Counts]:
    """The key that the copy is under, and what it holds: a copy that does not open is no backup."""
    refusals = []
    for key in keys:
        try:
            return key, Counts.of(copy, key)
        except StorageError as error:
            refusals.append(error)
    raise refusals[0]


def _left_out(settings: EdgeSettings) -> Iterator[str]:
    for folder in sorted(settings.data.glob("tenants/*")):
        if folder.name not in settings.tenants:
            yield f"{folder}: edge.toml does not name this company"
    yield from (f"{name}: set in the environment" for name in sorted(os.environ) if layout.is_override(name))
