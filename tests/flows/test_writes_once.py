"""The edge is killed while it cancels an order: it is cancelled once, and the customer is told what is true."""

import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from demo.launch.tomledit import set_keys
from tests import servers
from tests.flows.between import Between, Hold, between
from tests.servers import PROGRAMS, Demo, wait_until

pytestmark = pytest.mark.server


@dataclass(frozen=True, slots=True)
class Company:
    """The demo, with a server between its edge and its shop. `command` starts the edge."""

    demo: Demo
    shop: Between
    command: list[str]

    def row(self, query: str, *values: Any) -> Any:
        connection = sqlite3.connect(self.demo.home / "shop.db")
        try:
            return connection.execute(query, values).fetchone()
        finally:
            connection.close()

    def state_of(self, order: int) -> str:
        return str(self.row("SELECT state FROM orders WHERE number = ?", order)[0])

    def confirms(self, order: int, conversation: str) -> str:
        """Up to the yes, which is acknowledged and not waited for; its turn."""
        phone = re.sub(r"\D", "", self.row("SELECT phone FROM orders WHERE number = ?", order)[0])
        assert self.demo.ask(f"cancel order {order}", conversation)["reply"]["reason"] == "verification"
        assert self.demo.ask(f"it ends in {phone[-4:]}", conversation)["reply"]["reason"] == "confirm"
        with self.demo.client() as client:
            body = {"conversation": conversation, "customer": "c", "text": "yes"}
            answer = client.post("/v1/demo/messages", json=body)
        assert answer.status_code == 202
        return str(answer.json()["turn_id"])

    def dies_in_the_middle(self, order: int, hold: Hold) -> list[dict[str, Any]]:
        """Killed between the intent and the answer, then started again; the replies to the turn, once it has ended."""
        conversation = f"order-{order}"
        self.shop.hold = hold
        turn_id = self.confirms(order, conversation)
        wait_until(self.shop.held.is_set, "the cancellation")
        self.demo.kill_edge()
        self.shop.hold = None
        self.shop.held.clear()
        self.demo.start_edge(self.command)
        replies: list[dict[str, Any]] = []

        def has_ended() -> bool:
            events = self.demo.events_of(conversation)
            replies[:] = [event for event in events if event["type"] == "reply" and event["turn_id"] == turn_id]
            return any(reply["final"] for reply in replies)

        wait_until(has_ended, "the reply to the yes")
        return replies

    def answer_from_its_folder(self) -> None:
        """Not from the pack that was made of it, while it was as it had been."""
        config = self.command[self.command.index("--config") + 1]
        words = [str(PROGRAMS / "edge-node"), "pack", "rollback", "--tenant", "demo", "--config", config]
        subprocess.run(words, capture_output=True, check=True, timeout=60)

    def dead_calls(self) -> list[dict[str, Any]]:
        config = self.command[self.command.index("--config") + 1]
        words = [str(PROGRAMS / "edge-node"), "dead", "list", "--tenant", "demo", "--json", "--config", config]
        listed = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout)
        return [item for tenant in listed for item in tenant["items"] if item["kind"] == "call"]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with servers.demo(tmp_path_factory.mktemp("writes-once")) as demo, between(demo.env["SHOP_URL"]) as shop:
        command = demo.kill_edge()
        set_keys(demo.home / "content" / "tenant.toml", {"tools.variables.shop_url": shop.url})
        demo.start_edge(command)
        yield Company(demo, shop, command)


def open_orders(company: Company) -> tuple[int, int]:
    """Two that can be cancelled."""
    first, last = company.row("SELECT min(number), max(number) FROM orders WHERE state IN ('processing', 'packed')")
    return first, last


@pytest.mark.parametrize(("hold", "sent"), [("after", 1), ("before", 1)])
def test_an_order_is_cancelled_once_though_the_edge_dies_in_the_middle(company: Company, hold: Hold, sent: int) -> None:
    order = open_orders(company)[hold == "before"]
    before, asked = company.shop.cancellations, company.shop.asked
    (reply,) = company.dies_in_the_middle(order, hold)
    assert (reply["reason"], reply["final"]) == ("tool_result", True)
    assert f"Order {order} is cancelled" in reply["text"]
    assert company.state_of(order) == "cancelled"
    assert company.shop.cancellations - before == 1 and company.shop.asked - asked == 1
    assert company.dead_calls() == []


def test_where_nobody_can_be_asked_the_customer_is_told_so_and_a_person_gets_it(company: Company) -> None:
    folder = company.demo.home / "content" / "tools"
    tools = folder.resolve()
    folder.unlink()
    shutil.copytree(tools, folder)
    cancel = yaml.safe_load((folder / "cancel_order.yaml").read_text(encoding="utf-8"))
    del cancel["outcome"]
    (folder / "cancel_order.yaml").write_text(yaml.safe_dump(cancel, allow_unicode=True), encoding="utf-8")
    company.demo.kill_edge()
    company.answer_from_its_folder()
    company.demo.start_edge(company.command)
    order, before = open_orders(company)[0], company.shop.cancellations
    (reply,) = company.dies_in_the_middle(order, "after")
    assert (reply["reason"], reply["final"]) == ("outcome_unknown", True)
    assert "can't tell whether that went through" in reply["text"] and reply["quick_replies"] == ["Yes", "No"]
    assert company.state_of(order) == "cancelled" and company.shop.cancellations - before == 1
    (call,) = company.dead_calls()
    assert (call["id"], call["tool"]) == (f"{reply['turn_id']}/cancel-order/cancel_order", "cancel_order")
