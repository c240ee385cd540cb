"""Whatever happens in whatever order: every accepted turn is in exactly one state, and no message is two turns."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from edge_node.messages import Accepted, DeadReason, Owner, Reply
from edge_node.storage.records import Figures
from edge_node.storage.store import TenantStore
from tests.edge_node.storage.shelf import ANSWER, KEY, PROMISE, Shelf, inbound

pytestmark = pytest.mark.unit

T = TypeVar("T")
customers = st.integers(0, 2)
ids = st.integers(0, 15)
OPEN, GONE = {"queued", "deferred", "doubtful"}, "gone"


ORPHANS = """
SELECT
  (SELECT count(*) FROM log WHERE conversation_id NOT IN (SELECT id FROM conversations)),
  (SELECT count(*) FROM inbox WHERE event_id NOT IN (SELECT id FROM log)),
  (SELECT count(*) FROM outbox WHERE event_id NOT IN (SELECT id FROM log)),
  (SELECT count(*) FROM conversations WHERE id NOT IN (SELECT conversation_id FROM log)),
  (SELECT count(*) FROM inbox a JOIN seen USING (turn_id))
"""


@dataclass(slots=True)
class Known:
    """What the model remembers of an accepted message."""

    accepted: Accepted
    customer: int
    status: str
    at: float


class Life(RuleBasedStateMachine):
    """Drives a store and a model side by side. A thread belongs to one customer."""

    turns = Bundle("turns")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.now = 1000.0
        self.known: dict[int, Known] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def open(self) -> None:
        path = self.folder / "edge.db"
        self.filled = Shelf(self.run(TenantStore.open(path, KEY)), path)

    @property
    def store(self) -> TenantStore:
        return self.filled.store

    def teardown(self) -> None:
        self.run(self.store.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    @rule(target=turns, number=ids, customer=customers)
    def accept(self, number: int, customer: int) -> Any:
        self.now += 1
        known = self.known.get(number)
        customer = known.customer if known else customer
        message = inbound(f"m{number}", f"t{customer}", f"text {number}", f"c{customer}")
        accepted = self.run(self.store.accept(message, self.now))
        if known:
            assert accepted == replace(known.accepted, duplicate=True)
            return multiple()
        assert not accepted.duplicate
        self.known[number] = Known(accepted, customer, "queued", self.now)
        return number

    @rule(number=turns, final=st.booleans(), parked=st.booleans(), owner=st.sampled_from([None, "agent", "bot"]))
    def end(self, number: int, final: bool, parked: bool, owner: Owner | None) -> None:
        self.now += 1
        known = self.known[number]
        loaded = self.run(self.store.load(known.accepted.turn_id))
        assert (loaded is not None) == (known.status in {"queued", "deferred"})
        if loaded is None:
            assert self.run(self.store.end(known.accepted.turn_id, 0, ANSWER, self.now, {})) is None
            return
        reply: Reply = replace(ANSWER if final else PROMISE, owner=owner)
        reason = DeadReason.TURN_FAILED if parked else None
        ended = self.run(self.store.end(loaded.turn_id, loaded.epoch, reply, self.now, {}, parked=reason))
        assert ended is not None
        known.status = "dead" if parked else "done" if final else "deferred"
        known.at = self.now

    @rule(number=turns, park=st.booleans())
    def end_without_reply(self, number: int, park: bool) -> None:
        self.now += 1
        known = self.known[number]
        turn_id = known.accepted.turn_id
        reason = DeadReason.INTERRUPTED
        self.run(self.store.park(turn_id, reason, self.now) if park else self.store.drop(turn_id, "x", self.now))
        if known.status in OPEN:
            known.status, known.at = "dead" if park else "dropped", self.now

    @rule(numbers=st.lists(turns, min_size=2, max_size=4, unique=True))
    def end_together(self, numbers: list[int]) -> None:
        """Those of one customer that are queued."""
        queued = [n for n in numbers if self.known[n].status == "queued"]
        queued = [n for n in queued if self.known[n].customer == self.known[queued[0]].customer]
        if not queued:
            return
        self.now += 1
        *merged, last = (self.known[number].accepted.turn_id for number in queued)
        loaded = self.run(self.store.load(last))
        assert loaded is not None
        assert self.run(self.store.end(last, loaded.epoch, ANSWER, self.now, {}, merged=merged)) is not None
        for number in queued:
            self.known[number].status, self.known[number].at = "done", self.now

    @rule(number=turns)
    def revive(self, number: int) -> None:
        known = self.known[number]
        item = self.run(self.store.revive(known.accepted.turn_id, self.now))
        assert (item is not None) == (known.status == "dead")
        if item:
            known.status = "queued"

    @rule(number=turns)
    def discard(self, number: int) -> None:
        known = self.known[number]
        if self.run(self.store.discard(known.accepted.turn_id, self.now)):
            assert known.status == "dead"
            known.status, known.at = "dropped", self.now

    @rule(how=st.sampled_from(["sent", "sending", "postponed", "dead", "dropped", "revived"]), data=st.data())
    def send(self, how: str, data: st.DataObject) -> None:
        rows = self.filled.rows("SELECT event_id FROM outbox ORDER BY event_id")
        if not rows:
            return
        (event_id,) = data.draw(st.sampled_from(rows))
        sends: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "sent": lambda: self.store.confirm_sent(event_id, self.now),
            "sending": lambda: self.store.record_attempt(event_id, self.now),
            "postponed": lambda: self.store.postpone(event_id, "timeout", self.now),
            "dead": lambda: self.store.mark_dead(event_id, DeadReason.GAVE_UP, self.now),
            "dropped": lambda: self.store.mark_dropped(event_id, "agent_owns", self.now),
            "revived": lambda: self.store.revive(f"r{event_id}", self.now),
        }
        self.run(sends[how]())

    @rule(customer=customers)
    def forget(self, customer: int) -> None:
        gone = [known for known in self.known.values() if known.customer == customer and known.status != GONE]
        forgotten = self.run(self.store.forget(f"c{customer}", self.now))
        assert forgotten.turns == forgotten.messages == len(gone)
        assert len(self.run(self.store.erasures(100))) >= len(gone)
        for known in gone:
            known.status = GONE

    @rule(age=st.integers(0, 20), limit=st.integers(1, 5))
    def sweep(self, age: int, limit: int) -> None:
        self.now += 1
        before = self.now - age
        while self.run(self.store.sweep(before, self.now, limit)):
            pass
        left = {turn_id for (turn_id,) in self.filled.rows("SELECT turn_id FROM inbox")}
        for known in self.known.values():
            if known.status != GONE and known.accepted.turn_id not in left:
                assert known.status in {"done", "dropped"} and known.at < before
                known.status = GONE

    @rule()
    def reopen(self) -> None:
        self.run(self.filled.reopen())
        self.run(self.store.unsent({"api"}))

    @rule()
    def restore(self) -> None:
        self.run(self.store.close())
        TenantStore.mark_restored(self.filled.path, (KEY,))
        self.filled.store = self.run(TenantStore.open(self.filled.path, KEY))
        assert self.run(self.store.settle_doubtful_turns({"api"})) == 0
        for known in self.known.values():
            known.status = "queued" if known.status == "deferred" else known.status
        self.run(self.store.unsent(set()))

    @invariant()
    def every_turn_is_in_one_state(self) -> None:
        if not hasattr(self, "filled"):
            return
        found = dict(self.filled.rows("SELECT turn_id, status FROM inbox"))
        expected = {one.accepted.turn_id: one.status for one in self.known.values() if one.status != GONE}
        assert found == expected

    @invariant()
    def nothing_stands_alone(self) -> None:
        if not hasattr(self, "filled"):
            return
        (orphans,) = self.filled.rows(ORPHANS)
        assert orphans == (0,) * 5

    @invariant()
    def figures_are_what_a_recount_says(self) -> None:
        if hasattr(self, "filled"):
            assert self.store.figures() == recounted(self.filled)


def recounted(filled: Shelf) -> Figures:
    turns = filled.rows("SELECT status, received_at, event_id FROM inbox ORDER BY event_id")
    replies = filled.rows("SELECT status, created_at, doubts FROM outbox ORDER BY event_id")
    statuses, sends = Counter(row[0] for row in turns), Counter(row[0] for row in replies)
    return Figures(
        queued=statuses["queued"] + statuses["doubtful"],
        deferred=statuses["deferred"],
        oldest_turn_at=next((row[1] for row in turns if row[0] in OPEN), None),
        pending=sends["pending"] + sends["sending"] + sends["doubtful"],
        oldest_reply_at=next((row[1] for row in replies if row[0] in {"pending", "sending", "doubtful"}), None),
        doubts=sum(row[2] for row in replies),
        dead_turns=statuses["dead"],
        dead_replies=sends["dead"],
        dead_calls=0,
        erasures=len(filled.rows("SELECT turn_id FROM erasures")),
    )


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
