"""Packs brought to an edge that serves, and to one that is stopped."""

import asyncio
import gc
from collections import Counter
from pathlib import Path

import pytest

from edge_node.control.edge import stopped_edge
from edge_node.control.operations import operations
from edge_node.messages import Delivery
from edge_node.packs.shelf import Shelf, incoming
from edge_node.storage.places import tenant_folder
from nearside.encoder import TextEncoder
from nearside.errors import NearsideError
from tests.edge_node.packs.companies import company, packed
from tests.edge_node.packs.stage import Running, running, settings_of
from tests.edge_node.stage import until

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


def pack_of(folder: Path, says: str, number: int, tenant: str = "shop", more: str = "") -> Path:
    file = folder / f"{tenant}-{number}.pack"
    packed(company(folder / f"built-{tenant}-{number}", says, more), file, number, tenant=tenant)
    return file


async def install(on: Running, file: Path, tenant: str = "shop") -> dict[str, object]:
    with incoming(Shelf(tenant_folder(on.edge.settings.data, tenant)), file) as part:
        found: dict[str, object] = await operations()["pack install"].run(on.edge, {"tenant": tenant, "part": part})
    return found


async def roll_back(on: Running, tenant: str = "shop") -> dict[str, object]:
    found: dict[str, object] = await operations()["pack rollback"].run(on.edge, {"tenant": tenant})
    return found


def text_of(delivery: Delivery) -> str:
    return str(delivery.event.body["text"])


async def answer(on: Running, number: int, tenant: str = "shop", text: str = "hello") -> str:
    before = len(on.sent)
    await on.say(text, number, tenant, thread=f"t{number}")
    await until(lambda: len(on.sent) > before)
    return text_of(on.sent[-1])


async def test_a_running_edge_answers_from_a_pack_and_goes_back(tmp_path: Path, encoder: TextEncoder) -> None:
    async with running(settings_of(tmp_path, {"shop": "folder"}), encoder) as on:
        assert await answer(on, 1) == "folder"
        found = await install(on, pack_of(tmp_path, "one", 1))
        assert (found["faq"], found["rules"], found["runs"]) == (1, 1, True)
        assert await answer(on, 2) == "one"
        assert on.served.packs["shop"] == (found["active"], "")
        await install(on, pack_of(tmp_path, "two", 2))
        assert await answer(on, 3) == "two"
        assert (await roll_back(on))["active"] == found["active"]
        assert await answer(on, 4) == "one"
        assert (await roll_back(on))["active"] is None
        assert await answer(on, 5) == "folder"
        with pytest.raises(NearsideError, match="nothing to go back from"):
            await roll_back(on)


async def test_after_a_restart_it_answers_from_the_same_pack(tmp_path: Path, encoder: TextEncoder) -> None:
    settings = settings_of(tmp_path, {"shop": "folder"})
    async with running(settings, encoder) as on:
        await install(on, pack_of(tmp_path, "one", 1))
    async with running(settings, encoder) as on:
        assert await answer(on, 1) == "one"


async def test_a_stopped_edge_takes_a_pack_too(tmp_path: Path, encoder: TextEncoder) -> None:
    settings = settings_of(tmp_path, {"shop": "folder"})
    async with stopped_edge(settings, "shop", lambda _: None) as edge:
        with incoming(Shelf(tenant_folder(settings.data, "shop")), pack_of(tmp_path, "one", 1)) as part:
            found = await operations()["pack install"].run(edge, {"tenant": "shop", "part": part})
    assert found["runs"] is False
    async with running(settings, encoder) as on:
        assert await answer(on, 1) == "one"


async def test_what_cannot_be_used_changes_nothing(tmp_path: Path, encoder: TextEncoder) -> None:
    wrong = company(tmp_path / "wrong", "x")
    (wrong / "rules" / "talk.yaml").write_text("rules:\n  - id: a\n")
    packed(wrong, tmp_path / "wrong.pack")
    good = pack_of(tmp_path, "two", 2)
    (tmp_path / "cut.pack").write_bytes(good.read_bytes()[:-1])
    refused = [tmp_path / "wrong.pack", tmp_path / "cut.pack", pack_of(tmp_path, "bank", 1, "bank")]
    async with running(settings_of(tmp_path, {"shop": "folder"}), encoder) as on:
        await install(on, pack_of(tmp_path, "one", 1))
        shelf = Shelf(tenant_folder(on.edge.settings.data, "shop"))
        before = {file.name: file.read_bytes() for file in shelf.folder.iterdir()}
        for file in refused:
            with pytest.raises(NearsideError) as error:
                await install(on, file)
            assert "\n" not in str(error.value)
        assert {file.name: file.read_bytes() for file in shelf.folder.iterdir()} == before
        assert await answer(on, 1) == "one"


