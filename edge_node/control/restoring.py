"""An archive back on a machine: unpacked beside, looked at, and only then put in its places."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_node.control import layout
from edge_node.control.holdings import Holdings
from edge_node.settings import EdgeSettings
from edge_node.storage.places import DATABASE
from edge_node.storage.schema import MIGRATIONS
from edge_node.storage.store import TenantStore
from nearside.archive import Header, Manifest, header_for, unpack
from nearside.errors import SettingsError, StorageError
from nearside.ownership import sole_owner
from nearside.placing import STAGE, hand_over, make_folder, place_files, stage_in, undone_on_failure
from nearside.sealing import KeyRing, RecoveryKey, sync_folder

SCHEMAS = {layout.SCHEMA: len(MIGRATIONS)}
ORDER = ("link", "content", "certs", "data", layout.SETTINGS)
"""The settings come last: before them there is nothing that an edge would be served from."""


AskKey = Callable[[], RecoveryKey]
"""Called when nothing else stands against a restore."""


@dataclass(slots=True)
class Restored:
    """`kept`: files that were there already and stayed; `unserved`: tenants that the settings do not name."""

    settings: Path
    manifest: Manifest
    holdings: Holdings
    kept: list[str] = field(default_factory=list)
    unserved: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        facts = {"made_at": self.manifest.made_at, "version": self.manifest.version, **self.holdings.model_dump()}
        return {"settings": str(self.settings), **facts, "kept": self.kept, "unserved": self.unserved}


def restore_into(archive: Path, ask_key: AskKey, folder: Path) -> Restored:
    """A whole edge in `folder`, which is empty or not there yet. Raises NearsideError, with nothing written."""
    refuse_other(archive)
    if folder.exists() and (not folder.is_dir() or any(_entries(folder))):
        hint = "give an empty one; or, to restore to the places an edge.toml names, --config FILE"
        raise StorageError("the folder is not empty", where=str(folder), hint=hint)
    key = ask_key()
    with undone_on_failure() as made:
        make_folder(folder, made)
        with stage_in(folder) as stage:
            manifest = _unpacked(archive, key, stage)
            for name in ORDER:
                if (stage / name).exists():
                    made.append(folder / name)
                    os.rename(stage / name, folder / name)
                    sync_folder(folder)
        hand_over(folder, folder)
    return Restored(folder / layout.SETTINGS, manifest, Holdings.of(manifest))


def restore_to(archive: Path, ask_key: AskKey, config: Path, settings: EdgeSettings) -> Restored:
    """The archive's data, keys and files in the places that `settings`, read from `config`, name; what is there stays.

    Raises NearsideError, with nothing written, where there is data already or another node's key.
    """
    about = refuse_other(archive).about
    if about.name != settings.name:
        hint = f'set name = "{about.name}": the keys in the archive are bound to it'
        raise SettingsError(f"this is an archive of the edge {about.name}", where=str(config), hint=hint)
    _refuse_data(settings.data)
    key = ask_key()
    with undone_on_failure() as made:
        make_folder(settings.data, made)
        with sole_owner(settings.data, "edge"), stage_in(settings.data) as stage:
            _refuse_data(settings.data)
            manifest = _unpacked(archive, key, stage)
            restored = Restored(config, manifest, Holdings.of(manifest))
            _place(stage, settings, restored, made)
            _place_data(stage, settings.data, made)
        hand_over(settings.data, settings.data)
    restored.unserved = sorted(restored.holdings.tenants.keys() - settings.tenants.keys())
    return restored


def refuse_other(archive: Path) -> Header:
    """What the archive says of itself in clear. Raises NearsideError where this program cannot take it over."""
    return header_for(archive, program=layout.PROGRAM, schemas=SCHEMAS)


def _entries(folder: Path) -> Iterator[Path]:
    """But for what a killed restore left behind."""
    return (path for path in folder.iterdir() if not path.name.startswith(STAGE))


def _refuse_data(data: Path) -> None:
    tenants = data / "tenants"
    if tenants.is_dir() and any(tenants.iterdir()):
        raise StorageError("there is data already", where=str(tenants), hint="move it away, or restore elsewhere")


def _unpacked(archive: Path, key: RecoveryKey, stage: Path) -> Manifest:
    """Everything below `stage`, in the state in which an edge may start: what was open is doubtful now."""
    content = stage / "unpacked"
    manifest = unpack(archive, key, content, program=layout.PROGRAM, schemas=SCHEMAS)
    for found in content.iterdir():
        os.rename(found, stage / found.name)
    content.rmdir()
    ring = KeyRing(stage / layout.NODE_KEY, manifest.about.name, use_credential=False)
    for database in sorted(stage.glob(f"{layout.tenant_of('*')}/{DATABASE}")):
        tenant_id = database.parent.name
        TenantStore.mark_restored(database, ring.tenant_keys(database.parent, tenant_id))
    return manifest


def _place(stage: Path, settings: EdgeSettings, restored: Restored, made: list[Path]) -> None:
    """All but the data. The certificates and the link are taken as they are or not at all: their files fit together."""
    keys = layout.keys(settings)
    if settings.node_key.exists() and settings.node_key.read_bytes() != (stage / layout.NODE_KEY).read_bytes():
        hint = "it opens nothing of this archive: move it away"
        raise StorageError("another node's key is there", where=str(settings.node_key), hint=hint)
    for group in (layout.link_files(settings), layout.certificates(settings)):
        if present := [str(file) for file in group.values() if file.exists()]:
            restored.kept += present
        else:
            place_files(stage, group, made)
    for tenant_id, tenant in settings.tenants.items():
        _place_content(stage / layout.content_of(tenant_id), tenant.content, restored, made)
    place_files(stage, {name: file for name, file in keys.items() if not file.exists()}, made)


def _place_content(source: Path, target: Path, restored: Restored, made: list[Path]) -> None:
    if not source.is_dir():
        return
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        restored.kept.append(str(target))
        return
    make_folder(target.parent, made)
    beside = target.with_name(f".{target.name}{STAGE}{os.urandom(4).hex()}")
    made += [beside, target]
    shutil.copytree(source, beside)
    hand_over(beside, target.parent)
    for path in (*beside.rglob("*"), beside):
        _sync(path)
    os.rename(beside, target)
    sync_folder(target.parent)


def _place_data(stage: Path, data: Path, made: list[Path]) -> None:
    source = stage / "data" / "tenants"
    if source.is_dir():
        made.append(data / "tenants")
        os.rename(source, data / "tenants")
        sync_folder(data)


def _sync(path: Path) -> None:
    if path.is_dir():
        sync_folder(path)
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())
