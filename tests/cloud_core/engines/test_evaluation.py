"""Figures of answers, and `cloud-core evaluate answers` as people call it."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from cloud_core.engines.evaluation.figures import Answered, coverage, figures, reliability
from cloud_core.engines.evaluation.questions import Question, read_questions
from cloud_core.messages import Answer, Citation, Outcome, Passage
from nearside.errors import ContentError
from tests.cloud_core.stage import CORE

pytestmark = pytest.mark.server

TENT = Passage("tent.en.md#1", "tent.en.md", "Skua 3", "tent.en.md", "Data", "It weighs 2.9 kg.\nIt costs €479.", "en")


def answered(
    question: Mapping[str, object], text: str = "", confidence: float = 0.9, seconds: float = 0.001, tokens: int = 0
) -> Answered:
    """An abstention where there is no text."""
    citations = (Citation("tent.en.md", "tent.en.md#1", "Skua 3", "tent.en.md", "It weighs 2.9 kg."),) if text else ()
    outcome = Outcome.GROUNDED if text else Outcome.NO_EVIDENCE
    answer = Answer(text or "I would rather not guess.", outcome, confidence, citations, "1", "extractive", False)
    asked = Question.model_validate({"question": "?", **question})
    return Answered(asked, answer, (TENT,), seconds, tokens)


def test_figures_are_what_they_say() -> None:
    found = figures(
        [
            answered({"facts": ["2.9 KG"], "relevant": ["tent.en"]}, "According to «Skua 3»: It weighs 2.9 kg.", 0.9),
            answered({"facts": ["2.9 kg", "€500"], "relevant": ["tent.en", "range.en"]}, "2.9 kg, 7.1 m, 8.", 0.7),
            answered({"facts": ["never"], "relevant": ["care.en"]}, seconds=0.003),
            answered({"unanswerable": True}, tokens=12),
            answered({"unanswerable": True}, "It costs €479.", 0.6),
        ]
    )
    assert (found["questions"], found["answerable"]) == (5, 3)
    assert found["containment"] == found["answered_right"] == 0.3333
    assert found["facts"] == 0.5
    assert found["answers_right"] == 0.3333
    assert (found["citation_precision"], found["citation_recall"]) == (1.0, 0.75)
    assert (found["abstained_right"], found["abstained_wrong"]) == (0.5, 0.3333)
    assert found["invented_numbers"] == 0.3333
    assert found["ece"] == pytest.approx((0.1 + 0.7 + 0.6) / 3, abs=1e-4)
    assert (found["ms_p50"], found["cost"]) == (1.0, 2.4)


def test_a_right_answer_quotes_a_relevant_document() -> None:
    facts = {"facts": ["2.9 kg"]}
    assert answered(facts, "2.9 kg").is_right
    assert answered({**facts, "relevant": ["tent.en.md"]}, "2.9 kg").is_right
    assert not answered({**facts, "relevant": ["tent.zh"]}, "2.9 kg").is_right


def test_what_cannot_be_counted_is_nothing() -> None:
    found = figures([answered({"unanswerable": True})])
    absent = {name for name, value in found.items() if value is None}
    assert absent >= {"containment", "citation_precision", "abstained_wrong", "invented_numbers", "ece"}


def test_fewer_answers_are_surer_ones() -> None:
    sets = [answered({"unanswerable": True}, "479", 0.55), answered({"facts": ["2.9"]}, "2.9", 0.95)]
    assert coverage(sets) == ([0.5, 1.0], [1.0, 0.5])
    assert [(one.least, one.right, one.count) for one in reliability(sets)] == [(0.5, 0.0, 1), (0.9, 1.0, 1)]


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        '{"question": "?"}',
        '{"question": "", "unanswerable": true}',
        '{"question": "?", "facts": []}',
        '{"question": "?", "facts": [" "]}',
        '{"question": "?", "facts": ["x"], "unanswerable": true}',
        '{"question": "?", "facts": "x"}',
        '{"question": "?", "facts": ["x"], "lang": "fr"}',
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(f'{{"question": "?", "unanswerable": true}}\n\n{line}\n')
    with pytest.raises(ContentError, match=r"q\.jsonl:3"):
        read_questions(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text("\n")
    with pytest.raises(ContentError, match="nothing in it"):
        read_questions(tmp_path / "q.jsonl")


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CORE, "evaluate", "answers", *map(str, arguments)], capture_output=True, text=True, timeout=100
    )


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "q.jsonl"
    asked: list[dict[str, object]] = [
        {"question": "How heavy is the Skua 3?", "facts": ["2.9 kg"], "relevant": ["tent"]},
        {"question": "And what does it cost?", "history": ["Tell me about the Skua 3"], "facts": ["€479"]},
        {"question": "攀岩绳用多少度的水洗？", "facts": ["30 °C"], "relevant": ["rope.zh"]},
        {"question": "How heavy is the Skua 2?", "unanswerable": True},
    ]
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in asked), encoding="utf-8")
    return path


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "tent.md").write_text("# Skua 3 tent\n\nThe Skua 3 weighs 2.9 kg. The Skua 3 costs €479.\n")
    (folder / "rope.zh.md").write_text("# 攀岩绳\n\n攀岩绳用 30 °C 水洗涤，在阴凉处晾干。\n", encoding="utf-8")
    return folder


def test_a_folder_answers_without_a_tenant(documents: Path, questions: Path, tmp_path: Path) -> None:
    done = call("--questions", questions, "--docs", documents, "--json", "--plot", tmp_path / "pictures")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["answered_right"] == found["abstained_right"] == found["citation_recall"] == 1.0
    assert (found["invented_numbers"], found["cost"], found["questions"]) == (0.0, 0.0, 4)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["coverage.png", "reliability.png"]


def test_every_figure_is_explained(documents: Path, questions: Path) -> None:
    done = call("--questions", questions, "--docs", documents)
    assert done.returncode == 0, done.stderr
    assert "abstained_right" in done.stdout and "invented_numbers" in done.stdout


def test_it_wants_one_knowledge_base(documents: Path, questions: Path) -> None:
    assert call("--questions", questions).returncode == 2
    assert call("--questions", questions, "--docs", documents, "--tenant", "shop").returncode == 2


def test_a_tenant_answers_from_what_is_published(documents: Path, questions: Path, tmp_path: Path) -> None:
    settings = tmp_path / "core" / "core.toml"
    done_first: list[list[str | Path]] = [
        ["init", settings.parent],
        ["tenant", "add", "shop", "--name", "Shop", "--config", settings],
        ["kb", "add", documents, "--tenant", "shop", "--config", settings],
        ["kb", "publish", "--tenant", "shop", "--config", settings],
    ]
    for arguments in done_first:
        subprocess.run([CORE, *map(str, arguments)], check=True, capture_output=True, timeout=100)
    done = call("--questions", questions, "--tenant", "shop", "--config", settings, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answered_right"] == 1.0