async def test_a_tenant_that_the_edge_does_not_serve_is_refused(tmp_path: Path, encoder: TextEncoder) -> None:
    async with running(settings_of(tmp_path, {"shop": "folder"}), encoder) as on:
        with pytest.raises(NearsideError, match="no tenant bank"):
            await install(on, pack_of(tmp_path, "bank", 1, "bank"), "bank")


async def test_two_companies_with_packs_have_nothing_in_common(tmp_path: Path, encoder: TextEncoder) -> None:
    async with running(settings_of(tmp_path, {"shop": "shop's folder", "bank": "bank's folder"}), encoder) as on:
        await install(on, pack_of(tmp_path, "shop's pack", 1))
        assert await answer(on, 1, "bank") == "bank's folder"
        await install(on, pack_of(tmp_path, "bank's pack", 1, "bank"), "bank")
        assert [await answer(on, 2), await answer(on, 3, "bank")] == ["shop's pack", "bank's pack"]
        await roll_back(on)
        assert [await answer(on, 4), await answer(on, 5, "bank")] == ["shop's folder", "bank's pack"]


async def test_what_a_customer_sees_of_the_company_changes_with_it(tmp_path: Path, encoder: TextEncoder) -> None:
    async with running(settings_of(tmp_path, {"shop": "folder"}), encoder) as on:
        look = '[branding]\ncolor = "#123456"\n[turns]\ndebounce_s = 0.1\n'
        await install(on, pack_of(tmp_path, "one", 1, more=look))
        assert on.served.find("shop").branding.color == "#123456"
        assert on.served.rooms["shop"].debounce_s == 0.1


async def some_more(on: Running) -> None:
    known = len(on.sent)
    await until(lambda: len(on.sent) > known + 10)


async def test_every_turn_has_one_reply_of_one_pack_while_packs_come_and_go(
    tmp_path: Path, encoder: TextEncoder
) -> None:
    files = [pack_of(tmp_path, f"pack {number}", number) for number in range(1, 5)]
    async with running(settings_of(tmp_path, {"shop": "pack 0", "bank": "bank"}), encoder) as on:
        ended = asyncio.Event()
        said = 0

        async def customers(tenant: str) -> None:
            nonlocal said
            while not ended.is_set():
                said += 1
                await on.say("hello", said, tenant, thread=f"t{said % 40}")
                await asyncio.sleep(0.001)

        writing = [asyncio.create_task(customers(tenant)) for tenant in ("shop", "shop", "bank")]
        for file in files:
            await some_more(on)
            await install(on, file)
        await some_more(on)
        await roll_back(on)
        await some_more(on)
        ended.set()
        await asyncio.gather(*writing)
        await until(lambda: len(on.sent) >= said)
        await asyncio.sleep(0.1)
        texts = Counter(text_of(delivery) for delivery in on.sent)
    assert len(on.sent) == said
    assert len({(delivery.tenant.id, delivery.event.turn_id) for delivery in on.sent}) == said
    assert set(texts) == {"bank", *(f"pack {number}" for number in range(5))}
    shop = [text_of(delivery) for delivery in on.sent if delivery.tenant.id == "shop"]
    assert shop[0] == "pack 0"


async def test_a_promise_is_kept_by_what_answers_then(tmp_path: Path, encoder: TextEncoder) -> None:
    """The old pack is not kept in memory for those who were promised an answer."""
    async with running(settings_of(tmp_path, {"shop": "folder"}), encoder) as on:
        assert "kept your question" in await answer(on, 1, text="what is the meaning of tents")
        old = on.served.rooms["shop"]
        await install(on, pack_of(tmp_path, "one", 1))
        gc.collect()
        promises = [*on.turns.deferred._waiting.values(), *on.turns.deferred._under_way.values()]
        assert promises and all(promise.room is on.served.rooms["shop"] is not old for promise in promises)
