"""Archives of a core: made, refused, and brought back."""

import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud_core import settings as core_settings
from cloud_core.app import open_tenants
from cloud_core.backups import restoring, writing
from cloud_core.backups.restoring import restore_into, restore_to
from cloud_core.backups.writing import backup
from cloud_core.cli import app
from cloud_core.settings import CoreSettings
from cloud_core.turns.claims import Claims
from nearside.archive import About, ArchiveWriter, whole_file
from nearside.archive.sealed import Header, SealedReader
from nearside.errors import NearsideError, StorageError
from nearside.sealing import RecoveryKey, recovery_file
from tests.cloud_core import stage

pytestmark = pytest.mark.unit


@pytest.fixture
def settings(tmp_path: Path) -> CoreSettings:
    core = stage.make_core(tmp_path / "core", tenants=("demo", "other"))
    answer(core.settings, "demo", "t1", '"of demo"')
    answer(core.settings, "other", "t1", '"of other"')
    return core.settings


@pytest.fixture
def key(settings: CoreSettings) -> RecoveryKey:
    return make_recovery_key(settings)


def make_recovery_key(settings: CoreSettings) -> RecoveryKey:
    made = RecoveryKey.make()
    made.public.write(recovery_file(settings.node_key))
    return made


def answer(settings: CoreSettings, tenant: str, turn_id: str, text: str) -> None:
    with closing(claims_of(settings, tenant)) as claims:
        assert claims.answer(turn_id, claims.take(turn_id).holder, text)


def answer_of(settings: CoreSettings, tenant: str, turn_id: str) -> str:
    with closing(claims_of(settings, tenant)) as claims:
        return claims.take(turn_id).answer


def claims_of(settings: CoreSettings, tenant: str) -> Claims:
    return Claims(open_tenants(settings).get(tenant).connect())


def archive_of(settings: CoreSettings, target: Path) -> Path:
    text = (settings.data.parent / "core.toml").read_text()
    backup(settings, text, target, force=True)
    return target


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_core_comes_back_whole_in_a_new_folder(settings: CoreSettings, key: RecoveryKey, tmp_path: Path) -> None:
    archive = archive_of(settings, tmp_path / "core.backup")
    restored = restore_into(archive, key, tmp_path / "new")
    assert restored.settings == tmp_path / "new" / "core.toml"
    again = core_settings.load(restored.settings)
    assert [(tenant.id, tenant.name) for tenant in open_tenants(again).all()] == [("demo", "Demo"), ("other", "Other")]
    assert answer_of(again, "demo", "t1") == '"of demo"'
    assert answer_of(again, "other", "t1") == '"of other"'
    for name in ("node.key", "recovery.pub", "ca.crt", "ca.key", "server.crt", "server.key", "nats.crt", "nats.key"):
        file = tmp_path / "new" / "certs" / name
        assert file.read_bytes().strip() == (settings.node_key.parent / name).read_bytes().strip()
        assert file.stat().st_mode & 0o777 == 0o600
    assert again.https.port == settings.https.port


def test_what_was_written_while_it_was_made_is_either_in_it_or_not(
    settings: CoreSettings, key: RecoveryKey, tmp_path: Path
) -> None:
    text = (settings.data.parent / "core.toml").read_text()
    with closing(claims_of(settings, "demo")) as busy:
        holder = busy.take("t2").holder
        busy._connection.execute("BEGIN IMMEDIATE")
        busy._connection.execute("UPDATE turn_claims SET answer = 'half' WHERE turn_id = 't2'")
        backup(settings, text, tmp_path / "core.backup", force=False)
        busy._connection.execute("ROLLBACK")
        assert busy.answer("t2", holder, "whole")
    restore_into(tmp_path / "core.backup", key, tmp_path / "new")
    assert answer_of(core_settings.load(tmp_path / "new" / "core.toml"), "demo", "t2") == ""
    assert answer_of(settings, "demo", "t2") == "whole"


def test_it_counts_what_it_holds_and_leaves_nothing_behind(
    settings: CoreSettings, key: RecoveryKey, tmp_path: Path
) -> None:
    before = files_below(settings.data)
    held = backup(settings, "", tmp_path / "core.backup", force=False)
    assert held["tenants"]["demo"] == {"documents": 0, "passages": 0, "turns": 1}
    assert (held["missing"], held["left_out"]) == ([], [])
    assert held["recovery_key"] == key.public.id
    assert held["bytes"] == (tmp_path / "core.backup").stat().st_size
    assert files_below(settings.data) - before <= {"backup.lock"}
    assert (tmp_path / "core.backup").stat().st_mode & 0o777 == 0o600


