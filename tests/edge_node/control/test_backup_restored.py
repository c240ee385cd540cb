"""An edge back from its archive, with nothing but that and the recovery key; or why not, and nothing written."""

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_node import settings
from edge_node.cli.backup import backup
from edge_node.cli.restore import restore
from edge_node.control import restoring
from edge_node.control.restoring import restore_into, restore_to
from edge_node.storage.places import api_keys
from edge_node.storage.store import TenantStore
from nearside import placing
from nearside.archive import About, ArchiveWriter, whole_file
from nearside.errors import NearsideError
from nearside.ownership import sole_owner
from nearside.sealing import CREDENTIAL, RecoveryKey
from tests.edge_node.control.places import AT, KEY, Place, inbound, make_place, opened, tree_of, write
from tests.nearside.crashes import stops

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Backed up, and then lost."""
    folder = tmp_path_factory.mktemp("made")
    place = make_place(folder / "edge")
    backup(folder / "a", config=place.config)
    return place


@pytest.fixture
def archive(made: Place) -> Path:
    return made.folder.parent / "a"


def ask() -> RecoveryKey:
    return KEY


def refused(restoring_it: Callable[[], object], *places: Path) -> str:
    """The one line; below `places` all is as it was."""
    before = [tree_of(place) for place in places]
    with pytest.raises(NearsideError) as refusal:
        restoring_it()
    assert [tree_of(place) for place in places] == before
    assert not [path for place in places for path in place.rglob(f"{placing.STAGE}*")]
    return str(refusal.value)


async def test_on_a_bare_machine_the_whole_edge_comes_back(made: Place, archive: Path, tmp_path: Path) -> None:
    restored = restore_into(archive, ask, tmp_path / "new" / "edge")
    there = Place(tmp_path / "new" / "edge", made.secret)
    assert restored.settings == there.config
    for old, new in [
        (made.settings.https.cert, there.settings.https.cert),
        (made.settings.core.key, there.settings.core.key),
    ]:
        assert new.read_bytes() == old.read_bytes()
    assert tree_of(there.settings.tenants["shop"].content) == tree_of(made.settings.tenants["shop"].content)
    assert there.settings.limits.queued == 77
    assert api_keys(there.settings.data, "shop").is_valid(made.secret)
    assert os.listdir(there.folder.parent) == ["edge"]
    assert {path.stat().st_mode & 0o077 for path in there.folder.rglob("*")} == {0}
    store = await opened(there.settings)
    assert [event.body["text"] for event in await store.events(await conversation(store, "t0"), 0, 9)] == [
        "the words of m0",
        "yes",
    ]
    await store.close()


async def conversation(store: TenantStore, thread: str) -> str:
    found = await store.conversation("api", "default", thread)
    assert found
    return found[0].id


async def test_what_was_under_way_is_doubtful_until_it_is_settled(archive: Path, tmp_path: Path) -> None:
    restored = restore_into(archive, ask, tmp_path / "edge")
    assert restored.holdings.open == 2
    store = await opened(settings.load(restored.settings))
    assert [row.status for row in [*await store.inbox_rows(9), *await store.outbox_rows(9)]] == ["doubtful", "doubtful"]
    assert await store.load((await store.inbox_rows(9))[0].id) is None
    again = await store.accept(inbound("m0", "t0"), AT)
    assert again.duplicate
    assert (await store.accept(inbound("new", "t0"), AT)).event_id > 1_000_000
    await store.close()


async def test_secrets_of_the_file_come_along(made: Place, archive: Path, tmp_path: Path) -> None:
    """Tokens that customers have were made with them."""
    restored = restore_into(archive, ask, tmp_path / "edge")
    stores = [await opened(made.settings), await opened(settings.load(restored.settings))]
    assert stores[0].secret("conversation-token") == stores[1].secret("conversation-token")
    for store in stores:
        await store.close()


def test_a_credential_of_this_machine_is_not_taken_for_the_archives_key(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "credentials" / CREDENTIAL, "ab" * 32)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert restore_into(archive, ask, tmp_path / "edge").settings.exists()


def test_an_empty_folder_will_do_and_one_with_anything_in_it_will_not(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty" / ".restore-0a1b" / "half", "what a killed restore left")
    restore_into(archive, ask, tmp_path / "empty")
    assert sorted(os.listdir(tmp_path / "empty")) == ["certs", "content", "data", "edge.toml", "link"]
    assert "the folder is not empty" in refused(lambda: restore_into(archive, never, tmp_path / "empty"), tmp_path)
    write(tmp_path / "file", "")
    assert "the folder is not empty" in refused(lambda: restore_into(archive, never, tmp_path / "file"), tmp_path)


def never() -> RecoveryKey:
    raise AssertionError("the key is asked for though it can come to nothing")


def other_key() -> RecoveryKey:
    return RecoveryKey(bytes(32))


def test_a_wrong_key_writes_nothing(archive: Path, tmp_path: Path) -> None:
    line = refused(lambda: restore_into(archive, other_key, tmp_path / "edge"), tmp_path)
    assert "this recovery key does not open this archive" in line and str(archive) in line


def test_a_damaged_archive_writes_nothing(archive: Path, tmp_path: Path) -> None:
    content = archive.read_bytes()
    for number, damaged in enumerate(
        (content[:-1], content[:-40_000], content[:-9_000] + b"x" + content[-8_999:], b"")
    ):
        copy = tmp_path / str(number)
        copy.write_bytes(damaged)
        assert str(copy) in refused(lambda copy=copy: restore_into(copy, ask, tmp_path / "edge"), tmp_path)  # type: ignore[misc]


def archive_of(path: Path, about: About, **files: bytes) -> Path:
    with whole_file(path, force=False) as file:
        made = ArchiveWriter(file.write, KEY.public, about)
        for name, content in files.items():
            made.add_bytes(name, content)
        made.finish({})
    return path


def test_a_newer_schema_and_the_other_programs_archive_are_refused_before_the_key_is_asked(tmp_path: Path) -> None:
    newer = archive_of(tmp_path / "newer", About("edge-node", "e", {"edge": 99}))
    cores = archive_of(tmp_path / "cores", About("cloud-core", "c", {}))
    into = tmp_path / "edge"
    assert "install the newer release" in refused(lambda: restore_into(newer, never, into), tmp_path)
    assert "`cloud-core restore`" in refused(lambda: restore_into(cores, never, into), tmp_path)


def test_an_archive_whose_parts_are_missing_is_refused(tmp_path: Path) -> None:
    """Made by somebody who knows the public part, or by a program with a fault."""
    hollow = archive_of(tmp_path / "a", About("edge-node", "e", {"edge": 1}), **{"certs/x": b"", "edge.toml": b""})
    refused(lambda: restore_into(hollow, ask, tmp_path / "edge"), tmp_path)


def here(folder: Path, text: str = "") -> Path:
    """A machine that has its edge.toml already."""
    config = folder / "etc" / "edge.toml"
    write(
        config,
        f'name = "shop-edge"\ndata = "{folder}/srv/data"\nnode_key = "keys/node.key"\n{text}'
        f'[tenants.shop]\ncontent = "{folder}/srv/shop"\n',
    )
    return config


def restored_to(archive: Path, config: Path) -> restoring.Restored:
    return restore_to(archive, ask, config, settings.load(config))


async def test_to_the_places_that_an_edge_toml_names(made: Place, archive: Path, tmp_path: Path) -> None:
    config = here(tmp_path)
    before = config.read_bytes()
    restored = restored_to(archive, config)
    assert config.read_bytes() == before
    loaded = settings.load(config)
    assert loaded.node_key.read_bytes() == made.settings.node_key.read_bytes()
    assert (loaded.node_key.parent / "recovery.pub").exists()
    assert tree_of(loaded.tenants["shop"].content) == tree_of(made.settings.tenants["shop"].content)
    assert loaded.core.key.exists() and loaded.https.key.exists()
    assert (restored.kept, restored.unserved) == ([], ["quiet"])
    store = await opened(loaded)
    assert (await store.inbox_rows(9))[0].status == "doubtful"
    await store.close()


def test_what_is_there_is_kept_and_said(archive: Path, tmp_path: Path) -> None:
    config = here(tmp_path)
    write(tmp_path / "etc" / "certs" / "server.crt", "of this machine")
    write(tmp_path / "etc" / "link" / "edge.key", "newer")
    write(tmp_path / "srv" / "shop" / "tenant.toml", "newer")
    restored = restored_to(archive, config)
    assert sorted(Path(kept).name for kept in restored.kept) == ["edge.key", "server.crt", "shop"]
    assert sorted(os.listdir(tmp_path / "etc" / "certs")) == ["server.crt"], "half of a pair is worse than none"
    assert os.listdir(tmp_path / "etc" / "link") == ["edge.key"]
    assert (tmp_path / "srv" / "shop" / "tenant.toml").read_text() == "newer"


def test_data_that_is_there_is_touched_by_nobody(archive: Path, tmp_path: Path) -> None:
    config = here(tmp_path)
    write(tmp_path / "srv" / "data" / "tenants" / "x" / "edge.db", "precious")
    assert "there is data already" in refused(lambda: restored_to(archive, config), tmp_path)


def test_another_nodes_key_that_is_there_is_not_replaced(archive: Path, tmp_path: Path) -> None:
    config = here(tmp_path)
    write(tmp_path / "etc" / "keys" / "node.key", "ab" * 32)
    assert "another node's key is there" in refused(lambda: restored_to(archive, config), tmp_path)


def test_the_same_nodes_key_may_be_there(made: Place, archive: Path, tmp_path: Path) -> None:
    config = here(tmp_path)
    write(tmp_path / "etc" / "keys" / "node.key", made.settings.node_key.read_text())
    assert restored_to(archive, config).kept == []


def test_under_another_name_nothing_would_open(archive: Path, tmp_path: Path) -> None:
    config = here(tmp_path)
    config.write_text(config.read_text().replace("shop-edge", "other-edge"))
    line = refused(lambda: restored_to(archive, config), tmp_path)
    assert 'set name = "shop-edge"' in line and str(config) in line


def test_an_edge_that_serves_the_folder_is_left_alone(archive: Path, tmp_path: Path) -> None:
    config = here(tmp_path)
    with sole_owner(tmp_path / "srv" / "data", "edge"):
        assert "another edge" in refused(lambda: restored_to(archive, config), tmp_path)


def test_a_disk_that_fills_up_undoes_everything(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = here(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/srv/x")

    for module, function in ((placing, "write_secret"), (restoring, "_place_data")):
        monkeypatch.setattr(module, function, full)
        assert "No space left" in refused(lambda: restored_to(archive, config), tmp_path)
        monkeypatch.undo()
    monkeypatch.setattr(os, "rename", full)
    assert "No space left" in refused(lambda: restore_into(archive, ask, tmp_path / "edge"), tmp_path)
    monkeypatch.undo()
    restored_to(archive, config)


def test_a_restore_that_is_killed_anywhere_leaves_nothing_to_serve_or_all_of_it(archive: Path, tmp_path: Path) -> None:
    into = tmp_path / "edge"
    whole = 0
    for _ in stops(lambda: restore_into(archive, ask, into), lambda: shutil.rmtree(into, ignore_errors=True), step=4):
        if (into / "edge.toml").exists():
            loaded = settings.load(into / "edge.toml")
            assert api_keys(loaded.data, "shop").all() and loaded.node_key.exists()
            whole += 1
    assert whole


@pytest.mark.parametrize("how", ["file", "stdin"])
def test_the_key_comes_from_a_file_or_from_standard_input(
    archive: Path, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "key", f"\n  {KEY.text.lower()}\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(KEY.text))
    restore(archive, into=tmp_path / "edge", key_file=tmp_path / "key" if how == "file" else None)
    said = capsys.readouterr().out
    assert "2 turns and replies were under way" in said and f"serve --config {tmp_path / 'edge' / 'edge.toml'}" in said


def test_a_typo_is_named_and_asked_again_at_a_terminal(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["nonsense", KEY.text[:-1] + ("Z" if KEY.text[-1] != "Z" else "Y"), KEY.text]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda _: typed.pop(0))
    restore(archive, into=tmp_path / "edge")
    assert "look at group 14" in capsys.readouterr().err


def test_a_list_shows_what_is_in_it_and_restores_nothing(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "key", KEY.text)
    assert "shop-edge" in shown(capsys, archive, only_list=True, key_file=tmp_path / "key")
    as_json = shown(capsys, archive, only_list=True, key_file=tmp_path / "key", as_json=True)
    assert '"path": "data/tenants/shop/edge.db"' in as_json and '"open_turns": 1' in as_json
    assert os.listdir(tmp_path) == ["key"]


def shown(capsys: pytest.CaptureFixture[str], archive: Path, **options: Any) -> str:
    restore(archive, **options)
    return capsys.readouterr().out


def test_where_to_is_asked_before_the_key(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARSIDE_EDGE_CONFIG", raising=False)
    with pytest.raises(NearsideError, match="--into DIR"):
        restore(archive)
