"""What became of the messages that were acknowledged: the logs read back, held against what the customers were told."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.record import Frame, Reader, Record

ORDER_NUMBER = re.compile(r"(?<!\d)10\d\d(?!\d)")
MOST_NAMED = 5

Logs = Mapping[str, Sequence[Frame]]
"""Messages and replies by thread."""


@dataclass(slots=True)
class Verdict:
    """Each list names message or turn ids; all are empty if the promises were kept."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    mixed_up: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    """Acknowledged, and in the list that an operator sees: not lost."""

    @property
    def is_good(self) -> bool:
        return not any(self.faults().values())

    def faults(self) -> dict[str, list[str]]:
        return {
            "lost": self.lost,
            "doubled": self.doubled,
            "out of order": self.out_of_order,
            "mixed up": self.mixed_up,
            "not seen once": self.unseen,
        }

    def complaints(self) -> Iterator[str]:
        for name, found in self.faults().items():
            if found:
                more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
                yield f"{name}: {', '.join(found[:MOST_NAMED])}{more}"


def judge(record: Record, logs: Logs, dead: Iterable[str] = ()) -> Verdict:
    """`dead` are turn ids of the dead list."""
    verdict, parked = Verdict(), set(dead)
    for thread, message_ids in record.threads.items():
        log = logs.get(thread, ())
        _judge_messages(record, message_ids, log, parked, verdict)
        _judge_order(record, thread, message_ids, log, verdict)
    for reader in record.readers:
        _judge_reader(reader, logs.get(reader.thread, ()), verdict)
    replies = {(frame["turn_id"], frame["text"]) for log in logs.values() for frame in log if frame["type"] == "reply"}
    verdict.mixed_up += [turn_id for turn_id, text in record.told if (turn_id, text) not in replies]
    return verdict


def _judge_messages(
    record: Record, message_ids: Sequence[str], log: Sequence[Frame], parked: set[str], verdict: Verdict
) -> None:
    logged = Counter(frame["id"] for frame in log if frame["type"] == "message")
    finals: dict[str, list[str]] = defaultdict(list)
    for frame in log:
        if frame["type"] == "reply" and frame["final"]:
            finals[frame["turn_id"]].append(frame["text"])
    for message_id in message_ids:
        turn_ids = record.acknowledged[message_id]
        texts = [text for turn_id in turn_ids for text in finals[turn_id]]
        if turn_ids & parked and not texts:
            verdict.dead.append(message_id)
        elif not texts or not logged[message_id]:
            verdict.lost.append(_named(message_id, turn_ids))
        if len(turn_ids) > 1 or len(texts) > 1 or logged[message_id] > 1:
            verdict.doubled.append(_named(message_id, turn_ids))
        order = record.lines[message_id].order
        if order and any(set(ORDER_NUMBER.findall(text)) - {order} for text in texts):
            verdict.mixed_up.append(_named(message_id, turn_ids))


def _named(message_id: str, turn_ids: Iterable[str]) -> str:
    return f"{message_id} ({', '.join(sorted(turn_ids))})"


def _judge_order(
    record: Record, thread: str, message_ids: Sequence[str], log: Sequence[Frame], verdict: Verdict
) -> None:
    """Event ids grow, and first replies come in the order of their messages."""
    ids = [frame["event_id"] for frame in log]
    verdict.out_of_order += [f"event {later} of {thread}" for earlier, later in pairwise(ids) if later <= earlier]
    asked_at = {frame["id"]: frame["event_id"] for frame in log if frame["type"] == "message"}
    answered_at: dict[str, int] = {}
    for frame in log:
        if frame["type"] == "reply":
            answered_at.setdefault(frame["turn_id"], frame["event_id"])
    turns = [
        (asked_at[message_id], answered_at[turn_id], turn_id)
        for message_id in message_ids
        for turn_id in record.acknowledged[message_id]
        if message_id in asked_at and turn_id in answered_at
    ]
    verdict.out_of_order += [
        turn_id for (_, before, _), (_, after, turn_id) in pairwise(sorted(turns)) if after < before
    ]


def _judge_reader(reader: Reader, log: Sequence[Frame], verdict: Verdict) -> None:
    """Over all its connections it has seen each event of the log once, in order."""
    seen = [frame["event_id"] for frame in reader.seen]
    in_log = {frame["event_id"] for frame in log}
    expected = {frame["event_id"] for frame in log if reader.is_shown_own or frame["type"] == "reply"}
    verdict.out_of_order += [
        f"event {later} after {earlier} ({reader.name})" for earlier, later in pairwise(seen) if later < earlier
    ]
    verdict.unseen += [f"event {id} {count} times ({reader.name})" for id, count in Counter(seen).items() if count > 1]
    verdict.unseen += [f"event {id} never ({reader.name})" for id in sorted(expected - set(seen))]
    verdict.unseen += [f"event {id} of nobody ({reader.name})" for id in sorted(set(seen) - in_log)]
