"""Figures of retrieval, and `cloud-core evaluate retrieval` as people call it."""

import json
import math
import subprocess
from pathlib import Path

import pytest

from cloud_core.knowledge.evaluation import Answered, Question, figures, read_questions
from nearside.errors import ContentError
from tests.cloud_core.stage import CORE

pytestmark = pytest.mark.server

TEXTS = {
    "tent.md": "# Skua 3 tent\n\nThe Skua 3 weighs 2.9 kg.",
    "stove.txt": "The Ember weighs 86 g and burns gas.",
    "rope.zh.md": "# 攀岩绳\n\n攀岩绳用 30 °C 水洗涤，在阴凉处晾干。",
    "broken.pdf": "no PDF at all",
}


@pytest.fixture
def documents(folder: Path) -> Path:
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def written(path: Path, *questions: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in questions), encoding="utf-8")
    return path


def call(docs: Path, queries: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    arguments = ["evaluate", "retrieval", "--docs", docs, "--queries", queries, *more]
    return subprocess.run([CORE, *map(str, arguments)], capture_output=True, text=True, timeout=100)


def answered(documents: str, relevant: str, seconds: float = 0.001) -> Answered:
    return Answered(Question(query="?", relevant=tuple(relevant)), tuple(documents), seconds)


def test_figures_are_what_they_say() -> None:
    found = figures([answered("abcdefghijk", "bk"), answered("abc", "a"), answered("abc", "z", 0.003)], 7, 2.5)
    assert found["hit"] == {"1": 0.3333, "5": 0.6667, "10": 0.6667}
    assert found["recall"] == {"1": 0.3333, "5": 0.5, "10": 0.5}
    assert found["mrr"] == 0.5
    second = 1 / math.log2(3)
    assert found["ndcg10"] == pytest.approx((second / (1 + second) + 1) / 3, abs=1e-4)
    assert (found["ms_p50"], found["passages"], found["passages_per_s"]) == (1.0, 7, 2.5)


def test_a_folder_is_searched_without_a_tenant(documents: Path, tmp_path: Path) -> None:
    queries = written(
        tmp_path / "q.jsonl",
        {"query": "How heavy is the Skua 3?", "relevant": ["tent"]},
        {"query": "And what does it burn?", "relevant": ["stove"], "history": ["Tell me about the Ember"]},
        {"query": "绳子怎么洗？", "relevant": ["rope.zh"], "id": 7},
    )
    done = call(documents, queries, "--json", "--plot", tmp_path / "pictures")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["hit"] == {"1": 1.0, "5": 1.0, "10": 1.0} and found["mrr"] == found["ndcg10"] == 1.0
    assert found["passages"] == 3 and found["ms_p99"] >= found["ms_p50"] > 0 and found["passages_per_s"] > 0
    pictures = [Path(line) for line in done.stderr.split()]
    assert [path.name for path in pictures] == ["found.png", "latency.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    assert "a right document is among the first so many" in call(documents, queries).stdout


@pytest.mark.parametrize(
    "line", ["no json", "[]", '{"query": "?"}', '{"query": "", "relevant": ["a"]}', '{"query": "?", "relevant": []}']
)
def test_what_is_no_question_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(f'{{"query": "?", "relevant": ["a"]}}\n\n{line}\n', encoding="utf-8")
    with pytest.raises(ContentError, match="q.jsonl:3 "):
        read_questions(path)


def test_a_folder_without_documents_is_an_error(folder: Path, tmp_path: Path) -> None:
    done = call(folder, written(tmp_path / "q.jsonl", {"query": "?", "relevant": ["a"]}))
    assert done.returncode == 1 and done.stderr.startswith("cloud-core: error: no document in it can be read")
