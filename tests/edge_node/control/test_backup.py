"""An edge's archive: made while it serves or is stopped, whole or not at all."""

import asyncio
import json
import os
import resource
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_node.cli.backup import backup, size_of
from edge_node.control import backups, server
from edge_node.control.edge import Edge
from edge_node.control.operations import operations
from edge_node.packs.shelf import Shelf, incoming
from edge_node.storage.places import tenant_folder
from nearside.archive import read_manifest, unpack
from nearside.errors import NearsideError, StorageError
from nearside.sealing import KeyRing
from tests.edge_node.control.places import KEY, Place, inbound, make_place, opened, tree_of, write
from tests.edge_node.packs.companies import company, packed
from tests.servers import PROGRAMS

pytestmark = pytest.mark.unit

HELD = {
    "edge.toml",
    "certs/node.key",
    "certs/recovery.pub",
    "certs/server.crt",
    "certs/server.key",
    "certs/ca.crt",
    "link/ca.crt",
    "link/edge.crt",
    "link/edge.key",
    "data/tenants/shop/edge.db",
    "data/tenants/shop/tenant.key",
    "data/tenants/shop/api_keys.json",
    "content/shop/tenant.toml",
    "content/shop/rules/说话.yaml",
    "content/quiet/tenant.toml",
    "content/quiet/rules/说话.yaml",
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path / "edge")


def json_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def unpacked(archive: Path, into: Path) -> dict[str, bytes]:
    unpack(archive, KEY, into, program="edge-node", schemas={"edge": 99})
    return tree_of(into)


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[Edge]:
    """Its control socket, and one tenant's store, as a running edge has them."""
    settings = place.settings
    store = await opened(settings)
    edge = Edge(settings, KeyRing(settings.node_key, settings.name), {"shop": store})
    async with server.controlled(edge, operations()):
        yield edge
    await store.close()


