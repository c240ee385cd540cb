"""Answers of the core, given again to whoever asks the same: exactly so, or in other words.

Nothing in it is personal: it takes only what the core calls cacheable, asked in a text without personal data, and
keeps of a question keyed hashes and a vector, no words. Forgetting a customer removes what was kept for them too.
"""

import hmac
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from hashlib import blake2b, sha256
from typing import Literal, Protocol

import numpy as np

from edge_node.messages import Citation, KeptAnswer, Reply, Turn
from edge_node.responders.known import Known, Vector
from edge_node.responders.sameness import Question, may_share, question
from edge_node.uplink.base import Answer
from nearside.following import is_follow_up
from nearside.lexical import content_words
from nearside.nearest import UNKNOWN_LIMIT
from nearside.origins import Reason, Source
from nearside.tenant_toml import CacheSettings

LONGEST_QUESTION = 400
"""Characters; a longer text is hardly ever asked twice."""
LONGEST_ANSWER = 16_000
RECIPE = "1"
"""Changes with `sameness`: what was kept by other rules is then found no more."""
MASK_SIGN = "⟨"
HASH = 8
"""Bytes of a word's."""

Outcome = Literal["exact", "semantic", "miss", "off"]
Count = Callable[[Outcome], None]


class Shelf(Protocol):
    """Where the answers lie: the tenant's sealed file."""

    def keep_answer(self, kept: KeptAnswer, before: float) -> None: ...

    async def kept_answer(self, key: bytes) -> KeptAnswer | None: ...

    async def kept_answers(self) -> list[KeptAnswer]: ...

    def drop_answers(self, keys: Sequence[bytes] | None = None) -> None: ...


