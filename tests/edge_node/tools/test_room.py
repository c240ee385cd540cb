"""The demo's tools and rules against the shop's API as a process of its own."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_node.tools.room import ToolRoom
from nearside.content import load_tenant_content
from nearside.origins import Reason
from nearside.tools import ToolFailure
from tests.demo.shop import Shop, shop
from tests.edge_node.responders.desk import Customer, FakeShop
from tests.servers import ROOT

pytestmark = pytest.mark.server


@asynccontextmanager
async def room(running: Shop) -> AsyncIterator[ToolRoom]:
    content = load_tenant_content(
        ROOT / "demo", variables={"shop_url": running.url}, secret_files={"shop_token": running.token_file}
    )
    opened = ToolRoom(content.tools, content.variables, content.secret_files)
    try:
        yield opened
    finally:
        await opened.close()


class RealShop(FakeShop):
    """Calls the process; a room of its own for each call, because every message runs in a loop of its own."""

    def __init__(self, running: Shop) -> None:
        super().__init__()
        self._running = running

    async def run(self, name: str, arguments: Mapping[str, Any], turn_id: str, call_id: str) -> Any:
        self.calls.append((name, dict(arguments), turn_id, call_id))
        async with room(self._running) as tools:
            return await tools.run(name, arguments, turn_id, call_id)


def call(running: Shop, name: str, arguments: dict[str, Any], turn_id: str = "t_1") -> Any:
    async def go() -> Any:
        async with room(running) as tools:
            return await tools.run(name, arguments, turn_id, f"test/{name}")

    return asyncio.run(go())


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