def test_a_stopped_edge_is_backed_up_whole(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = place.tree()
    backup(tmp_path / "a", config=place.config, as_json=True)
    held = json_of(capsys)
    assert {entry.path for entry in read_manifest(tmp_path / "a", KEY).files} == HELD
    assert held["tenants"] == {
        "shop": {"conversations": 3, "messages": 3, "open_turns": 1, "unsent_replies": 1},
        "quiet": {"conversations": 0, "messages": 0, "open_turns": 0, "unsent_replies": 0},
    }
    assert (held["files"], held["bytes"]) == (len(HELD), (tmp_path / "a").stat().st_size)
    after = place.tree()
    assert {name: after[name] for name in before} == before


def test_people_are_told_what_it_holds(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backup(tmp_path / "a", config=place.config)
    shown = capsys.readouterr()
    assert f"wrote {tmp_path / 'a'}: 2 companies, 3 conversations, 16 files, " in shown.out
    assert KEY.public.id in shown.out and "shop: 1 of 2" in shown.err
    assert "left out: " in shown.err and "own/ca.key: no such file" in shown.err


def test_an_archive_is_a_place_that_an_edge_can_be_served_from(place: Place, tmp_path: Path) -> None:
    backup(tmp_path / "a", config=place.config)
    moved = Place(tmp_path / "moved", "")
    unpacked(tmp_path / "a", moved.folder)
    settings = moved.settings
    paths = [settings.data, settings.node_key, settings.https.cert, settings.https.key, settings.core.ca]
    paths += [settings.core.cert, settings.core.key, *(tenant.content for tenant in settings.tenants.values())]
    assert all(path.is_relative_to(moved.folder) and path.exists() for path in paths)
    assert (settings.name, settings.https.port, settings.limits.queued) == ("shop-edge", 9443, 77)
    text = moved.config.read_text()
    assert "# the shop's edge, written by hand" in text and "queued = 77  # enough" in text
    assert str(place.folder) not in text


async def test_a_running_edge_is_backed_up_while_it_takes_messages(place: Place, tmp_path: Path) -> None:
    async with serving(place) as edge:
        store, stopping = edge.stores["shop"], asyncio.Event()

        async def customer(number: int) -> int:
            sent = 0
            while not stopping.is_set():
                await store.accept(inbound(f"c{number}-{sent}", f"c{number}"), 1.0)
                sent += 1
            return sent

        customers = [asyncio.create_task(customer(number)) for number in range(8)]
        for number in range(3):
            await asyncio.to_thread(backup, tmp_path / f"a{number}", config=place.config)
        stopping.set()
        sent = sum([await work for work in customers])
    manifest = read_manifest(tmp_path / "a2", KEY)
    assert 3 < manifest.facts["tenants"]["shop"]["messages"] <= 3 + sent
    assert not list(place.settings.data.glob(".backup*"))


async def test_a_backup_of_a_file_in_the_middle_of_a_rekeying_opens(place: Place, tmp_path: Path) -> None:
    settings = place.settings
    folder = tenant_folder(settings.data, "shop")
    KeyRing(settings.node_key, settings.name).begin_rekey(folder, "shop")
    await asyncio.to_thread(backup, tmp_path / "a", config=place.config)
    found = unpacked(tmp_path / "a", tmp_path / "out")
    assert "data/tenants/shop/tenant.key.next" not in found
    store = await opened(Place(tmp_path / "out", "").settings)
    assert store.figures().queued == 1
    await store.close()


async def test_a_second_backup_at_the_same_time_is_refused(place: Place, tmp_path: Path) -> None:
    async with serving(place):
        both = [asyncio.to_thread(backup, tmp_path / name, config=place.config) for name in "ab"]
        outcomes = await asyncio.gather(*both, return_exceptions=True)
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert [str(error) for error in refused if "backup is under way" not in str(error)] == []
    assert len([name for name in os.listdir(tmp_path) if len(name) == 1]) == 2 - len(refused)


async def test_a_command_that_is_killed_leaves_nothing_at_the_edge(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs up in the middle: the edge gives up, and is ready for the next one."""
    write(place.folder / "companies" / "shop" / "large.txt", "x" * (3 << 20))

    def take_little(progress: Mapping[str, Any]) -> None:
        if "pipe" in progress:
            descriptor = os.open(progress["pipe"], os.O_RDONLY | os.O_NONBLOCK)
            asyncio.get_running_loop().call_later(0.3, os.close, descriptor)

    async with serving(place) as edge:
        operation, text = operations()["backup"], place.config.read_text()
        with pytest.raises(StorageError, match="is gone"):
            await operation.run(replace(edge, report=take_little), {"settings": text})
        assert not list(place.settings.data.glob(".backup*"))
        monkeypatch.setattr("edge_node.control.pipe.READER_S", 0.3)
        with pytest.raises(StorageError, match="nobody takes the archive"):
            await operation.run(replace(edge, report=lambda _: None), {"settings": text})
        assert not list(place.settings.data.glob(".backup*"))
        await asyncio.to_thread(backup, tmp_path / "a", config=place.config)


async def test_a_cancelled_backup_ends_soon_and_leaves_nothing(place: Place) -> None:
    """As when the edge is stopped meanwhile."""
    async with serving(place) as edge:
        work = asyncio.create_task(operations()["backup"].run(edge, {"settings": place.config.read_text()}))
        await asyncio.sleep(0.2)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert not list(place.settings.data.glob(".backup*"))


async def test_a_full_disk_where_the_archive_goes_is_said_and_leaves_nothing(place: Place, tmp_path: Path) -> None:
    write(place.folder / "companies" / "shop" / "large.txt", "x" * (3 << 20))
    (tmp_path / "full").mkdir()
    command = [str(PROGRAMS / "edge-node"), "backup", str(tmp_path / "full" / "a"), "--config", str(place.config)]

    def narrow() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    async with serving(place):
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=60, preexec_fn=narrow
        )
    assert done.returncode == 1 and "look at disk space" in done.stderr and str(tmp_path / "full" / "a") in done.stderr
    assert not list((tmp_path / "full").iterdir())


def test_what_a_killed_edge_left_of_a_backup_is_removed(place: Place, tmp_path: Path) -> None:
    write(place.settings.data / ".backup-old" / "shop.db", "half")
    backup(tmp_path / "a", config=place.config)
    assert not list(place.settings.data.glob(".backup*"))


def test_without_a_recovery_key_there_is_no_backup(place: Place, tmp_path: Path) -> None:
    (place.folder / "certs" / "recovery.pub").unlink()
    with pytest.raises(NearsideError, match="edge-node keys recovery"):
        backup(tmp_path / "a", config=place.config)
    assert not (tmp_path / "a").exists() and not list(tmp_path.glob(".*"))


def test_a_file_there_stays_unless_force_is_given(place: Place, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("precious")
    with pytest.raises(StorageError, match="--force"):
        backup(tmp_path / "a", config=place.config)
    assert (tmp_path / "a").read_text() == "precious"
    backup(tmp_path / "a", force=True, config=place.config)
    assert read_manifest(tmp_path / "a", KEY).files


def test_what_stands_in_no_backup_is_said(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(place.settings.data / "tenants" / "former" / "edge.db", "of a company that was taken off")
    monkeypatch.setenv("EDGE__LIMITS__QUEUED", "5")
    backup(tmp_path / "a", config=place.config, as_json=True)
    left_out = "\n".join(map(str, json_of(capsys)["left_out"]))
    assert "former: edge.toml does not name this company" in left_out
    assert "EDGE__LIMITS__QUEUED: set in the environment" in left_out


def test_the_name_that_the_keys_are_bound_to_goes_into_the_archive(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.config.write_text(place.config.read_text().replace('name = "shop-edge"\n', ""))
    monkeypatch.setenv("EDGE__NAME", "shop-edge")
    backup(tmp_path / "a", config=place.config)
    monkeypatch.delenv("EDGE__NAME")
    unpacked(tmp_path / "a", tmp_path / "out")
    assert Place(tmp_path / "out", "").settings.name == "shop-edge"


def test_a_copy_that_none_of_the_keys_opens_is_no_backup(place: Place) -> None:
    with pytest.raises(StorageError):
        backups._opened(tenant_folder(place.settings.data, "shop") / "edge.db", (b"k" * 32, b"l" * 32))


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (5 << 20, "5.0 MiB"), (3 << 31, "6.0 GiB")],
)
def test_sizes_are_said_in_words(number: int, said: str) -> None:
    assert size_of(number) == said


def test_packs_travel_with_their_company(place: Place, tmp_path: Path) -> None:
    shelf = Shelf(tenant_folder(place.settings.data, "shop"))
    version = packed(company(tmp_path / "built", "hello"), tmp_path / "a.pack").version
    with incoming(shelf, tmp_path / "a.pack") as part:
        shelf.take(shelf.part(part), version)
    (shelf.folder / ".incoming-000000000000").write_text("half of one")
    backup(tmp_path / "a", config=place.config)
    found = unpacked(tmp_path / "a", tmp_path / "out")
    packs = {name: content for name, content in found.items() if "/packs/" in name}
    assert packs == {
        f"data/tenants/shop/packs/{version}.pack": (tmp_path / "a.pack").read_bytes(),
        "data/tenants/shop/packs/active.json": (shelf.folder / "active.json").read_bytes(),
    }
