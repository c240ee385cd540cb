"""What every store promises, told as a model of plain dicts that it is held against."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloud_core.knowledge.index.postings import among
from cloud_core.knowledge.index.snapshot import Snapshot
from cloud_core.knowledge.stores.base import KEPT_VERSIONS, DocumentInfo, Entry, Kind, Store, Vector

ENCODER = "one"
WORDS = ("kayak", "tent", "boat", "lamp", "帐篷")
DIMENSIONS = 8
DOCUMENTS = ("a.md", "c/d.md")
State = dict[str, tuple[str, ...]]


def vector(words: str) -> Vector:
    """The same words, the same vector."""
    values = np.random.default_rng(sum(words.encode())).standard_normal(DIMENSIONS)
    return Vector((values / np.linalg.norm(values)).astype(np.float16), 0.0)


def document(document_id: str, audience: str = "") -> DocumentInfo:
    added_at = "2026-01-01T00:00:00+00:00"
    return DocumentInfo(document_id, f"Title of {document_id}", document_id, "en", added_at, audience=audience)


def entries(document_id: str, texts: tuple[str, ...]) -> list[Entry]:
    return [Entry(f"{document_id}#{place}", "Heading", text, "en", vector(text)) for place, text in enumerate(texts)]


def put(store: Store, document_id: str, *texts: str, encoder: str = ENCODER) -> bool:
    return store.put(document(document_id), "1:" + "|".join(texts), entries(document_id, texts), encoder)


def texts_with(snapshot: Snapshot, word: str) -> set[tuple[str, str]]:
    """(document, text) of the live passages that hold the word."""
    found = snapshot.postings([word])
    if word not in found:
        return set()
    numbers = among(found[word], snapshot.catalogue.numbers).numbers
    return {(one.document_id, one.text) for one in snapshot.passages([int(number) for number in numbers]).values()}


@dataclass
class Model:
    live: State = field(default_factory=dict)
    draft: State = field(default_factory=dict)
    versions: dict[int, State] = field(default_factory=dict)
    version: int = 0

    def changes(self) -> dict[str, Kind]:
        return {
            name: Kind.REMOVED if name not in self.draft else Kind.ADDED if name not in self.live else Kind.UPDATED
            for name in {*self.live, *self.draft}
            if self.live.get(name) != self.draft.get(name)
        }

    def become(self, state: State) -> None:
        self.version += 1
        self.live = dict(state)
        self.versions[self.version] = self.live

    def roll_back(self, number: int) -> None:
        """What waits goes on waiting: it is on top of whatever is live."""
        waiting = {name: self.draft.get(name) for name in self.changes()}
        self.become(self.versions[number])
        self.draft = dict(self.live)
        for name, texts in waiting.items():
            if texts is None:
                self.draft.pop(name, None)
            else:
                self.draft[name] = texts


class StoreMachine(RuleBasedStateMachine):
    """`open_store` is to be set by the test: it opens the same store again, as another program would."""

    open_store: Callable[[], Store]
    forget: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self.stores = [type(self).open_store(), type(self).open_store()]
        self.model = Model()

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        type(self).forget()

    @rule(name=st.sampled_from(DOCUMENTS), texts=st.lists(st.sampled_from(WORDS), min_size=1, max_size=2))
    def put(self, name: str, texts: list[str]) -> None:
        existed = put(self.stores[0], name, *texts)
        assert existed == (name in self.model.draft)
        self.model.draft[name] = tuple(texts)

    @rule(name=st.sampled_from(DOCUMENTS))
    def drop(self, name: str) -> None:
        assert self.stores[0].drop(name) == (name in self.model.draft)
        self.model.draft.pop(name, None)

    @rule()
    def discard(self) -> None:
        assert self.stores[0].discard() == len(self.model.changes())
        self.model.draft = dict(self.model.live)

    @rule(which=st.integers(0, 1))
    def publish(self, which: int) -> None:
        if self.model.changes():
            self.model.become(self.model.draft)
        assert self.stores[which].publish("note") == str(self.model.version)

    @precondition(lambda self: self.model.version > 1)
    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        oldest = max(1, self.model.version - KEPT_VERSIONS + 1)
        number = data.draw(st.integers(oldest, self.model.version - 1))
        self.model.roll_back(number)
        assert self.stores[0].rollback(number) == str(self.model.version)

    @rule(word=st.sampled_from(WORDS))
    def search_the_draft(self, word: str) -> None:
        with self.stores[0].reading(draft=True) as snapshot:
            assert texts_with(snapshot, word) == holding(self.model.draft, word)

    @invariant()
    def what_is_live_is_found_and_nothing_else(self) -> None:
        for store in self.stores:
            with store.reading() as snapshot:
                assert snapshot.version == str(self.model.version)
                for word in WORDS:
                    assert texts_with(snapshot, word) == holding(self.model.live, word)
                near = snapshot.dense(vector(WORDS[0]).values.astype(np.float32), 100)
                assert len(near) == sum(map(len, self.model.live.values())) == len(snapshot.catalogue)
                assert any(cosine > 0.99 for _, cosine in near) == bool(holding(self.model.live, WORDS[0]))

    @invariant()
    def the_lists_are_right(self) -> None:
        store = self.stores[1]
        assert {it.document_id: it.kind for it in store.changes()} == self.model.changes()
        for draft, state in ((False, self.model.live), (True, self.model.draft)):
            listed = {it.document_id: it.passages for it in store.documents(draft=draft)}
            assert listed == {name: len(texts) for name, texts in state.items()}
        kept = {it.number: it.documents for it in store.versions() if it.kept}
        newest = sorted(self.model.versions)[-KEPT_VERSIONS:]
        assert kept == {number: len(self.model.versions[number]) for number in newest}
        for name in DOCUMENTS:
            known = store.known(name)
            assert (known.digest if known else None) == (
                "1:" + "|".join(self.model.draft[name]) if name in self.model.draft else None
            )


def holding(state: State, word: str) -> set[tuple[str, str]]:
    return {(name, text) for name, texts in state.items() for text in texts if text == word}
