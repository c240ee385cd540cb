"""A write happens at most once per (turn, call id), whatever breaks (design.md, section 3.2)."""

import asyncio
import contextlib
import json
from typing import Any

import httpx2
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_node.tools.ledger import Ledger
from nearside.errors import StorageError
from nearside.tools import ToolFailure, ToolRunner
from tests.edge_node.tools.breaking import ANSWERS, KEY, WRITES, Api, Book, Crash, Fuse, booking, call, run
from tests.nearside.tools.scripted import Transport

pytestmark = pytest.mark.unit

ASKING, SILENT = booking(asks=True), booking(asks=False)
DONE = {"number": 0}


async def kind(book: Book, api: Api, **more: Any) -> str:
    with pytest.raises(ToolFailure) as caught:
        await run(book, api, call(more.pop("tool", SILENT), **more))
    return caught.value.kind


async def test_the_intent_is_kept_before_anything_leaves() -> None:
    book = Book()

    class Watching(Api):
        def handle(self, request: httpx2.Request) -> httpx2.Response:
            assert book.status == "intended"
            return super().handle(request)

    assert await run(book, Watching(), call(SILENT)) == DONE
    assert book.status == "done"


async def test_a_store_that_refuses_keeps_anything_from_leaving() -> None:
    class Full(Book):
        async def intend_call(self, *_: Any, **__: Any) -> None:
            raise StorageError("the disk is full")

    api = Api()
    with pytest.raises(StorageError):
        await run(Full(), api, call(SILENT))
    assert api.requests == []


async def test_a_call_that_is_done_gives_its_result_again_without_a_call() -> None:
    book, api = Book(), Api()
    assert [await run(book, api, call(SILENT)) for _ in range(3)] == [DONE] * 3
    assert api.requests == ["POST"]


async def test_a_call_that_was_refused_is_refused_again_without_a_call() -> None:
    book, api = Book(), Api(["refused"])
    failures = []
    for _ in range(3):
        with pytest.raises(ToolFailure) as caught:
            await run(book, api, call(SILENT))
        failures.append((caught.value.kind, caught.value.status, str(caught.value)))
    assert failures == [("taken", 409, "the business API answered 409 — book")] * 3
    assert api.requests == ["POST"] and book.status == "failed"


async def test_a_call_that_never_left_may_be_made_by_a_repeat() -> None:
    book, api = Book(), Api(["no_connection"])
    assert await kind(book, api) == "unavailable"
    assert book.rows == {}
    assert await run(book, api, call(SILENT)) == DONE


@pytest.mark.parametrize("fate", ["lost", "cut", "error", "error_after", "garbage", "timeout"])
async def test_a_call_without_an_answer_is_unknown_and_never_made_again(fate: str) -> None:
    book, api = Book(), Api([fate])
    with structlog.testing.capture_logs() as logs:
        assert [await kind(book, api) for _ in range(3)] == ["outcome_unknown"] * 3
    assert api.requests == ["POST"] and book.status == "unknown" and len(api.effects) <= 1
    assert [(log["event"], log["turn_id"], log["call_id"]) for log in logs] == [
        ("write_outcome_unknown", "t_1", "rule/book")
    ]


@pytest.mark.parametrize("fate", ["cut", "error_after", "garbage"])
async def test_what_happened_is_found_out_by_asking(fate: str) -> None:
    book, api = Book(), Api([fate])
    assert await run(book, api, call(ASKING)) == DONE
    assert await run(book, api, call(ASKING)) == DONE
    assert api.requests == ["POST", "GET"] and book.status == "done"


@pytest.mark.parametrize("fate", ["lost", "error", "timeout"])
async def test_what_never_happened_is_sent_once_more_with_the_same_key(fate: str) -> None:
    book, api = Book(), Api([fate])
    assert await run(book, api, call(ASKING)) == DONE
    assert api.requests == ["POST", "GET", "POST"] and api.effects == ["t_1:rule/book"]


async def test_a_system_that_answers_that_it_fails_leaves_the_call_for_a_repeat() -> None:
    book, api = Book(), Api(["error", "error"])
    assert await kind(book, api, tool=ASKING) == "unavailable"
    assert book.rows == {} and api.requests == ["POST", "GET"] * 2
    assert await run(book, api, call(ASKING)) == DONE


@pytest.mark.parametrize("second", ["timeout", "no_connection"])
async def test_a_request_that_may_still_arrive_leaves_it_unknown(second: str) -> None:
    book, api = Book(), Api(["timeout", second])
    assert await kind(book, api, tool=ASKING) == "outcome_unknown"
    assert book.status == "unknown" and api.effects == []