def test_nothing_of_it_stands_in_clear(settings: CoreSettings, key: RecoveryKey, tmp_path: Path) -> None:
    answer(settings, "demo", "t-planted", '"planted words"')
    archive = archive_of(settings, tmp_path / "core.backup")
    content = archive.read_bytes()
    assert b"planted" not in content and settings.node_key.read_bytes() not in content
    with archive.open("rb") as file:
        inside = SealedReader(file, Header.read(file), key).read(1 << 30)
    with tarfile.open(fileobj=BytesIO(inside)) as tar:
        databases = [name for name in tar.getnames() if name.endswith("core.db")]
        assert databases == ["data/tenants/demo/core.db", "data/tenants/other/core.db"]
        for name in databases:
            member = tar.extractfile(name)
            assert member and b"planted" not in (page := member.read()) and not page.startswith(b"SQLite")


def test_a_tenant_that_does_not_open_is_left_out_and_named(
    settings: CoreSettings, key: RecoveryKey, tmp_path: Path
) -> None:
    (settings.data / "tenants" / "other" / "core.db").write_bytes(os.urandom(8192))
    held = backup(settings, "", tmp_path / "core.backup", force=False)
    assert held["missing"] == ["other"]
    assert list(held["tenants"]) == ["demo"]
    restored = restore_into(tmp_path / "core.backup", key, tmp_path / "new")
    assert files_below(tmp_path / "new" / "data") == {"tenants/demo/core.db", "tenants/demo/tenant.key"}
    assert list(restored.tenants) == ["demo"]


def test_a_tenant_whose_key_is_gone_is_named_too(settings: CoreSettings, key: RecoveryKey, tmp_path: Path) -> None:
    (settings.data / "tenants" / "other" / "tenant.key").unlink()
    held = backup(settings, "", tmp_path / "core.backup", force=False)
    assert held["missing"] == ["other"] and list(held["tenants"]) == ["demo"]


