"""Answers in the making: what somebody sees who comes back while a turn runs."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Frame = Mapping[str, Any]
Key = tuple[str, str, str]
to_json: Callable[[Frame], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

QUIET_S = 90.0
"""A turn that shows nothing for so long is not shown as running any more; the widget has the same limit."""
MOST_CONVERSATIONS = 4096
MOST_CHARACTERS = 16_000
"""Of one draft; a longer one is not repeated, its reply brings the whole text."""


@dataclass(slots=True)
class _Draft:
    """`deltas` are those of the newest revision, all of them or, where they were too long, none."""

    touched_at: float
    revision: int = -1
    characters: int = 0
    deltas: list[Frame] = field(default_factory=list)

    def add(self, delta: Frame, at: float) -> None:
        self.touched_at = at
        if delta["revision"] > self.revision:
            self.revision, self.characters, self.deltas = delta["revision"], 0, []
        self.characters += len(delta["text"])
        if self.characters > MOST_CHARACTERS:
            self.deltas.clear()
        elif delta["revision"] == self.revision:
            self.deltas.append(delta)


class Drafts:
    """By conversation and turn; the longest unfinished conversation goes first when there are too many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turns: dict[Key, dict[str, _Draft]] = {}

    def begin(self, key: Key, turn_id: str) -> bool:
        """The turn runs, or will soon. False where it is shown already."""
        turns, now = self._of(key), self._clock()
        if (draft := turns.get(turn_id)) is None:
            turns[turn_id] = _Draft(now)
            return True
        was_quiet = draft.touched_at < now - QUIET_S
        if was_quiet:
            draft.touched_at = now
        return was_quiet

    def add(self, key: Key, delta: Frame) -> None:
        self.begin(key, delta["turn_id"])
        self._turns[key][delta["turn_id"]].add(delta, self._clock())

    def end(self, key: Key, turn_ids: Iterable[str]) -> None:
        """They have their reply."""
        if (turns := self._turns.get(key)) is None:
            return
        for turn_id in turn_ids:
            turns.pop(turn_id, None)
        if not turns:
            del self._turns[key]

    def end_all(self, key: Key) -> None:
        """An agent answers from now on."""
        self._turns.pop(key, None)

    def frames(self, key: Key) -> list[Frame]:
        """`typing` and the draft so far of every turn that runs."""
        oldest = self._clock() - QUIET_S
        return [
            frame
            for turn_id, draft in self._turns.get(key, {}).items()
            if draft.touched_at >= oldest
            for frame in (typing(turn_id), *draft.deltas)
        ]

    def _of(self, key: Key) -> dict[str, _Draft]:
        if (turns := self._turns.get(key)) is None:
            turns = self._turns[key] = {}
            self._make_room()
        return turns

    def _make_room(self) -> None:
        oldest = self._clock() - QUIET_S
        while True:
            key, turns = next(iter(self._turns.items()))
            is_quiet = bool(turns) and all(draft.touched_at < oldest for draft in turns.values())
            if not is_quiet and len(self._turns) <= MOST_CONVERSATIONS:
                return
            del self._turns[key]


def typing(turn_id: str) -> Frame:
    return {"type": "event", "event": "typing", "turn_id": turn_id}
