"""Keys are exchanged while the power may fail at any moment: whatever is left, everything opens."""

import shutil
import threading
from pathlib import Path

import pytest

from nearside.database import open_database
from nearside.errors import StorageError
from nearside.sealing import KeyRing, make_node_key
from tests.nearside.crashes import stops

pytestmark = pytest.mark.unit
TENANTS = ("demo", "other")
WORDS = "a customer's words"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Two tenants with a database each; one of them was stopped in the middle of a re-keying."""
    folder = tmp_path / "made"
    make_node_key(folder / "certs" / "node.key", folder / "data")
    ring = ring_of(folder)
    for tenant_id in TENANTS:
        key = ring.tenant_key(of(folder, tenant_id), tenant_id)
        database = open_database(of(folder, tenant_id) / "edge.db", key)
        database.execute("CREATE TABLE said (words TEXT)")
        database.execute("INSERT INTO said VALUES (?)", (WORDS,))
        database.close()
    ring.begin_rekey(of(folder, "other"), "other")
    return folder


def ring_of(folder: Path) -> KeyRing:
    return KeyRing(folder / "certs" / "node.key", "edge")


def of(folder: Path, tenant_id: str) -> Path:
    return folder / "data" / "tenants" / tenant_id


def fresh(made: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(made, place)


def opening_key(folder: Path, tenant_id: str, keys: tuple[bytes, ...]) -> bytes:
    """Which of the keys opens the tenant's database, and finds in it what was written."""
    for key in keys:
        try:
            database = open_database(of(folder, tenant_id) / "edge.db", key)
        except StorageError:
            continue
        assert database.execute("SELECT words FROM said").fetchall() == [(WORDS,)]
        database.close()
        return key
    raise AssertionError("no key opens it")


def rekey(folder: Path) -> None:
    ring, place = ring_of(folder), of(folder, "demo")
    old, new = ring.tenant_key(place, "demo"), ring.begin_rekey(place, "demo")
    database = open_database(place / "edge.db", old)
    database.execute(f"PRAGMA rekey = \"x'{new.hex()}'\"")
    database.close()
    ring.finish_rekey(place)