def test_without_a_recovery_key_there_is_no_backup(settings: CoreSettings, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cloud-core keys recovery"):
        backup(settings, "", tmp_path / "core.backup", force=False)
    assert not (tmp_path / "core.backup").exists()


def test_only_one_is_made_at_a_time_and_what_a_killed_one_left_is_removed(
    settings: CoreSettings, key: RecoveryKey, tmp_path: Path
) -> None:
    (settings.data / ".backup-killed").mkdir()
    (settings.data / ".backup-killed" / "demo.db").write_bytes(b"x")

    def second(*_: object) -> None:
        assert not (settings.data / ".backup-killed").exists()
        with pytest.raises(NearsideError, match="another backup"):
            backup(settings, "", tmp_path / "second", force=False)

    backup(settings, "", tmp_path / "first", force=False, progress=second)
    assert not (tmp_path / "second").exists()


def test_a_backup_goes_through_while_the_node_key_is_exchanged(
    settings: CoreSettings, key: RecoveryKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exchange(tenant_id: str, *_: object) -> None:
        open_tenants(settings).rotate_node_key()

    backup(settings, (settings.data.parent / "core.toml").read_text(), tmp_path / "a", force=False, progress=exchange)
    restore_into(tmp_path / "a", key, tmp_path / "new")
    assert answer_of(core_settings.load(tmp_path / "new" / "core.toml"), "demo", "t1") == '"of demo"'


@pytest.fixture
def archive(settings: CoreSettings, key: RecoveryKey, tmp_path: Path) -> Path:
    return archive_of(settings, tmp_path / "core.backup")


def refused(archive: Path, key: RecoveryKey, folder: Path) -> str:
    """Why it is not restored; nothing is there afterwards."""
    before = sorted(folder.parent.iterdir())
    with pytest.raises(NearsideError) as error:
        restore_into(archive, key, folder)
    assert sorted(folder.parent.iterdir()) == before
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_recovery_key_is_refused(archive: Path, tmp_path: Path) -> None:
    assert "does not open this archive" in refused(archive, RecoveryKey.make(), tmp_path / "new")


def test_an_edges_archive_is_not_even_listed(key: RecoveryKey, tmp_path: Path) -> None:
    with whole_file(tmp_path / "edge.nearside", force=False) as file:
        ArchiveWriter(file.write, key.public, About("edge-node", "shop-edge", {})).finish({})
    done = CliRunner().invoke(app, ["restore", str(tmp_path / "edge.nearside"), "--list"], input=key.text)
    assert isinstance(done.exception, NearsideError) and "edge-node restore" in str(done.exception)


def test_a_damaged_archive_is_refused(archive: Path, key: RecoveryKey, tmp_path: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    assert "damaged" in refused(archive, key, tmp_path / "new")
    archive.write_bytes(bytes(content[:-100]))
    assert "damaged" in refused(archive, key, tmp_path / "new")


@pytest.mark.parametrize("room", ["tenants", "knowledge", "turns"])
def test_a_newer_schema_is_refused(
    archive: Path, key: RecoveryKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: str
) -> None:
    older = writing.schemas() | {room: writing.schemas()[room] - 1}
    monkeypatch.setattr(restoring, "schemas", lambda: older)
    assert "newer" in refused(archive, key, tmp_path / "new")


def test_an_older_schema_is_brought_up_to_date(
    settings: CoreSettings, key: RecoveryKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloud_core import app

    older = {**app.ROOMS, "turns": app.ROOMS["turns"][:1]}
    with monkeypatch.context() as before:
        before.setattr(app, "ROOMS", older)
        before.setattr(writing, "ROOMS", older)
        old = stage.make_core(tmp_path / "old")
        public = make_recovery_key(old.settings)
        archive_of(old.settings, tmp_path / "a")
    restored = restore_into(tmp_path / "a", public, tmp_path / "new")
    answer(core_settings.load(restored.settings), "demo", "t1", "kept")


def test_a_folder_with_anything_in_it_is_refused(archive: Path, key: RecoveryKey, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("mine")
    assert "not empty" in refused(archive, key, tmp_path / "new")
    assert files_below(tmp_path / "new") == {"mine"}


def test_what_fails_half_way_leaves_nothing(
    archive: Path, key: RecoveryKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, calls = os.rename, iter(range(100))

    def failing(source: Path, target: Path) -> None:
        if next(calls) >= 3 and target.parent.name == "new":
            raise OSError(28, "No space left on device", str(target))
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    assert "No space left" in refused(archive, key, tmp_path / "new")


@pytest.fixture
def emptied(settings: CoreSettings, archive: Path) -> Iterator[CoreSettings]:
    """The machine is new: only core.toml is left, and what it names is elsewhere than in the archive."""
    folder = settings.data.parent
    shutil.rmtree(settings.data)
    shutil.rmtree(folder / "certs")
    toml = folder / "core.toml"
    toml.write_text(toml.read_text().replace('"certs/', '"keys/').replace('data = "data"', 'data = "store"'))
    toml.write_text(toml.read_text().replace(str(folder / "certs"), str(folder / "keys")))
    yield core_settings.load(toml)


def test_it_comes_back_to_the_places_that_a_core_toml_names(
    emptied: CoreSettings, archive: Path, key: RecoveryKey
) -> None:
    toml = emptied.data.parent / "core.toml"
    restored = restore_to(archive, key, toml, emptied)
    assert restored.kept == []
    assert answer_of(emptied, "demo", "t1") == '"of demo"'
    for file in (emptied.grpc.ca, emptied.ca_key, emptied.https.cert, emptied.nats.key):
        assert file.exists()
    with pytest.raises(StorageError, match="there is data already"):
        restore_to(archive, key, toml, emptied)
    assert answer_of(emptied, "demo", "t1") == '"of demo"'


def test_certificates_that_are_there_stay_and_another_node_key_is_refused(
    emptied: CoreSettings, archive: Path, key: RecoveryKey
) -> None:
    toml = emptied.data.parent / "core.toml"
    emptied.https.cert.parent.mkdir(exist_ok=True)
    emptied.https.cert.write_text("mine")
    emptied.node_key.write_text("ab" * 32)
    emptied.node_key.chmod(0o600)
    with pytest.raises(StorageError, match="another node's key"):
        restore_to(archive, key, toml, emptied)
    assert not emptied.data.exists() and not emptied.nats.cert.exists()
    emptied.node_key.unlink()
    assert restore_to(archive, key, toml, emptied).kept == [str(emptied.https.cert)]
    assert emptied.https.cert.read_text() == "mine"
    assert not emptied.nats.cert.exists()
    assert answer_of(emptied, "other", "t1") == '"of other"'


def test_a_door_with_its_own_certificate_has_it_back(settings: CoreSettings, key: RecoveryKey, tmp_path: Path) -> None:
    folder = settings.data.parent
    shutil.copy(settings.grpc.cert, folder / "own.crt")
    shutil.copy(settings.grpc.key, folder / "own.key")
    toml = folder / "core.toml"
    head, heading, tail = toml.read_text().partition("[grpc]")
    for name in ("crt", "key"):
        tail = tail.replace(f"certs/server.{name}", f"own.{name}", 1)
    toml.write_text(head + heading + tail)
    archive_of(core_settings.load(toml), tmp_path / "a")
    restored = restore_into(tmp_path / "a", key, tmp_path / "new")
    again = core_settings.load(restored.settings)
    assert again.grpc.cert == tmp_path / "new" / "certs" / "grpc.crt" and again.grpc.cert.exists()
    assert again.https.cert == tmp_path / "new" / "certs" / "server.crt" and again.https.cert.exists()
