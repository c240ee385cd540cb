"""An archive back on a machine: unpacked beside, looked at, and only then put in its places."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloud_core.app import ROOMS
from cloud_core.backups import layout
from cloud_core.backups.writing import schemas
from cloud_core.settings import CoreSettings
from cloud_core.tenants import KEY_OWNER, Tenants
from nearside.archive import Header, Manifest, header_for, unpack
from nearside.errors import StorageError
from nearside.ownership import sole_owner
from nearside.placing import STAGE, hand_over, make_folder, place_files, stage_in, undone_on_failure
from nearside.sealing import KeyRing, RecoveryKey, sync_folder

ORDER = ("certs", "data", layout.SETTINGS)
"""The settings come last: before them there is nothing that a core would be served from."""


@dataclass(slots=True)
class Restored:
    """`kept`: files that were there already and stayed."""

    settings: Path
    manifest: Manifest
    kept: list[str] = field(default_factory=list)

    @property
    def tenants(self) -> Mapping[str, Mapping[str, int]]:
        found: Mapping[str, Mapping[str, int]] = self.manifest.facts.get("tenants", {})
        return found

    def as_json(self) -> dict[str, Any]:
        about = {"made_at": self.manifest.made_at, "version": self.manifest.version}
        return {"settings": str(self.settings), "tenants": self.tenants, **about, "kept": self.kept}


def restore_into(archive: Path, key: RecoveryKey, folder: Path) -> Restored:
    """A whole core in `folder`, which is empty or not there yet. Raises NearsideError, with nothing written."""
    if folder.exists() and (not folder.is_dir() or any(not path.name.startswith(STAGE) for path in folder.iterdir())):
        hint = "give an empty one; or, to restore to the places a core.toml names, --config FILE"
        raise StorageError("the folder is not empty", where=str(folder), hint=hint)
    with undone_on_failure() as made:
        make_folder(folder, made)
        with stage_in(folder) as stage:
            manifest = _unpacked(archive, key, stage)
            hand_over(stage, folder)
            for name in ORDER:
                if (stage / name).exists():
                    made.append(folder / name)
                    os.rename(stage / name, folder / name)
            sync_folder(folder)
    return Restored(folder / layout.SETTINGS, manifest)


def restore_to(archive: Path, key: RecoveryKey, config: Path, settings: CoreSettings) -> Restored:
    """The archive's data, keys and certificates in the places that `settings`, read from `config`, name.

    What is there stays. Raises NearsideError, with nothing written, where there is data already or another node's key.
    """
    _refuse_data(settings.data)
    with undone_on_failure() as made:
        make_folder(settings.data, made)
        with sole_owner(settings.data, "core"), stage_in(settings.data) as stage:
            _refuse_data(settings.data)
            restored = Restored(config, _unpacked(archive, key, stage))
            hand_over(stage, settings.data)
            _place(stage, settings, restored, made)
            _place_data(stage, settings.data, made)
    return restored


def refuse_other(archive: Path) -> Header:
    """What the archive says of itself in clear. Raises NearsideError where this program cannot take it over."""
    return header_for(archive, program=layout.PROGRAM, schemas=schemas())


def _refuse_data(data: Path) -> None:
    tenants = data / "tenants"
    if tenants.is_dir() and any(tenants.iterdir()):
        raise StorageError("there is data already", where=str(tenants), hint="move it away, or restore elsewhere")


def _unpacked(archive: Path, key: RecoveryKey, stage: Path) -> Manifest:
    """Everything below `stage`; every tenant opens, and its tables are those of this release."""
    content = stage / "unpacked"
    manifest = unpack(archive, key, content, program=layout.PROGRAM, schemas=schemas())
    for found in content.iterdir():
        os.rename(found, stage / found.name)
    content.rmdir()
    (stage / "data").mkdir(exist_ok=True)
    for folder in filter(Path.is_dir, stage.rglob("*")):
        folder.chmod(0o700)
    ring = KeyRing(stage / layout.NODE_KEY, KEY_OWNER, use_credential=False)
    Tenants(stage / "data", ring, ROOMS).all()
    return manifest


def _place(stage: Path, settings: CoreSettings, restored: Restored, made: list[Path]) -> None:
    """All but the data. The certificates are taken as they are or not at all: they fit together."""
    node_key = settings.node_key
    if node_key.exists() and node_key.read_bytes().strip() != (stage / layout.NODE_KEY).read_bytes():
        hint = "it opens nothing of this archive: move it away"
        raise StorageError("another node's key is there", where=str(node_key), hint=hint)
    certificates = dict(layout.certificates(settings).values())
    if present := [str(file) for file in certificates.values() if file.exists()]:
        restored.kept += present
    else:
        place_files(stage, certificates, made)
    place_files(stage, {name: file for name, file in layout.keys(settings).items() if not file.exists()}, made)


def _place_data(stage: Path, data: Path, made: list[Path]) -> None:
    source = stage / "data" / "tenants"
    if source.is_dir():
        made.append(data / "tenants")
        os.rename(source, data / "tenants")
        sync_folder(data)