@pytest.mark.parametrize("answer", ["error", "cut", "silent"])
async def test_asking_in_vain_leaves_it_unknown(answer: str) -> None:
    book, api = Book(), Api(["cut"], [answer] * 2)
    assert await kind(book, api, tool=ASKING) == "outcome_unknown"
    assert api.requests.count("POST") == 1 and book.status == "unknown"


@pytest.mark.parametrize(("fate", "end"), [("cut", "done"), ("lost", "unknown")])
async def test_what_stayed_unknown_is_looked_up_again_but_never_made_again(fate: str, end: str) -> None:
    """A person may have done by hand meanwhile what never happened."""
    book, api = Book(), Api([fate], ["silent", "error"])
    for _ in range(2):
        assert await kind(book, api, tool=ASKING) == "outcome_unknown"
    if end == "done":
        assert await run(book, api, call(ASKING)) == DONE
    else:
        assert await kind(book, api, tool=ASKING) == "outcome_unknown"
    assert api.requests.count("POST") == 1 and book.status == end


async def test_an_intent_that_a_crash_left_is_asked_for_before_anything_is_sent() -> None:
    for fate, requests in (("cut", ["POST", "GET"]), ("lost", ["POST", "GET", "POST"])):
        book, api = Book(), Api([fate])
        with pytest.raises(Crash):
            await run(book, api, call(ASKING), Fuse(3))  # on the way back
        assert book.status == "intended"
        assert await run(book, api, call(ASKING)) == DONE
        assert api.requests == requests and len(api.effects) == 1


async def test_an_intent_that_a_crash_left_is_unknown_where_nobody_can_be_asked() -> None:
    book, api = Book(), Api()
    with pytest.raises(Crash):
        await run(book, api, call(SILENT), Fuse(1))
    assert api.requests == [] and book.status == "intended"
    assert await kind(book, api) == "outcome_unknown"
    assert api.requests == [] and book.status == "unknown"


async def test_a_refusal_may_be_what_asking_finds() -> None:
    outcome = {**(ASKING.model_dump()["outcome"]), "errors": {"404": "gone"}}
    book, asked = Book(), booking(asks=True).model_validate({**ASKING.model_dump(), "outcome": outcome})

    class Refusing(Api):
        def _answer(self, request: httpx2.Request, fate: str) -> httpx2.Response:
            return httpx2.Response(404)

    for _ in range(2):
        assert await kind(book, Refusing(["cut"]), tool=asked) == "gone"
    assert book.status == "failed"


@pytest.mark.parametrize("status", ["intended", "done", "failed", "unknown"])
async def test_the_same_call_with_other_arguments_is_refused_and_logged_without_values(status: str) -> None:
    book, api = Book(), Api({"failed": ["refused"], "unknown": ["cut"]}.get(status, ()))
    fuse = Fuse(1 if status == "intended" else None)
    with contextlib.suppress(ToolFailure, Crash):
        await run(book, api, call(SILENT, n=4711), fuse)
    assert book.status == status
    before, rows = list(api.requests), dict(book.rows)
    with structlog.testing.capture_logs() as logs, pytest.raises(ToolFailure) as caught:
        await run(book, api, call(SILENT, n=4712))
    assert caught.value.kind == "call_changed" and "471" not in str(caught.value)
    assert [log["event"] for log in logs] == ["call_changed"] and "471" not in str(logs)
    assert api.requests == before and book.rows == rows
    assert "4711" not in str(rows), "the book does not give the arguments away"


async def test_another_tool_under_the_same_id_is_another_call() -> None:
    book, api = Book(), Api()
    await run(book, api, call(SILENT))
    other = SILENT.model_copy(update={"name": "unbook"})
    assert await kind(book, api, tool=other) == "call_changed"


async def test_wrong_arguments_are_refused_before_the_book_is_opened() -> None:
    book = Book()
    with pytest.raises(ToolFailure) as caught:
        await run(book, Api(), call(SILENT, n="one"))  # type: ignore[arg-type]
    assert caught.value.kind == "bad_arguments" and book.rows == {}


async def test_two_turns_and_two_calls_of_one_turn_are_different_writes() -> None:
    book, api = Book(), Api()
    for turn_id, call_id in (("t_1", "a"), ("t_1", "b"), ("t_2", "a")):
        await run(book, api, call(SILENT, turn_id=turn_id, call_id=call_id))
    assert api.effects == ["t_1:a", "t_1:b", "t_2:a"]