class Cache:
    """Of one tenant. `encoder` is the fingerprint of what makes the vectors; `now` in seconds since 1970."""

    def __init__(
        self,
        settings: CacheSettings,
        shelf: Shelf,
        secret: bytes,
        encoder: str,
        is_word: Callable[[str], bool],
        count: Count,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._shelf, self._is_word = settings, shelf, is_word
        self._count, self._now = count, now
        self._secret = hmac.new(secret, f"{RECIPE} {encoder}".encode(), sha256).digest()
        self._known = Known(settings.most_entries if settings.enabled else 1)
        self._version, self._changes = "", 0

    def entries(self) -> int:
        return len(self._known)

    async def open(self) -> None:
        """Take up what an earlier run left."""
        kept = await self._shelf.kept_answers()
        if not self._settings.enabled:
            self._shelf.drop_answers()
            return
        self._version = kept[-1].version if kept else ""
        good = [one for one in kept if self._is_good(one)]
        for one in good:
            vector = np.frombuffer(one.vector, dtype=np.float32) if one.vector else None
            self._add(one.key, one.signature, vector, one.kept_at)
        if len(good) < len(kept):
            self._shelf.drop_answers([one.key for one in kept if not self._is_good(one)])

    async def answer(self, turn: Turn) -> Reply | None:
        if not await self._may_be_asked(turn):
            self._count("off")
            return None
        asked = question(turn.text, self._is_word)
        outcome, found = await self._look_up(turn, asked)
        self._count(outcome)
        return found

    def as_of(self) -> int:
        """To be noted when the core is asked, and handed to `learn`: how often its knowledge has changed so far."""
        return self._changes

    async def learn(self, turn: Turn, answer: Answer, as_of: int, *, is_plain: bool) -> None:
        """What the core said. `is_plain`: no personal data was found in what it was told."""
        if not self._settings.enabled or not self._is_current(answer.knowledge_version, as_of):
            return
        if not (is_plain and _is_for_all(turn, answer)) or len(turn.text) > LONGEST_QUESTION:
            return
        asked = question(turn.text, self._is_word)
        if not asked.exact:
            return
        vector = await self._vector(turn, asked)
        if answer.knowledge_version == self._version:
            self._keep(turn, asked, vector, answer)

    def _keep(self, turn: Turn, asked: Question, vector: Vector | None, answer: Answer) -> None:
        kept = KeptAnswer(
            key=self._key(turn, asked),
            turn_id=turn.turn_id,
            version=answer.knowledge_version,
            signature=self._signature(turn, asked),
            words=b"".join(map(self._hash, asked.words)),
            vector=b"" if vector is None else vector.tobytes(),
            answer=_as_json(answer),
            kept_at=self._now(),
        )
        if len(kept.answer) <= LONGEST_ANSWER:
            self._known.drop_older(self._oldest())
            self._shelf.keep_answer(kept, self._oldest())
            self._add(kept.key, kept.signature, vector, kept.kept_at)

    async def _may_be_asked(self, turn: Turn) -> bool:
        """A follow-up means something else in every conversation."""
        if not self._settings.enabled or turn.late or turn.state.form or len(turn.text) > LONGEST_QUESTION:
            return False
        return not (is_follow_up(turn.text) and await turn.history())

    async def _look_up(self, turn: Turn, asked: Question) -> tuple[Outcome, Reply | None]:
        key = self._key(turn, asked)
        if self._known.has(key) and (kept := await self._find(key)):
            return "exact", _reply(kept, 1.0)
        if len(self._known) and (vector := await self._vector(turn, asked)) is not None:
            alike = self._known.nearest(self._signature(turn, asked), vector, self._settings.threshold)
            for other, likeness in tuple(alike):
                if (kept := await self._find(other)) and self._may_share(asked, kept):
                    self._known.has(other)
                    return "semantic", _reply(kept, likeness)
        return "miss", None

    async def _find(self, key: bytes) -> KeptAnswer | None:
        kept = await self._shelf.kept_answer(key)
        return kept if kept is not None and self._is_good(kept) else None

    def _is_good(self, kept: KeptAnswer) -> bool:
        return kept.version == self._version and kept.kept_at >= self._oldest()

    def _may_share(self, asked: Question, kept: KeptAnswer) -> bool:
        answer = json.loads(kept.answer)
        told = " ".join([answer["text"], *(f"{c['title']} {c['quote']}" for c in answer["citations"])])
        known = [kept.words[start : start + HASH] for start in range(0, len(kept.words), HASH)]
        return may_share(self._hashes(asked.words), known, self._hashes(content_words(told)))

    async def _vector(self, turn: Turn, asked: Question) -> Vector | None:
        """None where likeness of vectors would say nothing about the texts."""
        if not asked.is_readable:
            return None
        encoding = await turn.encoding()
        return None if encoding is None or encoding.unknown_share > UNKNOWN_LIMIT else encoding.vector

    def _add(self, key: bytes, signature: bytes, vector: Vector | None, kept_at: float) -> None:
        if gone := self._known.add(key, signature, vector, kept_at):
            self._shelf.drop_answers(gone)

    def _oldest(self) -> float:
        return self._now() - self._settings.ttl_hours * 3600

    def _key(self, turn: Turn, asked: Question) -> bytes:
        return self._keyed("exact", turn.lang, asked.exact)

    def _signature(self, turn: Turn, asked: Question) -> bytes:
        return self._keyed("signature", turn.lang, *asked.signature)

    def _keyed(self, *parts: str) -> bytes:
        return blake2b("\0".join(parts).encode(), key=self._secret, digest_size=16).digest()

    def _hashes(self, words: Iterable[str]) -> set[bytes]:
        return set(map(self._hash, words))

    def _hash(self, word: str) -> bytes:
        return blake2b(word.encode(), key=self._secret, digest_size=HASH).digest()

    def _is_current(self, version: str, as_of: int) -> bool:
        """False for an answer that may be older than what was learnt while it was made.

        Another version empties the cache: what it held is no longer known to be right.
        """
        if not version or (version != self._version and as_of != self._changes):
            return False
        if version != self._version:
            self._version, self._changes = version, self._changes + 1
            self._known.clear()
            self._shelf.drop_answers()
        return True


def _is_for_all(turn: Turn, answer: Answer) -> bool:
    """Nothing of this conversation went into it."""
    state = turn.state
    is_bare = not (turn.late or state.form or state.slots or state.verified or state.ticket or state.masks)
    return answer.cacheable and answer.grounded and is_bare and MASK_SIGN not in _as_json(answer)


def _as_json(answer: Answer) -> str:
    citations = [asdict(citation) for citation in answer.citations]
    said = {"text": answer.text, "confidence": answer.confidence, "citations": citations}
    return json.dumps(said, ensure_ascii=False)


def _reply(kept: KeptAnswer, likeness: float) -> Reply:
    answer = json.loads(kept.answer)
    return Reply(
        text=answer["text"],
        source=Source.CACHE,
        reason=Reason.CACHE_HIT,
        confidence=answer["confidence"] * likeness,
        citations=tuple(Citation(**citation) for citation in answer["citations"]),
        knowledge_version=kept.version,
    )
