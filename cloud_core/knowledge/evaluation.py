"""How well search finds: questions with their right documents, asked of a folder of files."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_core.knowledge import passages as cutting
from cloud_core.knowledge.documents import Unreadable
from cloud_core.knowledge.embedding import AT_ONCE, SentenceEncoder, text_of, vectors_of
from cloud_core.knowledge.index.filters import Filters
from cloud_core.knowledge.index.memory import MemorySnapshot
from cloud_core.knowledge.index.snapshot import Snapshot
from cloud_core.knowledge.ingest.parser import Parser
from cloud_core.knowledge.ingest.sources import Source, count, sources
from cloud_core.knowledge.search import reads_chinese, search
from cloud_core.knowledge.stores.base import MOST_UNKNOWN
from cloud_core.messages import HistoryItem, Passage, Role
from nearside.errors import ContentError
from nearside.lexical import has_cjk, language_of
from nearside.operator_files import read_text

DEPTHS = (1, 5, 10)
_PASSAGES = 30  # a document may have several among the first
_SAMPLE = 20_000


class Question(BaseModel):
    """`history`: what the customer wrote before, oldest first. `relevant`: ids of documents that answer."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    query: str = Field(min_length=1)
    relevant: tuple[str, ...] = Field(min_length=1)
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """`documents`: ids, best first, each once; `seconds` of processor time."""

    question: Question
    documents: tuple[str, ...]
    seconds: float


def read_questions(path: Path) -> list[Question]:
    """JSON lines. Raises ContentError with file and line."""
    questions = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            try:
                questions.append(Question.model_validate_json(line))
            except ValidationError:
                hint = 'write {"query": "…", "relevant": ["a file\'s name without its ending", …]}, one a line'
                raise ContentError("not a question", where=f"{path}:{number}", hint=hint) from None
    if not questions:
        raise ContentError("there is nothing in it", where=str(path), hint="write a question a line")
    return questions


def read_folder(
    folder: Path, encoder: SentenceEncoder, progress: Callable[[str, int, int], None] | None = None
) -> tuple[MemorySnapshot, float]:
    """The folder's passages, and how many a second were read and indexed, which leaves out encoding them.

    Document ids are file names without their ending; what cannot be read is left out. Raises ContentError.
    """
    started = time.perf_counter()
    passages = _read(folder, progress)
    snapshot = MemorySnapshot(passages)
    snapshot.learn()
    seconds = time.perf_counter() - started
    snapshot.put_vectors(_vectors(encoder, passages, progress))
    return snapshot, len(passages) / seconds


def ask(snapshot: Snapshot, encoder: SentenceEncoder, questions: Sequence[Question]) -> Iterator[Answered]:
    """Each question once, after one that warms up what is worked out once per version."""
    everything = Filters()
    search(snapshot, encoder, questions[0].query, language_of(questions[0].query))
    for question in questions:
        history = [HistoryItem(Role.CUSTOMER, text) for text in question.history]
        started = time.process_time()
        found = search(snapshot, encoder, question.query, language_of(question.query), _PASSAGES, history, everything)
        seconds = time.process_time() - started
        documents = tuple(dict.fromkeys(passage.document_id for passage in found.passages))
        yield Answered(question, documents, seconds)


def figures(answered: Sequence[Answered], passages: int, passages_per_s: float) -> dict[str, Any]:
    """Shares are 0 to 1, averaged over the questions; `ms_…` are of processor time."""
    ms = np.array([one.seconds for one in answered]) * 1000
    return {
        "questions": len(answered),
        "hit": {str(depth): _mean(_hit(one, depth) for one in answered) for depth in DEPTHS},
        "recall": {str(depth): _mean(_recall(one, depth) for one in answered) for depth in DEPTHS},
        "mrr": _mean(_reciprocal(one) for one in answered),
        "ndcg10": _mean(_ndcg(one, 10) for one in answered),
        "ms_p50": round(float(np.percentile(ms, 50)), 3),
        "ms_p99": round(float(np.percentile(ms, 99)), 3),
        "passages": passages,
        "passages_per_s": round(passages_per_s, 1),
    }


def place_of(one: Answered) -> int | None:
    """Where the first right document comes, from 1."""
    right = (place for place, document in enumerate(one.documents, start=1) if document in one.question.relevant)
    return next(right, None)


def _read(folder: Path, progress: Callable[[str, int, int], None] | None) -> list[Passage]:
    passages: list[Passage] = []
    if not folder.is_dir():
        raise ContentError("not a folder", where=str(folder), hint="give the folder with the documents")
    total = count(folder)
    with Parser() as parser:
        for done, source in enumerate(sources(folder), start=1):
            passages += _passages(parser, source)
            if progress:
                progress("reading", done, max(total, done))
    if not passages:
        raise ContentError("no document in it can be read", where=str(folder), hint="see what can be added")
    return passages


def _passages(parser: Parser, source: Source) -> Iterator[Passage]:
    document_id = PurePosixPath(source.document_id).stem
    try:
        document = parser.read(source)
    except Unreadable:
        return
    pieces = cutting.split(document)
    title = document.title or document_id
    lang = document.lang or language_of("\n".join(piece.text for piece in pieces)[:_SAMPLE])
    for passage_id, piece in zip(cutting.passage_ids(document_id, title, pieces), pieces, strict=True):
        yield Passage(passage_id, document_id, title, source.document_id, piece.heading, piece.text, lang)


def _vectors(
    encoder: SentenceEncoder, passages: Sequence[Passage], progress: Callable[[str, int, int], None] | None
) -> dict[str, NDArray[np.float32]]:
    """By passage id, of those that the encoder understands."""
    understood = [one for one in passages if reads_chinese(encoder) or not has_cjk(one.text)]
    vectors = {}
    for start in range(0, len(understood), AT_ONCE):
        run = understood[start : start + AT_ONCE]
        for passage, vector in zip(run, vectors_of(encoder, list(map(_text, run))), strict=True):
            if vector.unknown_share <= MOST_UNKNOWN:
                vectors[passage.passage_id] = vector.values.astype(np.float32)
        if progress:
            progress("encoding", start + len(run), len(understood))
    return vectors


def _text(passage: Passage) -> str:
    return text_of(passage.title, passage.heading, passage.text)


def _mean(values: Iterator[float]) -> float:
    return round(float(np.mean(list(values))), 4)


def _found(one: Answered, depth: int) -> int:
    return len(set(one.question.relevant) & set(one.documents[:depth]))


def _hit(one: Answered, depth: int) -> float:
    return float(_found(one, depth) > 0)


def _recall(one: Answered, depth: int) -> float:
    return _found(one, depth) / len(set(one.question.relevant))


def _reciprocal(one: Answered) -> float:
    place = place_of(one)
    return 1 / place if place else 0.0


def _ndcg(one: Answered, depth: int) -> float:
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    gains = [document in one.question.relevant for document in one.documents[:depth]]
    best = discounts[: len(set(one.question.relevant))].sum()
    return float((discounts[: len(gains)] * gains).sum() / best)
