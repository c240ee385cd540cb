"""Search over a snapshot in memory, without a store."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from cloud_core.knowledge.index.filters import Filters
from cloud_core.knowledge.index.memory import MemorySnapshot
from cloud_core.knowledge.index.snapshot import About
from cloud_core.knowledge.search import Found, search
from cloud_core.messages import HistoryItem, Lang, Passage, Role
from nearside.encoder import Encoding, TextEncoder
from nearside.errors import EngineError
from nearside.lexical import language_of

pytestmark = pytest.mark.unit

TEXTS = {
    "tent": ("Skua 3 tent", "The Skua 3 weighs 2.9 kg.", "Never machine-wash the tent.", "It has 16 pegs."),
    "tent-zh": ("Skua 3 帐篷", "Skua 3 重 2.9 公斤。", "帐篷绝不能放进洗衣机。"),
    "stove": ("Ember stove", "The Ember weighs 86 g.", "It burns gas from cartridges."),
    "rope-zh": ("攀岩绳", "攀岩绳用 30 °C 水洗涤，在阴凉处晾干。"),
}


def passages_of(texts: Mapping[str, tuple[str, ...]]) -> list[Passage]:
    return [
        Passage(f"{name}#{place}", name, title, name, "", text, language_of(title + text))
        for name, (title, *parts) in texts.items()
        for place, text in enumerate(parts)
    ]


SHOP = MemorySnapshot(passages_of(TEXTS))


def find(text: str, snapshot: MemorySnapshot = SHOP, filters: Filters | None = None, limit: int = 8) -> Found:
    return search(snapshot, None, text, language_of(text), limit, (), filters)


def ids(found: Found) -> list[str]:
    return [passage.passage_id for passage in found.passages]


@pytest.mark.parametrize(
    ("text", "passage_id"),
    [
        ("How heavy is the Skua 3?", "tent#0"),
        ("May I wash the tent in a machine?", "tent#1"),
        ("Skua 3 有多重？", "tent-zh#0"),
        ("帐篷可以机洗吗", "tent-zh#1"),
        ("ＳＫＵＡ　３ 的重量", "tent-zh#0"),
        ("What fuel does the Ember burn?", "stove#1"),
    ],
)
def test_the_right_passage_comes_first(text: str, passage_id: str) -> None:
    assert ids(find(text))[0] == passage_id


def test_what_each_list_gave_adds_up_to_the_score() -> None:
    found = find("Does the Ember stove burn gas?")
    assert len(found.explanation) == len(found.passages) > 1
    for passage, lists in zip(found.passages, found.explanation, strict=True):
        given = sum(share for name, share in lists.items() if name != "language")
        assert passage.score == pytest.approx(given * lists["language"], abs=1e-4)
    assert found.explanation[0]["words"] > 0 and found.explanation[0]["nearness"] > 0


def test_the_other_language_counts_half() -> None:
    found = find("Skua 3")
    shares = {passage.lang: lists["language"] for passage, lists in zip(found.passages, found.explanation, strict=True)}
    assert shares == {"en": 1.0, "zh": 0.5}


def test_a_follow_up_is_about_what_was_asked_before() -> None:
    def after(earlier: str, role: Role = Role.CUSTOMER) -> str:
        history = [HistoryItem(role, earlier)]
        return search(SHOP, None, "And how heavy is it?", "en", 3, history).passages[0].document_id

    assert after("What does the Ember burn?") == "stove"
    assert after("Tell me about the Skua 3") == "tent"


def test_texts_that_say_the_same_are_one_result_unless_a_number_differs() -> None:
    same = "The tent weighs {} kg with its poles, its pegs and its three bags, as measured in our own workshop."
    texts = {"a": ("A", same.format("2.9")), "b": ("B", same.format("2.9") + "!"), "c": ("C", same.format("3.9"))}
    assert sorted(ids(find("How heavy is the tent?", MemorySnapshot(passages_of(texts))))) == ["a#0", "c#0"]


def filtered(filters: Filters, *about: About) -> set[str]:
    snapshot = MemorySnapshot(passages_of(TEXTS), {one.document_id: one for one in about})
    return {passage.document_id for passage in find("Skua 3 Ember weighs 重", snapshot, filters).passages}


def test_filters_keep_to_a_language() -> None:
    assert filtered(Filters(langs=frozenset[Lang]({"zh"}))) == {"tent-zh"}


def test_of_several_tags_one_is_enough() -> None:
    tags = frozenset({"new", "old"})
    assert filtered(Filters(tags=tags), About("tent", tags=frozenset({"new"})), About("stove")) == {"tent"}


def test_what_is_for_an_audience_is_shown_to_nobody_else() -> None:
    dealers = About("stove", audience="dealers")
    assert "stove" not in filtered(Filters(), dealers)
    assert {"stove", "tent"} <= filtered(Filters(audience="dealers"), dealers)
    assert "stove" not in filtered(Filters(audience="staff"), dealers)


@pytest.mark.parametrize(
    ("on", "shown"), [("2026-02-28", False), ("2026-03-01", True), ("2026-03-31", True), ("2026-04-01", False)]
)
def test_a_document_is_shown_from_its_first_to_its_last_day(on: str, shown: bool) -> None:
    march = About("stove", valid_from="2026-03-01", valid_until="2026-03-31")
    assert ("stove" in filtered(Filters(on=on), march)) is shown


def test_what_has_run_out_is_not_found_by_default() -> None:
    snapshot = MemorySnapshot(passages_of(TEXTS), {"stove": About("stove", valid_until="2020-12-31")})
    assert "stove" not in {passage.document_id for passage in find("Ember", snapshot).passages}


def test_filters_hold_for_vectors_too(encoder: TextEncoder) -> None:
    snapshot = MemorySnapshot(passages_of(TEXTS), {"stove": About("stove", audience="dealers")})
    texts = {passage.passage_id: f"{passage.title}. . {passage.text}" for passage in passages_of(TEXTS)}
    snapshot.put_vectors({name: encoder.encode(text).vector for name, text in texts.items()})
    question = "Which burner is fuelled by butane?"
    everyone, dealers = (
        search(snapshot, encoder, question, "en", 8, (), Filters(audience=it)) for it in ("", "dealers")
    )
    assert "stove" not in {passage.document_id for passage in everyone.passages}
    assert dealers.passages[0].document_id == "stove" and dealers.explanation[0]["meaning"] > 0


def test_a_tenants_synonyms_find_what_its_documents_call_otherwise() -> None:
    texts = TEXTS | {"club": ("Skylark Club", "Skylark Club members collect points.")}
    plain = MemorySnapshot(passages_of(texts))
    taught = MemorySnapshot(passages_of(texts), learned={"synonyms": b"cooker, stove\nbonus card, Skylark Club\n"})
    assert ids(find("Your bonus card?", plain)) == []
    assert ids(find("Your bonus card?", taught)) == ["club#0"]
    assert find("Which cooker?", taught).passages[0].document_id == "stove"
    assert "stov" in next(term for term in find("Which cooker?", taught).terms if term.text == "cooker").variants


def test_a_word_nobody_knows_weighs_most() -> None:
    weights = {term.text: term.weight for term in find("Does the Skua 3 fit a puffin?").terms}
    assert weights["puffin"] == max(weights.values())


@pytest.mark.parametrize(
    "text", ["", "   ", "???", "the of and", '"', "'; DROP TABLE passages;--", "的", "\ud800", "a" * 8000]
)
def test_no_text_is_an_error(text: str) -> None:
    assert isinstance(find(text), Found)


def test_nothing_is_found_among_nothing() -> None:
    empty = MemorySnapshot([])
    assert find("How heavy is the Skua 3?", empty).passages == ()
    np.testing.assert_array_equal(empty.catalogue.rows(np.array([1, 2])), [-1, -1])


class Unreachable:
    fingerprint = "server"
    reads_chinese = True

    def encode(self, text: str) -> Encoding:
        raise EngineError("the embeddings server cannot be reached")

    def encode_many(self, texts: Sequence[str]) -> list[Encoding]:
        return [self.encode(text) for text in texts]


def test_words_still_find_while_the_encoder_fails() -> None:
    assert search(SHOP, Unreachable(), "How heavy is the Skua 3?", "en").passages[0].passage_id == "tent#0"
