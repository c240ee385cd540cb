"""The encoder's thread: texts that wait are read together, and nobody's encoding depends on who else waits."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import numpy as np
import pytest

from edge_node.turns import fair
from edge_node.turns.fair import FairThread
from nearside.encoder import BATCH, DIMENSIONS, FEATURES, Encoding, TextEncoder
from nearside.errors import EngineError
from nearside.nearest import Example, NearestIndex
from tests.edge_node.stage import until

pytestmark = pytest.mark.unit

TEXTS = [
    "Where is my order?",
    "I want my money back",
    "do you ship to Norway",
    "退货怎么办",
    "the tent has a hole, and I need it on Friday; can you send a new one at once?",
    "opening hours",
    "size guide for boots",
    "",
]
EXAMPLES = [
    Example(f"faq:{number}", text, "en")
    for number, text in enumerate(
        ["track a parcel", "return for a refund", "delivery abroad", "opening hours", "sizes"]
    )
]
NOTHING = Encoding(np.zeros(DIMENSIONS, dtype=np.float32), 1.0, np.zeros(FEATURES, dtype=np.float32))


class Reading:
    """An encoder that waits for its `gate` before each batch, and notes the texts of each."""

    def __init__(self, encoder: TextEncoder | None = None) -> None:
        self.gate, self.batches, self._encoder = Event(), list[list[str]](), encoder

    def __call__(self, texts: Sequence[str]) -> Iterator[Mapping[int, Encoding]]:
        self.batches.append(list(texts))
        assert self.gate.wait(20)
        if self._encoder:
            yield from self._encoder.encode_in_runs(texts)
        else:
            yield dict.fromkeys(range(len(texts)), NOTHING)


@pytest.fixture
def reading() -> Reading:
    return Reading()


@pytest.fixture
async def thread(reading: Reading) -> AsyncIterator[FairThread]:
    with ThreadPoolExecutor(1) as pool:
        yield FairThread(pool, reading)
        reading.gate.set()


async def ask(thread: FairThread, tenant: str, text: str) -> str:
    return await thread.read(tenant, lambda: text, lambda _: text)


async def held(thread: FairThread, reading: Reading, *texts: str, tenant: str = "a") -> list[asyncio.Task[str]]:
    """One text that is being read, and these, which wait meanwhile."""
    asked = [asyncio.create_task(ask(thread, "first", "first"))]
    await until(lambda: bool(reading.batches))
    asked += [asyncio.create_task(ask(thread, tenant, text)) for text in texts]
    await asyncio.sleep(0)
    return asked


async def test_the_same_texts_find_the_same_matches_alone_and_in_a_storm() -> None:
    encoder = TextEncoder()
    index, reading = NearestIndex.build(EXAMPLES, encoder), Reading(encoder)
    reading.gate.set()
    with ThreadPoolExecutor(1) as pool:
        thread = FairThread(pool, reading)

        async def look_up(tenant: str, text: str) -> tuple[bytes, object]:
            def then(encoding: Encoding) -> tuple[bytes, object]:
                return encoding.features.tobytes(), index.look_up(text, encoding, 4)

            return await thread.read(tenant, partial(index.reading, text), then)

        alone = [await look_up("a", text) for text in TEXTS]
        assert {len(batch) for batch in reading.batches} == {1}
        storm = await asyncio.gather(
            *(look_up(f"tenant {number % 3}", TEXTS[number % len(TEXTS)]) for number in range(240))
        )
    assert max(len(batch) for batch in reading.batches) == BATCH
    assert all(storm[number] == alone[number % len(TEXTS)] for number in range(240))


async def test_what_waits_is_read_together_and_the_tenants_take_turns(thread: FairThread, reading: Reading) -> None:
    asked = await held(thread, reading, *(f"flood {number}" for number in range(3 * BATCH)))
    asked += await held(thread, reading, "other 0", "other 1", tenant="b")
    reading.gate.set()
    await asyncio.gather(*asked)
    assert reading.batches[0] == ["first"]
    assert [len(batch) for batch in reading.batches[1:3]] == [BATCH, BATCH]
    assert {"other 0", "other 1", "flood 0"} <= set(reading.batches[1])


async def test_long_texts_are_read_few_at_a_time(thread: FairThread, reading: Reading) -> None:
    asked = await held(thread, reading, *("a" * (fair.CHARACTERS // 2) for _ in range(4)))
    reading.gate.set()
    await asyncio.gather(*asked)
    assert [len(batch) for batch in reading.batches] == [1, 2, 2]


async def test_a_text_that_nobody_waits_for_is_not_read(thread: FairThread, reading: Reading) -> None:
    asked = await held(thread, reading, "gone", "here")
    asked[1].cancel()
    await asyncio.sleep(0)
    reading.gate.set()
    assert await asked[2] == "here"
    assert reading.batches == [["first"], ["here"]]


async def test_what_breaks_breaks_for_the_one_who_asked(thread: FairThread, reading: Reading) -> None:
    asked = await held(thread, reading, "fine")
    no_text = asyncio.create_task(thread.read("b", lambda: str(1 // 0), lambda _: None))
    no_use = asyncio.create_task(thread.read("b", lambda: "read", lambda _: 1 // 0))
    await asyncio.sleep(0)
    reading.gate.set()
    assert await asked[1] == "fine"
    for broken in (no_text, no_use):
        with pytest.raises(ZeroDivisionError):
            await broken
    assert await ask(thread, "a", "after it") == "after it"


async def test_an_encoder_that_breaks_is_asked_again_for_the_next_text() -> None:
    calls = 0

    def breaks_once(texts: Sequence[str]) -> Iterator[Mapping[int, Encoding]]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise MemoryError
        yield dict.fromkeys(range(len(texts)), NOTHING)

    with ThreadPoolExecutor(1) as pool:
        thread = FairThread(pool, breaks_once)
        with pytest.raises(MemoryError):
            await ask(thread, "a", "one")
        assert await ask(thread, "a", "two") == "two"


async def test_a_tenant_that_waits_too_much_is_refused_and_nobody_else(
    thread: FairThread, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fair, "WAITING", 3)
    asked = await held(thread, reading, "1", "2", "3", "4")
    asked.append(asyncio.create_task(ask(thread, "b", "5")))
    await asyncio.sleep(0)
    reading.gate.set()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [outcome if isinstance(outcome, str) else type(outcome) for outcome in outcomes] == [
        "first", "1", "2", "3", EngineError, "5",
    ]  # fmt: skip


async def test_other_work_on_the_thread_has_its_turn_between(thread: FairThread, reading: Reading) -> None:
    asked = await held(thread, reading, "one", "two")
    work = asyncio.create_task(thread.run("b", lambda: 7))
    await asyncio.sleep(0)
    reading.gate.set()
    assert await work == 7
    assert await asyncio.gather(*asked) == ["first", "one", "two"]
