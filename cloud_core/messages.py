"""What the rooms of the core hand to each other. Imports nothing of the core."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Lang = Literal["en", "zh"]


class Role(StrEnum):
    CUSTOMER = "customer"
    ASSISTANT = "assistant"
    AGENT = "agent"


class Outcome(StrEnum):
    GROUNDED = "grounded"
    NO_EVIDENCE = "no_evidence"


@dataclass(frozen=True, slots=True)
class HistoryItem:
    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A masked turn. `text` is at most 8,000 characters; `history` is oldest first."""

    text: str
    lang: Lang
    history: tuple[HistoryItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that search found; `score` is comparable within one search only."""

    passage_id: str
    document_id: str
    title: str
    uri: str
    heading: str
    text: str
    lang: Lang
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Citation:
    """`quote` is verbatim text of the document."""

    document_id: str
    passage_id: str
    title: str
    uri: str
    quote: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One whole sentence of an answer, and what it stands on."""

    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """The engine wants a tool called; `arguments` are not yet validated."""

    call_id: str
    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of an engine. `confidence` is a probability, 0 to 1."""

    outcome: Outcome
    confidence: float
    usage: Mapping[str, int] = field(default_factory=dict)


EngineEvent = Sentence | ToolRequest | Finished


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a turn. `retrieval_s` and `engine_s` are seconds."""

    text: str
    outcome: Outcome
    confidence: float
    citations: tuple[Citation, ...]
    knowledge_version: str
    engine: str
    cacheable: bool
    retrieval_s: float = 0.0
    engine_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Delta:
    """One checked sentence on its way out; a higher `revision` replaces the draft so far."""

    revision: int
    sequence: int
    text: str