async def test_the_same_call_twice_at_once_waits_for_the_first() -> None:
    class Slow(Book):
        async def settle_call(self, *arguments: Any, **more: Any) -> None:
            await asyncio.sleep(0)
            await super().settle_call(*arguments, **more)

    book, api = Slow(), Api()
    async with httpx2.AsyncClient(transport=Transport(api.handle)) as client:
        ledger = Ledger(book, ToolRunner(client, {"shop_url": "https://shop.example"}, lambda name: ""), KEY)
        results = await asyncio.gather(*(ledger.run(call(SILENT), "c_1") for _ in range(5)))
        assert results == [DONE] * 5 and api.requests == ["POST"]


async def test_the_calls_of_a_turn_are_told_with_their_ends() -> None:
    book, api = Book(), Api(["fine", "refused", "cut"])
    for call_id in ("a", "b", "c"):
        with contextlib.suppress(ToolFailure):
            await run(book, api, call(SILENT, call_id=call_id))
    with contextlib.suppress(Crash):
        await run(book, api, call(SILENT, call_id="d"), Fuse(1))
    async with httpx2.AsyncClient(transport=Transport(api.handle)) as client:
        made = await Ledger(book, ToolRunner(client, {}, lambda name: ""), KEY).calls("t_1")
    ends = [(one.call_id, one.tool, one.result, one.failure.kind if one.failure else None) for one in made]
    assert ends == [
        ("a", "book", DONE, None),
        ("b", "book", None, "taken"),
        ("c", "book", None, "outcome_unknown"),
        ("d", "book", None, "outcome_unknown"),
    ]


@pytest.mark.parametrize("error", [Crash, asyncio.CancelledError])
@pytest.mark.parametrize("fate", WRITES)
@pytest.mark.parametrize("asks", [True, False])
async def test_broken_off_at_any_step_it_happens_at_most_once(
    asks: bool, fate: str, error: type[BaseException]
) -> None:
    at, crashed = 0, True
    while crashed:
        book, api, made = Book(), Api([fate], heeds_keys=fate == "late"), call(booking(asks=asks))
        crashed = False
        try:
            await run(book, api, made, Fuse(at, error))
        except ToolFailure:
            pass
        except (Crash, asyncio.CancelledError):
            crashed = True
        with contextlib.suppress(ToolFailure):
            await run(book, api, made)
        api.settle()
        assert len(api.effects) <= 1, f"broken off at step {at}"
        assert_told_as_it_is(book, api, asks_in_vain=False, asks=asks, late=fate == "late")
        at += 1
    assert at > 4


def assert_told_as_it_is(book: Book, api: Api, *, asks: bool, asks_in_vain: bool, late: bool) -> None:
    """What the book says is what happened; where it can ask, it knows."""
    if book.status == "done":
        assert len(api.effects) == 1
    elif book.status in ("failed", "") and not late:
        assert api.effects == []
    elif asks and not asks_in_vain and not late:
        assert book.status != "unknown" or api.effects == []


steps = st.one_of(st.none(), st.integers(0, 12))


@settings(max_examples=400)
@given(
    asks=st.booleans(),
    heeds_keys=st.booleans(),
    writes=st.lists(st.sampled_from(WRITES), max_size=5),
    answers=st.lists(st.sampled_from(ANSWERS), max_size=6),
    crashes=st.lists(steps, min_size=1, max_size=6),
)
def test_any_sequence_of_crashes_and_outcomes_has_at_most_one_effect(
    asks: bool, heeds_keys: bool, writes: list[str], answers: list[str], crashes: list[int | None]
) -> None:
    """Only where keys are heeded may a request arrive late: to say `absent` is to promise that it changes nothing."""
    if not heeds_keys:
        writes = [fate for fate in writes if fate != "late"]
    book, api, made = Book(), Api(writes, answers, heeds_keys=heeds_keys), call(booking(asks=asks))
    ends = [asyncio.run(end_of(book, api, made, Fuse(at))) for at in (*crashes, None)]
    late = "late" in writes
    api.settle()
    assert len(api.effects) <= 1
    told = [end for end in ends if end != "crashed"]
    first_done = next((index for index, end in enumerate(told) if end == json.dumps(DONE)), len(told))
    assert all(end == json.dumps(DONE) for end in told[first_done:]), "once done, always told so"
    if first_done < len(told):
        assert len(api.effects) == 1 and book.status == "done"
    assert_told_as_it_is(book, api, asks=asks, asks_in_vain=bool(answers), late=late)


async def end_of(book: Book, api: Api, made: Any, fuse: Fuse) -> str:
    try:
        return json.dumps(await run(book, api, made, fuse))
    except ToolFailure as error:
        return error.kind
    except Crash:
        return "crashed"
