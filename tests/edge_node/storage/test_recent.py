"""What is known without the file is what stands in the file."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from edge_node.messages import Accepted, ConversationState
from edge_node.storage import loading, recent
from edge_node.storage.records import LoadedTurn
from nearside.database import open_database
from nearside.errors import Refused
from tests.edge_node.storage.shelf import ANSWER, KEY, Shelf, shelf

pytestmark = pytest.mark.unit

ROUNDS = 60
ORPHANS = "SELECT count(*) FROM inbox WHERE conversation_id NOT IN (SELECT id FROM conversations)"


def in_the_file(filled: Shelf, turn_id: str) -> LoadedTurn | None:
    with contextlib.closing(open_database(filled.path, KEY)) as db:
        return loading.load(db, turn_id)


class Chance:
    """Things that happen at once, most of them in one commit."""

    def __init__(self, filled: Shelf, seed: int) -> None:
        self._filled, self._random = filled, random.Random(seed)
        self._messages = 0
        self._open: list[Accepted] = []

    async def happen(self) -> None:
        happenings = [self._one() for _ in range(self._random.randrange(2, 9))]
        outcomes = await asyncio.gather(*happenings, return_exceptions=True)
        assert all(isinstance(one, Refused) for one in outcomes if isinstance(one, BaseException)), outcomes
        accepted = [one for one in outcomes if isinstance(one, Accepted) and not one.duplicate]
        for one in accepted:
            assert await self._filled.store.load(one.turn_id) == in_the_file(self._filled, one.turn_id)
        self._open += accepted
        assert self._filled.rows(ORPHANS) == [(0,)]

    def _one(self) -> Awaitable[Any]:
        thread, kind = f"t{self._random.randrange(3)}", self._random.random()
        store, self._filled.now = self._filled.store, self._filled.now + 1
        if kind < 0.5 or not self._open:
            self._messages += 1
            return self._filled.accept(f"m{self._messages}", thread, customer=thread)
        if kind < 0.6:
            return store.forget(thread, self._filled.now)
        if kind < 0.65:
            return store.sweep(self._filled.now, self._filled.now)
        if kind < 0.68:
            return self._filled.accept("m1", "t0", text="another body", customer="t0")
        turn = self._open.pop(self._random.randrange(len(self._open)))
        if kind < 0.75:
            return self._takeover(turn)
        if kind < 0.9:
            return store.drop(turn.turn_id, "forgotten", self._filled.now)
        state = ConversationState(slots={"n": str(self._random.random())})
        reply = replace(ANSWER, state=self._random.choice([state, None]), owner=self._random.choice([None, "agent"]))
        return store.end(turn.turn_id, self._random.randrange(2), reply, self._filled.now, {})

    async def _takeover(self, turn: Accepted) -> None:
        with contextlib.suppress(Exception):
            await self._filled.store.change_owner(turn.conversation_id, "agent", self._filled.now)


@pytest.mark.parametrize("seed", range(4))
async def test_a_turn_is_loaded_as_it_stands_in_the_file_whatever_was_committed_with_it(
    tmp_path: Path, seed: int
) -> None:
    async with shelf(tmp_path) as filled:
        chance = Chance(filled, seed)
        for _ in range(ROUNDS):
            await chance.happen()


async def test_a_turn_that_runs_at_once_asks_nothing_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object) -> NoReturn:
        raise AssertionError

    async with shelf(tmp_path) as filled:
        accepted = await filled.accept("m1")
        with monkeypatch.context() as patched:
            patched.setattr(filled.store._reader, "run", asked)
            loaded = await filled.store.load(accepted.turn_id)
        assert loaded == in_the_file(filled, accepted.turn_id)


async def test_a_recorded_attempt_is_seen_by_the_next_load(tmp_path: Path) -> None:
    async with shelf(tmp_path) as filled:
        accepted = await filled.accept("m1")
        await filled.store.begin_attempt(accepted.turn_id)
        loaded = await filled.store.load(accepted.turn_id)
        assert loaded is not None and loaded.attempts == 1


async def test_few_conversations_and_turns_are_kept_and_the_others_are_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MOST_CONVERSATIONS", 3)
    monkeypatch.setattr(recent, "MOST_TURNS", 5)
    async with shelf(tmp_path) as filled:
        accepted = [await filled.accept(f"m{n}", f"t{n % 6}") for n in range(12)]
        assert len(filled.store._recent._conversations) == len(filled.store._recent._ids) == 3
        assert len(filled.store._recent._turns) == 5
        for one in accepted:
            assert await filled.store.load(one.turn_id) == in_the_file(filled, one.turn_id)
        assert len(filled.rows("SELECT 1 FROM conversations")) == 6


@pytest.mark.parametrize("way", ["forget", "sweep"])
async def test_a_message_in_the_commit_that_removes_its_conversation_begins_a_new_one(tmp_path: Path, way: str) -> None:
    async with shelf(tmp_path) as filled:
        first = await filled.accept("m1")
        await filled.store.drop(first.turn_id, "forgotten", filled.now)
        filled.now += 1
        gone = filled.store.forget("c1", 2000.0) if way == "forget" else filled.store.sweep(filled.now, filled.now)
        _, second = await asyncio.gather(gone, filled.accept("m2"))
        assert second.conversation_id != first.conversation_id
        assert await filled.store.load(second.turn_id) == in_the_file(filled, second.turn_id) is not None
