"""The demo's tools and rules against the shop's API as a process of its own."""

import asyncio
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nearside.content import TenantContent, load_tenant_content
from nearside.origins import Reason
from nearside.tools import ToolCall, ToolFailure, ToolResult, ToolRunner
from tests.demo.shop import Shop, shop
from tests.edge_node.responders.desk import Customer, FakeShop
from tests.edge_node.tools.rooms import Room
from tests.servers import ROOT

pytestmark = pytest.mark.server


def content_for(running: Shop) -> TenantContent:
    return load_tenant_content(
        ROOT / "demo", variables={"shop_url": running.url}, secret_files={"shop_token": running.token_file}
    )


def room(running: Shop) -> Room:
    return Room(running.token_file.parent, content_for(running))


class RealShop(FakeShop):
    """Calls the process; a room of its own for each call, because every message runs in a loop of its own."""

    def __init__(self, running: Shop) -> None:
        super().__init__()
        self._room = room(running)

    async def run(
        self, name: str, arguments: Mapping[str, Any], turn_id: str, call_id: str, conversation_id: str
    ) -> Any:
        self.calls.append((name, dict(arguments), turn_id, call_id))
        return await self._room.run(name, arguments, turn_id, call_id)


def call(running: Shop, name: str, arguments: dict[str, Any], turn_id: str = "t_1") -> Any:
    return asyncio.run(room(running).run(name, arguments, turn_id, f"test/{name}"))


def kind(running: Shop, name: str, arguments: dict[str, Any]) -> str:
    with pytest.raises(ToolFailure) as caught:
        call(running, name, arguments)
    return caught.value.kind


def test_tools_are_those_of_the_folder_and_no_others(tmp_path: Path) -> None:
    with shop(tmp_path) as running:
        status = call(running, "order_status", {"order_number": "1042"})
        assert (status["number"], status["state"]) == ("1042", "processing")
        assert kind(running, "order_status", {"order_number": "9999"}) == "not_found"
        assert kind(running, "order_status", {"order_number": "../1042"}) == "bad_arguments"
        assert kind(running, "delete_everything", {}) == "not_allowed"
        assert kind(running, "order_status", {"order_number": "1042", "extra": "1"}) == "bad_arguments"


def test_a_repeated_write_changes_nothing_more(tmp_path: Path) -> None:
    with shop(tmp_path) as running:
        arguments = {"kind": "human", "summary": "please"}
        first = call(running, "create_ticket", arguments)
        assert call(running, "create_ticket", arguments) == first
        assert call(running, "create_ticket", arguments, "t_2") != first


def test_reads_leave_the_ledger_alone(tmp_path: Path) -> None:
    with shop(tmp_path) as running:
        call(running, "order_status", {"order_number": "1042"})
        call(running, "verify_order", {"order_number": "1042", "fact": "4711"})
        assert room(running).calls("t_1") == []
        call(running, "create_ticket", {"kind": "human", "summary": "please"})
        assert [known.tool for known in room(running).calls("t_1")] == ["create_ticket"]


@pytest.mark.parametrize(
    ("name", "arguments", "status"),
    [
        ("cancel_order", {"order_number": "1042"}, "done"),
        ("create_ticket", {"kind": "human", "summary": "please"}, "done"),
        ("cancel_order", {"order_number": "1042"}, "refused"),
    ],
)
def test_the_shop_tells_what_became_of_a_write(
    tmp_path: Path, name: str, arguments: dict[str, Any], status: str
) -> None:
    async def ask(made: ToolCall, running: Shop) -> ToolResult | None:
        async with httpx2.AsyncClient(trust_env=False) as client:
            token = running.token_file.read_text()
            return await ToolRunner(client, {"shop_url": running.url}, lambda _: token).ask(made)

    with shop(tmp_path) as running:
        made = ToolCall(content_for(running).tools[name], arguments, "t_1", f"test/{name}")
        assert asyncio.run(ask(made, running)) is None
        if status == "done":
            first = call(running, name, arguments)
            told = asyncio.run(ask(made, running))
            assert told is not None and told.value == first
        else:
            call(running, name, arguments, "t_0")
            refusal = kind(running, name, arguments)
            with pytest.raises(ToolFailure) as caught:
                asyncio.run(ask(made, running))
            assert (caught.value.kind, caught.value.fate) == (refusal, "refused") == ("already_cancelled", "refused")


def test_a_shop_that_is_gone_or_has_another_token_is_told(tmp_path: Path) -> None:
    with shop(tmp_path) as running:
        stranger = Shop(running.url, tmp_path / "wrong.token")
        stranger.token_file.write_text("wrong")
        assert kind(stranger, "order_status", {"order_number": "1042"}) == "bad_response"
    assert kind(running, "order_status", {"order_number": "1042"}) == "unavailable"


def test_a_conversation_cancels_an_order_with_proof_and_a_yes(tmp_path: Path) -> None:
    with shop(tmp_path) as running:
        connection = sqlite3.connect(tmp_path / "shop.db")
        phone, email = connection.execute("SELECT phone, email FROM orders WHERE number = 1042").fetchone()
        connection.close()
        customer = Customer(shop=RealShop(running))
        status = customer.hears("Where is my order 1042?")
        assert "being prepared" in status.text
        assert phone not in status.text and email not in status.text
        customer.hears("cancel order 1042")
        wrong = "0000" if phone[-4:] != "0000" else "0001"
        assert customer.hears(wrong).reason is Reason.VERIFICATION
        assert customer.hears(f"it ends in {phone[-4:]}").reason is Reason.CONFIRM
        assert "cancelled" in customer.hears("yes").text
        assert "已取消" in customer.hears("订单1042到哪了").text
        customer.hears("cancel order 1042")
        assert "already" in customer.hears("yes").text
        assert "T-2" in customer.hears("我要找真人客服").text
