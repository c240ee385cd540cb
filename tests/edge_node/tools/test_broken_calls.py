"""A write over a real connection that breaks, with the ledger on disk: its effects, its end, and what is said of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_node.messages import ConversationState, FormState, Reply
from edge_node.responders.scenes import CONFIRM
from nearside.origins import Reason
from tests.edge_node.responders.desk import Customer, FakeShop
from tests.edge_node.tools.rooms import Room, company
from tests.edge_node.tools.shaky import ShakyShop, shaky_shop

pytestmark = pytest.mark.server

UNKNOWN = ("can't tell whether that went through", "无法确认这次操作是否已经办成")
DONE = ("Order 1042 is cancelled", "订单 1042 已取消")
REFUSED = ("can no longer be cancelled", "无法取消")
NOT_CONFIRMED = ("did not confirm the cancellation", "没有确认取消")
OFFERED = ("Shall I pass you to a colleague?", "要我为您转接人工客服吗？")


@pytest.fixture
def shop() -> Iterator[ShakyShop]:
    with shaky_shop() as running:
        yield running


class Desk(FakeShop):
    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room

    async def run(self, name: str, arguments: Mapping[str, Any], turn_id: str, call_id: str, conversation: str) -> Any:
        return await self._room.run(name, arguments, turn_id, call_id)


class Confirming:
    """A customer who has proven that the order is theirs, and says yes; again and again where the turn is repeated."""

    def __init__(self, folder: Path, url: str, *, asks: bool, hangs: bool = False) -> None:
        self._content = company(folder, url, asks=asks, timeout_s=0.8 if hangs else 20)
        self.room = Room(folder, self._content)

    def says_yes(self, lang: int) -> Reply:
        asked = ConversationState(
            slots={"order_number": "1042"},
            form=FormState("cancel-order", CONFIRM),
            verified={"order:1042": "phone"},
        )
        customer = Customer(content=self._content, shop=Desk(self.room), state=asked)
        return customer.hears(("yes", "是的")[lang])

    @property
    def status(self) -> str:
        calls = self.room.calls("t_1")
        assert len(calls) <= 1
        return calls[0].status if calls else ""


BROKEN = [
    # what becomes of the writes, effects, then without a way to ask and with one: status, words
    (["fine"], 1, ("done", DONE), ("done", DONE)),
    (["refuse"], 0, ("failed", REFUSED), ("failed", REFUSED)),
    (["cut_before"], 0, ("unknown", UNKNOWN), ("done", DONE)),
    (["cut_after"], 1, ("unknown", UNKNOWN), ("done", DONE)),
    (["reset_after"], 1, ("unknown", UNKNOWN), ("done", DONE)),
    (["cut_midway"], 1, ("unknown", UNKNOWN), ("done", DONE)),
    (["hang_before"], 0, ("unknown", UNKNOWN), ("done", DONE)),
    (["hang_after"], 1, ("unknown", UNKNOWN), ("done", DONE)),
    (["error_before"], 0, ("unknown", UNKNOWN), ("done", DONE)),
    (["error_after"], 1, ("unknown", UNKNOWN), ("done", DONE)),
    (["garbage"], 1, ("unknown", UNKNOWN), ("done", DONE)),
    (["html"], 1, ("unknown", UNKNOWN), ("done", DONE)),
    (["redirect"], 1, ("unknown", UNKNOWN), ("done", DONE)),
    (["cut_before", "cut_before"], 0, ("unknown", UNKNOWN), ("unknown", UNKNOWN)),
    (["cut_before", "cut_after"], 0, ("unknown", UNKNOWN), ("done", DONE)),
    (["error_before", "refuse"], 0, ("unknown", UNKNOWN), ("failed", REFUSED)),
]


@pytest.mark.parametrize("lang", [0, 1], ids=["en", "zh"])
@pytest.mark.parametrize("asks", [False, True], ids=["silent", "asking"])
@pytest.mark.parametrize(
    ("fates", "effects", "silent", "asking"),
    BROKEN,
    ids=lambda part: "-".join(map(str, part)) if isinstance(part, list) else "",
)
def test_whatever_breaks_it_happens_once_and_is_told_as_it_is(
    tmp_path: Path,
    shop: ShakyShop,
    fates: list[str],
    effects: int,
    silent: tuple[str, tuple[str, str]],
    asking: tuple[str, tuple[str, str]],
    asks: bool,
    lang: int,
) -> None:
    shop.fates = list(fates)
    customer = Confirming(tmp_path, shop.url, asks=asks, hangs="hang" in fates[0])
    status, words = asking if asks else silent
    replies = [customer.says_yes(lang) for _ in range(2)]
    assert [words[lang] in reply.text for reply in replies] == [True, True], replies[0].text
    assert customer.status == status
    assert len(shop.effects) == (1 if status == "done" else effects)
    assert {reply.reason for reply in replies} == {Reason.OUTCOME_UNKNOWN if words is UNKNOWN else Reason.TOOL_RESULT}
    if words is UNKNOWN:
        assert replies[0].text.endswith(OFFERED[lang]) and len(replies[0].quick_replies) == 2
    calls = [(item.kind, item.id, item.tool) for item in customer.room.dead()]
    assert calls == ([("call", "t_1/cancel-order/cancel_order", "cancel_order")] if status == "unknown" else [])


@pytest.mark.parametrize("fate", ["cut_after", "error_before", "hang_after"])
def test_a_shop_that_does_not_answer_questions_leaves_it_unknown(tmp_path: Path, shop: ShakyShop, fate: str) -> None:
    shop.fates, shop.mute = [fate], True
    customer = Confirming(tmp_path, shop.url, asks=True, hangs="hang" in fate)
    for _ in range(2):
        assert UNKNOWN[0] in customer.says_yes(0).text
    assert (customer.status, shop.writes) == ("unknown", 1)
    shop.mute = False
    known = fate != "error_before"
    assert (DONE if known else UNKNOWN)[0] in customer.says_yes(0).text
    assert (customer.status, shop.writes, bool(customer.room.dead())) == (
        ("done", 1, False) if known else ("unknown", 1, True)
    )


def test_a_shop_that_is_not_there_was_sent_nothing_and_may_be_tried_again(tmp_path: Path, shop: ShakyShop) -> None:
    for asks in (False, True):
        gone = Confirming(tmp_path, "http://127.0.0.1:9", asks=asks)
        reply = gone.says_yes(0)
        assert reply.reason is Reason.TOOL_FAILED and NOT_CONFIRMED[0] in reply.text
        assert gone.status == "" and gone.room.dead() == []
    assert DONE[0] in Confirming(tmp_path, shop.url, asks=False).says_yes(0).text
    assert len(shop.effects) == 1