def test_a_rekeying_stopped_anywhere_leaves_a_file_that_opens(made: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    first, seen = ring_of(made).tenant_key(of(made, "demo"), "demo"), set[bytes]()
    for _ in stops(lambda: rekey(place), lambda: fresh(made, place)):
        ring = ring_of(place)
        key = opening_key(place, "demo", ring.tenant_keys(of(place, "demo"), "demo"))
        ring.settle(of(place, "demo"), "demo", key)
        assert ring.tenant_key(of(place, "demo"), "demo") == key
        seen.add(key)
    assert first in seen and len(seen) > 1
    assert ring_of(place).tenant_keys(of(place, "demo"), "demo") == (key,)


def test_a_rekeying_goes_on_with_the_key_of_the_one_that_was_stopped(made: Path) -> None:
    ring, folder = ring_of(made), of(made, "other")
    pending = ring.tenant_keys(folder, "other")[1]
    assert ring.begin_rekey(folder, "other") == pending
    ring.settle(folder, "other", ring.tenant_key(folder, "other"))
    assert ring.tenant_keys(folder, "other")[1] == pending
    ring.finish_rekey(folder)
    ring.finish_rekey(folder)
    assert ring.tenant_keys(folder, "other") == (pending,)


def test_a_rotation_of_the_nodes_key_stopped_anywhere_can_be_repeated(made: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    keys = {tenant_id: ring_of(made).tenant_keys(of(made, tenant_id), tenant_id) for tenant_id in TENANTS}
    for _ in stops(lambda: ring_of(place).rotate_node_key(place / "data"), lambda: fresh(made, place)):
        assert {tenant_id: ring_of(place).tenant_keys(of(place, tenant_id), tenant_id) for tenant_id in TENANTS} == keys
        added = ring_of(place).tenant_key(of(place, "added"), "added")
        assert ring_of(place).rotate_node_key(place / "data") == 4
        assert ring_of(place).tenant_key(of(place, "added"), "added") == added
        assert {tenant_id: ring_of(place).tenant_keys(of(place, tenant_id), tenant_id) for tenant_id in TENANTS} == keys
        assert [path.name for path in (place / "certs").iterdir() if not path.name.startswith(".")] == ["node.key"]
    assert ring_of(place).node_key != ring_of(made).node_key


def test_after_a_rotation_the_old_key_opens_nothing(made: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.key"
    shutil.copy(made / "certs" / "node.key", old)
    ring_of(made).rotate_node_key(made / "data")
    for tenant_id in TENANTS:
        with pytest.raises(StorageError):
            KeyRing(old, "edge").tenant_key(of(made, tenant_id), tenant_id)


def test_a_key_that_does_not_open_keeps_the_nodes_key_from_being_rotated(made: Path) -> None:
    before = (made / "certs" / "node.key").read_bytes()
    (of(made, "demo") / "tenant.key").write_bytes(b"x" * 60)
    with pytest.raises(StorageError, match="demo"):
        ring_of(made).rotate_node_key(made / "data")
    assert (made / "certs" / "node.key").read_bytes() == before
    assert [path.name for path in (made / "certs").iterdir()] == ["node.key"]


def test_a_destruction_stopped_anywhere_can_be_repeated_and_leaves_no_key(made: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"

    def interrupted() -> None:
        fresh(made, place)
        (of(place, "other") / ".tenant.key.0a1b").write_bytes((of(place, "other") / "tenant.key").read_bytes())

    for _ in stops(lambda: ring_of(place).destroy(of(place, "other")), interrupted):
        ring_of(place).destroy(of(place, "other"))
        assert [path.name for path in of(place, "other").iterdir()] == ["edge.db"]
        with pytest.raises(StorageError, match="tenant's key is gone"):
            ring_of(place).tenant_key(of(place, "other"), "other")
        assert opening_key(place, "demo", ring_of(place).tenant_keys(of(place, "demo"), "demo"))


def test_a_destroyed_key_is_overwritten_where_it_lay(made: Path, tmp_path: Path) -> None:
    key = of(made, "demo") / "tenant.key"
    wrapped = key.read_bytes()
    (tmp_path / "watch").hardlink_to(key)
    ring_of(made).destroy(of(made, "demo"))
    assert len((tmp_path / "watch").read_bytes()) == len(wrapped)
    assert (tmp_path / "watch").read_bytes() != wrapped


def test_a_key_made_on_first_use_is_there_whole_or_not_at_all(made: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    for _ in stops(lambda: ring_of(place).tenant_key(of(place, "new"), "new"), lambda: fresh(made, place)):
        key = ring_of(place).tenant_key(of(place, "new"), "new")
        assert ring_of(place).tenant_key(of(place, "new"), "new") == key


@pytest.mark.parametrize("name", ["edge.db", "core.db"])
def test_a_lost_tenant_key_is_replaced_by_nobody_while_its_file_is_there(made: Path, name: str) -> None:
    folder = of(made, "demo")
    (folder / "edge.db").rename(folder / name)
    (folder / "tenant.key").unlink()
    for lookup in (ring_of(made).tenant_key, ring_of(made).tenant_keys, ring_of(made).begin_rekey):
        with pytest.raises(StorageError, match="restore it from the backup"):
            lookup(folder, "demo")
    assert not (folder / "tenant.key").exists()


def test_keys_are_read_and_made_while_the_nodes_key_is_rotated(made: Path) -> None:
    """As other programs do: their rings were opened before."""
    rings, wrong, stopping = [ring_of(made) for _ in range(3)], list[BaseException](), threading.Event()
    keys = dict[str, bytes]()

    def use(ring: KeyRing, worker: int) -> None:
        number = 0
        try:
            while not stopping.is_set():
                tenant_id = f"t{worker}-{number % 5}"
                key = ring.tenant_key(of(made, tenant_id), tenant_id)
                assert keys.setdefault(tenant_id, key) == key
                number += 1
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=use, args=(ring, worker)) for worker, ring in enumerate(rings)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        ring_of(made).rotate_node_key(made / "data")
    stopping.set()
    for thread in threads:
        thread.join()
    assert not wrong and keys
    for tenant_id, key in keys.items():
        assert ring_of(made).tenant_key(of(made, tenant_id), tenant_id) == key
