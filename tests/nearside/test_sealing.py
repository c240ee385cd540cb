import threading
from pathlib import Path

import pytest

from nearside.errors import StorageError
from nearside.sealing import CREDENTIAL, KEY_BYTES, KeyRing, derive, make_node_key, write_secret

pytestmark = pytest.mark.unit


def ring_of(node_key: Path, node: str) -> KeyRing:
    make_node_key(node_key, node_key.parent / "data")
    return KeyRing(node_key, node)


def test_a_tenants_key_is_made_once_and_opens_again(tmp_path: Path) -> None:
    key = ring_of(tmp_path / "node.key", "edge").tenant_key(tmp_path / "demo", "demo")
    assert len(key) == KEY_BYTES
    assert ring_of(tmp_path / "node.key", "edge").tenant_key(tmp_path / "demo", "demo") == key
    assert key not in (tmp_path / "demo" / "tenant.key").read_bytes()


def test_tenants_have_different_keys(tmp_path: Path) -> None:
    ring = ring_of(tmp_path / "node.key", "edge")
    assert ring.tenant_key(tmp_path / "demo", "demo") != ring.tenant_key(tmp_path / "other", "other")


@pytest.mark.parametrize(("node", "tenant"), [("edge", "other"), ("edge-two", "demo")])
def test_a_wrapped_key_opens_for_no_other_tenant_and_on_no_other_node(tmp_path: Path, node: str, tenant: str) -> None:
    ring_of(tmp_path / "node.key", "edge").tenant_key(tmp_path / "demo", "demo")
    with pytest.raises(StorageError, match=r"tenant\.key"):
        ring_of(tmp_path / "node.key", node).tenant_key(tmp_path / "demo", tenant)


def test_a_wrapped_key_does_not_open_under_another_nodes_key(tmp_path: Path) -> None:
    ring_of(tmp_path / "node.key", "edge").tenant_key(tmp_path / "demo", "demo")
    with pytest.raises(StorageError):
        ring_of(tmp_path / "other.key", "edge").tenant_key(tmp_path / "demo", "demo")


@pytest.mark.parametrize("at", [0, 15, -1])
def test_an_altered_wrapped_key_does_not_open(tmp_path: Path, at: int) -> None:
    ring = ring_of(tmp_path / "node.key", "edge")
    ring.tenant_key(tmp_path, "demo")
    content = bytearray((tmp_path / "tenant.key").read_bytes())
    content[at] ^= 1
    (tmp_path / "tenant.key").write_bytes(content)
    with pytest.raises(StorageError):
        ring.tenant_key(tmp_path, "demo")


@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_a_wrapped_key_cut_short_is_an_error_of_ours(tmp_path: Path, length: int) -> None:
    ring = ring_of(tmp_path / "node.key", "edge")
    ring.tenant_key(tmp_path, "demo")
    (tmp_path / "tenant.key").write_bytes((tmp_path / "tenant.key").read_bytes()[:length])
    with pytest.raises(StorageError):
        ring.tenant_key(tmp_path, "demo")


def test_keys_are_private_and_a_public_or_damaged_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "node.key"
    ring_of(file, "edge").tenant_key(tmp_path, "demo")
    assert [path.stat().st_mode & 0o777 for path in (file, tmp_path / "tenant.key")] == [0o600, 0o600]
    file.chmod(0o640)
    with pytest.raises(StorageError, match="chmod 600"):
        KeyRing(file, "edge")
    file.chmod(0o600)
    for content in ("", "zz", "ab" * 31):
        file.write_text(content)
        with pytest.raises(StorageError, match="damaged"):
            KeyRing(file, "edge")


def test_programs_that_start_at_once_agree_on_the_keys(tmp_path: Path) -> None:
    begin, keys = threading.Barrier(8), set[bytes]()

    def open_key() -> None:
        begin.wait()
        keys.add(ring_of(tmp_path / "node.key", "edge").tenant_key(tmp_path / "demo", "demo"))

    threads = [threading.Thread(target=open_key) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo", "node.key"]


def test_a_lost_node_key_is_replaced_by_nobody_while_it_is_needed(tmp_path: Path) -> None:
    file, data = tmp_path / "node.key", tmp_path / "data"
    assert make_node_key(file, data)
    KeyRing(file, "edge").tenant_key(data / "tenants" / "demo", "demo")
    assert not make_node_key(file, data)
    file.unlink()
    with pytest.raises(StorageError, match="restore it from the backup"):
        KeyRing(file, "edge")
    with pytest.raises(StorageError, match="restore it from the backup"):
        make_node_key(file, data)
    assert not file.exists()


def hand_over(folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As systemd does: readable for one user, in a folder of its own."""
    file = folder / "credentials" / CREDENTIAL
    file.parent.mkdir()
    file.write_bytes(content)
    file.chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(file.parent))
    return file


def test_a_credential_of_systemd_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ring_of(tmp_path / "node.key", "edge").tenant_key(tmp_path / "demo", "demo")
    hand_over(tmp_path, (tmp_path / "node.key").read_bytes() + b"\n", monkeypatch)
    (tmp_path / "node.key").write_text("ab" * 32)
    assert KeyRing(tmp_path / "node.key", "edge").tenant_key(tmp_path / "demo", "demo") == key
    (tmp_path / "node.key").unlink()
    assert KeyRing(tmp_path / "node.key", "edge").tenant_key(tmp_path / "demo", "demo") == key
    assert not make_node_key(tmp_path / "node.key", tmp_path)


def test_a_credential_is_rotated_by_whoever_hands_it_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = ring_of(tmp_path / "node.key", "edge")
    file = hand_over(tmp_path, (tmp_path / "node.key").read_bytes(), monkeypatch)
    with pytest.raises(StorageError, match="credential") as refusal:
        ring.rotate_node_key(tmp_path)
    assert str(tmp_path / "node.key") in refusal.value.hint and refusal.value.where == str(file)


def test_a_folder_of_credentials_without_ours_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_over(tmp_path, b"zz", monkeypatch).rename(tmp_path / "credentials" / "of-another-service")
    assert len(ring_of(tmp_path / "node.key", "edge").tenant_key(tmp_path, "demo")) == KEY_BYTES


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = ring_of(tmp_path / "node.key", "edge")
    ring.tenant_key(tmp_path / "data" / "tenants" / "demo", "demo")

    def refuse(partial: Path, *_: object) -> int:
        raise PermissionError(13, "Permission denied", str(partial))

    monkeypatch.setattr("nearside.sealing.files.os.open", refuse)
    for work in (lambda: ring.rotate_node_key(tmp_path / "data"), lambda: ring.tenant_key(tmp_path / "new", "new")):
        with pytest.raises(StorageError, match="Permission denied") as refusal:
            work()
        assert str(tmp_path) in refusal.value.where


def test_a_key_wrapped_for_a_copy_opens_there(tmp_path: Path) -> None:
    ring = ring_of(tmp_path / "node.key", "edge")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "tenant.key").write_bytes(ring.wrapped(b"k" * KEY_BYTES, "demo"))
    assert ring.tenant_key(tmp_path / "copy", "demo") == b"k" * KEY_BYTES


def test_derived_keys_depend_on_key_and_purpose() -> None:
    keys = {derive(bytes([number]) * 32, purpose) for number in (1, 2) for purpose in ("a", "b")}
    assert len(keys) == 4
    assert derive(b"k", "a") == derive(b"k", "a")


def test_a_secret_is_replaced_whole_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    write_secret(path, b"one")
    write_secret(path, b"two")
    write_secret(path, b"three", keep=True)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
