import os
import shutil
import threading
from pathlib import Path

import pytest

from cloud_core.tenants import Tenants, TenantUnknown
from nearside.errors import NearsideError, StorageError
from nearside.sealing import KeyRing, make_node_key

pytestmark = pytest.mark.unit


def tenants_in(folder: Path) -> Tenants:
    make_node_key(folder / "node.key", folder / "data")
    return Tenants(folder / "data", KeyRing(folder / "node.key", "core"), {})


@pytest.fixture
def tenants(tmp_path: Path) -> Tenants:
    return tenants_in(tmp_path)


def test_a_tenant_that_was_added_is_found_also_by_another_program(tenants: Tenants, tmp_path: Path) -> None:
    other = tenants_in(tmp_path)
    with pytest.raises(TenantUnknown):
        other.get("demo")
    added = tenants.add("demo", " Larkspur Outdoor ")
    found = other.get("demo")
    assert (found.id, found.name, found.created_at) == ("demo", "Larkspur Outdoor", added.created_at)


def test_a_file_whose_tables_cannot_be_made_is_not_held_open(tenants: Tenants, tmp_path: Path) -> None:
    file = tenants.add("demo", "Demo").folder / "core.db"

    def m001_broken(database: object) -> None:
        raise ValueError

    broken = Tenants(tmp_path / "data", KeyRing(tmp_path / "node.key", "core"), {"broken": [m001_broken]})
    with pytest.raises(ValueError) as failed:
        broken.get("demo")
    held = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert failed.value.args == ()
    assert not [name for name in held if name.startswith(str(file))]


def test_the_same_tenant_is_the_same_object(tenants: Tenants) -> None:
    assert tenants.add("demo", "Demo") is tenants.get("demo")


def test_a_tenant_whose_folder_is_gone_is_unknown_at_once(tenants: Tenants) -> None:
    folder = tenants.add("demo", "Demo").folder
    shutil.rmtree(folder)
    with pytest.raises(TenantUnknown):
        tenants.get("demo")
    assert tenants.all() == []


@pytest.mark.parametrize("tenant_id", ["", "a", "Demo", "de mo", "../demo", "-demo", "x" * 33, "dé", "demo\n"])
def test_an_id_that_is_no_id_is_refused(tenants: Tenants, tmp_path: Path, tenant_id: str) -> None:
    with pytest.raises(NearsideError):
        tenants.add(tenant_id, "Demo")
    with pytest.raises(TenantUnknown):
        tenants.get(tenant_id)
    assert not (tmp_path / "data").exists()


def test_a_tenant_is_added_once_and_has_a_name(tenants: Tenants) -> None:
    tenants.add("demo", "Demo")
    with pytest.raises(NearsideError, match="already"):
        tenants.add("demo", "Another")
    with pytest.raises(NearsideError, match="name"):
        tenants.add("other", "  ")


def test_adding_that_was_interrupted_can_be_repeated(tenants: Tenants, tmp_path: Path) -> None:
    keys = KeyRing(tmp_path / "node.key", "core")
    keys.tenant_key(tmp_path / "data" / "tenants" / "demo", "demo")
    assert tenants.all() == []
    assert tenants.add("demo", "Demo").name == "Demo"


def test_tenants_are_listed_in_order_and_other_folders_are_not(tenants: Tenants, tmp_path: Path) -> None:
    for tenant_id in ("zebra", "ant"):
        tenants.add(tenant_id, tenant_id)
    (tmp_path / "data" / "tenants" / "lost+found").mkdir()
    assert [tenant.id for tenant in tenants.all()] == ["ant", "zebra"]


def test_the_file_is_encrypted_and_opens_under_no_other_tenants_key(tenants: Tenants) -> None:
    demo, other = tenants.add("demo", "Larkspur"), tenants.add("other", "Other")
    content = (demo.folder / "core.db").read_bytes()
    assert not content.startswith(b"SQLite") and b"Larkspur" not in content
    os.replace(other.folder / "core.db", demo.folder / "core.db")
    with pytest.raises(StorageError):
        demo.connect()


def test_a_tenants_key_is_no_use_in_another_tenants_folder(tenants: Tenants, tmp_path: Path) -> None:
    demo, other = tenants.add("demo", "Demo"), tenants.add("other", "Other")
    shutil.copy(demo.folder / "tenant.key", other.folder / "tenant.key")
    with pytest.raises(StorageError):
        tenants_in(tmp_path).get("other")


def test_the_key_is_not_shown(tenants: Tenants) -> None:
    tenant = tenants.add("demo", "Demo")
    assert repr(tenant._key) not in repr(tenant)


def test_many_that_open_a_new_tenant_at_once_agree(tenants: Tenants, tmp_path: Path) -> None:
    tenants.add("demo", "Demo")
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(tenants_in(tmp_path).get("demo").name)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["Demo"] * 8


def test_a_removed_tenant_has_no_key_and_no_files_and_is_unknown_at_once(tenants: Tenants, tmp_path: Path) -> None:
    demo, other = tenants.add("demo", "Demo"), tenants.add("other", "Other")
    tenants_in(tmp_path).remove("demo")
    assert not demo.folder.exists()
    with pytest.raises(TenantUnknown):
        tenants.get("demo")
    with pytest.raises(TenantUnknown):
        demo.connect()
    assert not demo.folder.exists()
    assert tenants.all() == [other]
    with pytest.raises(TenantUnknown):
        tenants.remove("demo")


@pytest.mark.parametrize("tenant_id", ["", "../data", ".", "x/../demo"])
def test_only_a_tenant_can_be_removed(tenants: Tenants, tenant_id: str) -> None:
    tenants.add("demo", "Demo")
    with pytest.raises(TenantUnknown):
        tenants.remove(tenant_id)
    assert tenants.get("demo").folder.exists()


def test_the_key_is_destroyed_before_the_files_and_a_removal_that_was_interrupted_ends_when_repeated(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tenants.add("demo", "Demo").folder
    with monkeypatch.context() as crashing:
        crashing.setattr(shutil, "rmtree", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tenants.remove("demo")
    assert (folder / "core.db").exists() and not list(folder.glob("*tenant.key*"))
    assert tenants.ids() == []
    with pytest.raises(NearsideError, match="tenant remove demo"):
        tenants.add("demo", "Again")
    tenants.remove("demo")
    assert tenants.add("demo", "Again").name == "Again"


def test_tenants_that_were_removed_or_replaced_are_told_once(tenants: Tenants, tmp_path: Path) -> None:
    demo, other, third = (tenants.add(tenant_id, "X") for tenant_id in ("demo", "other", "third"))
    assert tenants.retired() == []
    another = tenants_in(tmp_path)
    another.remove("demo")
    another.remove("other")
    another.add("other", "X")
    assert tenants.get("other") is not other
    assert sorted(tenant.id for tenant in tenants.retired()) == ["demo", "other"]
    assert tenants.retired() == []
    assert tenants.get("third") is third


def test_a_tenant_whose_key_was_only_wrapped_anew_stays_the_same(tenants: Tenants, tmp_path: Path) -> None:
    demo = tenants.add("demo", "Demo")
    assert KeyRing(tmp_path / "node.key", "core").rotate_node_key(tmp_path / "data") == 1
    assert tenants.get("demo") is demo
    assert tenants.retired() == []


def test_a_tenant_that_does_not_open_is_listed_by_its_id(tenants: Tenants) -> None:
    tenants.add("demo", "Demo")
    (tenants.add("other", "Other").folder / "core.db").write_bytes(b"x" * 4096)
    assert tenants.ids() == ["demo", "other"]
