from pathlib import Path

import numpy as np
import pytest

from benchmarks import corpus, knowledge, large
from benchmarks.figures import Figure, Section
from benchmarks.stage import Stage
from nearside.lexical import language_of, search_terms

pytestmark = pytest.mark.server


def by_name(section: Section) -> dict[str, Figure]:
    return {figure.name: figure for figure in section.figures}


def test_the_same_seed_writes_the_same_documents_half_of_them_chinese() -> None:
    once, again = (list(corpus.documents(400, 20)) for _ in range(2))
    assert once == again
    assert sum(len(one.texts) for one in once) == 400
    assert [language_of("\n".join(one.texts)) for one in once] == ["en", "zh"] * 4


def test_words_are_as_unequal_as_in_real_text() -> None:
    said = np.array([text.split().count("the") for one in list(corpus.documents(400, 50))[::2] for text in one.texts])
    held = {word for one in list(corpus.documents(400, 50))[::2] for text in one.texts for word in text.split()}
    assert 0.01 < said.mean() / 50 < 0.1
    assert len(held) > 2_000


def test_a_question_shares_words_with_a_passage_in_its_language() -> None:
    written = list(corpus.documents(200, 30))
    for text, lang in corpus.questions(written, 20):
        asked = set(search_terms(text))
        held = (search_terms(passage) for one in written if one.lang == lang for passage in one.texts)
        assert any(len(asked & set(terms)) >= min(3, len(asked)) for terms in held)


def test_vectors_of_other_seeds_lie_around_the_same_centres() -> None:
    known, asked = (corpus.vectors(2 * corpus.CLUSTERS, seed).astype(np.float32) for seed in (1, 2))
    assert np.allclose(np.linalg.norm(known, axis=1), 1, atol=1e-3)
    nearest = (asked[:100] @ known.T).max(axis=1)
    assert 0.6 < np.median(nearest) < 0.95


def test_the_benchmark_of_knowledge_measures_what_it_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PASSAGES": 600,
        "BLOCK": 600,
        "FILES": 2,
        "FEW": 1,
        "WARMING": 2,
        "ASKED": 8,
        "SCANNED": 4,
    }.items():
        monkeypatch.setattr(knowledge, name, value)
    adding, searching = knowledge.measure(Stage(tmp_path))
    assert by_name(adding)["without encoding"].budget == knowledge.INGEST
    (limit,) = by_name(adding)["with the shipped encoder"].limits
    assert limit.value > 0
    slowest = by_name(searching)["search, p99"]
    assert slowest.budget == knowledge.LATENCY and slowest.value > 0
    assert [limit.name for limit in slowest.limits] == ["exact numpy scan", "bare FTS5"]
    assert all(limit.value > 0 for limit in slowest.limits)


def test_the_large_benchmark_finds_by_its_index_what_an_exact_scan_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WARMING": 2, "ASKED": 20, "COMPARED": 20}.items():
        monkeypatch.setattr(large, name, value)
    figures = by_name(large.measure(6_000))
    assert figures["recall@10 against exact search"].value >= 0.95
    assert figures["search by words and vector, p99"].budget == large.LATENCY
    assert figures["disk: the vector index"].value > 1
