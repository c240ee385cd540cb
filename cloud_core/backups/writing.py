"""Making an archive, while the core serves or is stopped."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloud_core.app import ROOMS
from cloud_core.backups import layout
from cloud_core.settings import CoreSettings
from cloud_core.tenants import FILE, KEY_OWNER, MIGRATIONS, Tenant, Tenants, TenantUnknown
from nearside.archive import About, ArchiveWriter, whole_file
from nearside.errors import NearsideError, StorageError
from nearside.ownership import FolderInUse, sole_owner
from nearside.sealing import KeyRing, RecoveryPublic, recovery_file

STAGE = ".backup-"
COUNTS: Mapping[str, str] = {
    "documents": "SELECT count(*) FROM spans WHERE until IS NULL",
    "passages": "SELECT count(*) FROM passages JOIN spans USING (revision) WHERE until IS NULL",
    "turns": "SELECT count(*) FROM turn_claims",
}
BROKER = "nothing of data/nats: it holds no turn that its edge does not hold too"

Progress = Callable[[str, int, int], None]


def schemas() -> dict[str, int]:
    """The newest migration that this program has, by room."""
    return {"tenants": len(MIGRATIONS)} | {room: len(migrations) for room, migrations in ROOMS.items()}


def backup(
    settings: CoreSettings, text: str, target: Path, *, force: bool, progress: Progress | None = None
) -> dict[str, Any]:
    """Everything of this core in one sealed file; what it holds. `text`: that of core.toml.

    Tenants that cannot be copied are left out and named. Raises StorageError; `target` is then as it was.
    """
    begun_at = time.monotonic()
    public = RecoveryPublic.read(recovery_file(settings.node_key), program=layout.PROGRAM)
    about = About(layout.PROGRAM, settings.name, schemas())
    with _stage(settings.data) as stage, whole_file(target, force=force) as file:
        archive = ArchiveWriter(file.write, public, about)
        held = _Making(settings, archive, stage).everything(text, public, progress)
    return held | {"bytes": target.stat().st_size, "seconds": round(time.monotonic() - begun_at, 2)}


@contextmanager
def _stage(data: Path) -> Iterator[Path]:
    """A folder for what must lie on a disk for a moment; what a killed backup left behind goes first."""
    with _alone(data):
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


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    try:
        with sole_owner(data, "backup"):
            yield
    except FolderInUse:
        raise NearsideError("another backup is being made", where=str(data), hint="wait for its end") from None


@dataclass(slots=True)
class _Making:
    settings: CoreSettings
    archive: ArchiveWriter
    stage: Path
    missing: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def everything(self, text: str, public: RecoveryPublic, progress: Progress | None) -> dict[str, Any]:
        self.archive.add_bytes(layout.SETTINGS, layout.settings_text(text, self.settings).encode())
        self.archive.add_bytes(layout.RECOVERY, public.to_bytes())
        self._add_certificates()
        counted = self._add_tenants(progress) if not self.settings.database.url else self._leave_out_tenants()
        self.left_out += [f"{name}: set in the environment" for name in sorted(os.environ) if layout.is_override(name)]
        facts = {"tenants": counted, "missing": self.missing, "left_out": self.left_out, "broker": BROKER}
        manifest = self.archive.finish(facts)
        return facts | {"files": len(manifest.files), "recovery_key": public.id, "made_at": manifest.made_at}

    def _add_certificates(self) -> None:
        for name, file in dict.fromkeys(layout.certificates(self.settings).values()):
            if os.access(file, os.R_OK):
                self.archive.add_file(name, file)
            else:
                self.left_out.append(f"{file}: {'it cannot be read' if file.exists() else 'no such file'}")

    def _add_tenants(self, progress: Progress | None) -> dict[str, dict[str, int]]:
        tenants = Tenants(self.settings.data, KeyRing(self.settings.node_key, KEY_OWNER), ROOMS)
        ids, counted, copied = tenants.ids(), dict[str, dict[str, int]](), list[Tenant]()
        for number, tenant_id in enumerate(ids, start=1):
            try:
                tenant = tenants.get(tenant_id)
                counted[tenant_id] = self._add_file(tenant)
                copied.append(tenant)
            except TenantUnknown as error:  # removed meanwhile, or never quite added
                self.left_out.append(f"tenant {tenant_id}: {error}")
            except StorageError as error:
                self.missing.append(tenant_id)
                self.left_out.append(f"tenant {tenant_id}: {error}")
            if progress:
                progress(tenant_id, number, len(ids))
        self.missing += tenants.keyless()
        self.left_out += [f"tenant {tenant_id}: its key is gone" for tenant_id in tenants.keyless()]
        node_key, wrapped = tenants.wrapped_keys(copied)
        for tenant_id, key in wrapped.items():
            self.archive.add_bytes(f"{layout.tenant_of(tenant_id)}/tenant.key", key)
        self.archive.add_bytes(layout.NODE_KEY, node_key.hex().encode())
        return counted

    def _leave_out_tenants(self) -> dict[str, dict[str, int]]:
        """The node's key is in it: without that, a dump of the database opens nowhere."""
        self.left_out.append("companies, turns and knowledge: they are in PostgreSQL, which pg_dump copies")
        for file in (self.settings.database.password_file, self.settings.database.owner_password_file):
            if file is not None:
                self.left_out.append(f"{file}: the database's password")
        node_key = KeyRing(self.settings.node_key, KEY_OWNER).node_key
        self.archive.add_bytes(layout.NODE_KEY, node_key.hex().encode())
        return {}

    def _add_file(self, tenant: Tenant) -> dict[str, int]:
        copy = self.stage / f"{tenant.id}.db"
        try:
            counts = tenant.copy(copy, COUNTS)
            self.archive.add_file(f"{layout.tenant_of(tenant.id)}/{FILE}", copy)
            return counts
        finally:
            for file in self.stage.glob(f"{copy.name}*"):
                file.unlink()
