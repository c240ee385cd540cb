"""A tenant's knowledge: files go in, passages come out."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloud_core.knowledge import passages as cutting
from cloud_core.knowledge.documents import Document, DocumentInfo, Report, Status, Unreadable
from cloud_core.knowledge.ingest.parser import Parser
from cloud_core.knowledge.queries import CARRIED_WEIGHT, Query, Term, forms_of, rarest, understand, weigh
from cloud_core.knowledge.ranking import OTHER_LANGUAGE, fuse, without_duplicates
from cloud_core.knowledge.store import MOST_UNKNOWN, Entry, Store
from cloud_core.messages import HistoryItem, Lang, Passage
from nearside.database import Connection
from nearside.encoder import TextEncoder
from nearside.lexical import has_cjk, language_of

_CANDIDATES = 60
VARIANT_WEIGHT = 0.6


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one version of the knowledge base holds on a question; `passages` best first."""

    version: str
    passages: tuple[Passage, ...]
    terms: tuple[Term, ...]


class KnowledgeBase:
    """Blocking, thread-safe. The connection must be used by nobody else and have `store.MIGRATIONS` applied."""

    def __init__(self, connection: Connection, encoder: TextEncoder) -> None:
        self._store = Store(connection, encoder.fingerprint)
        self._encoder = encoder

    def close(self) -> None:
        """Searches under way fail."""
        self._store.close()

    @property
    def version(self) -> str:
        """An integer that grows with every change, also by another process."""
        return self._store.version()

    def documents(self) -> list[DocumentInfo]:
        return self._store.documents()

    def add(self, path: Path, root: Path | None = None) -> Report:
        """One file; its id is its path below `root` (its name without one)."""
        with Parser() as parser:
            return self._add(parser, path, root or path.parent)

    def add_folder(self, root: Path, progress: Callable[[Report], None] | None = None) -> list[Report]:
        """Every file below `root` except hidden ones; each is its own transaction, so a repeat finishes the work."""
        reports = []
        with Parser() as parser:
            for path in _files(root):
                reports.append(self._add(parser, path, root))
                if progress:
                    progress(reports[-1])
        return reports

    def remove(self, document_id: str) -> bool:
        """False if there was no such document."""
        return self._store.remove(document_id)

    def search(self, text: str, lang: Lang, limit: int = 8, history: Sequence[HistoryItem] = ()) -> list[Passage]:
        return list(self.look_up(text, lang, limit, history).passages)

    def look_up(self, text: str, lang: Lang, limit: int = 8, history: Sequence[HistoryItem] = ()) -> Evidence:
        """Passages, how much each word of the question tells, and the version, all of one moment."""
        query = understand(text, history)
        vector = self._vector(query)
        with self._store.transaction(writing=False):
            terms = tuple(self._weighed(query))
            lexical = self._lexical(query, terms)
            dense = self._store.dense(vector, _CANDIDATES) if vector is not None else []
            fused = fuse(lexical, dense)
            found = self._store.passages(list(fused))
            version = self._store.version()
        ranked = [
            replace(passage, score=fused[number] * (1.0 if passage.lang == lang else OTHER_LANGUAGE))
            for number, passage in found.items()
        ]
        ranked.sort(key=lambda passage: (-passage.score, passage.passage_id))
        return Evidence(version, tuple(without_duplicates(ranked, limit)), terms)

    def _vector(self, query: Query) -> NDArray[np.float32] | None:
        """None where it would mislead: the encoder has pieces for many Chinese characters but understands none."""
        text = " ".join((*query.carried_words, query.text))
        if has_cjk(text):
            return None
        encoding = self._encoder.encode(text)
        return encoding.vector if encoding.unknown_share <= MOST_UNKNOWN else None

    def _weighed(self, query: Query) -> list[Term]:
        words = (*query.words, *query.carried_words)
        asked = list({form for word in words for form in forms_of(word)})
        return weigh(query, self._store.count(), self._store.frequencies(asked)) if asked else []

    def _lexical(self, query: Query, terms: Sequence[Term]) -> list[tuple[int, float]]:
        own = list(dict.fromkeys((*query.search, *(term.text for term in terms))))
        variants = list({variant for term in terms for variant in term.variants} - set(own))
        scores: dict[int, float] = {}
        for words, share in ((own, 1.0), (variants, VARIANT_WEIGHT), (query.carried, CARRIED_WEIGHT)):
            for number, score in self._matches(words):
                scores[number] = scores.get(number, 0.0) + share * score
        return list(scores.items())

    def _matches(self, terms: Sequence[str]) -> list[tuple[int, float]]:
        frequencies = self._store.frequencies(terms) if terms else {}
        return self._store.lexical(rarest(terms, frequencies), _CANDIDATES)

    def _add(self, parser: Parser, path: Path, root: Path) -> Report:
        document_id = _document_id(path, root)
        try:
            document, content = parser.parse(path)
        except Unreadable as error:
            return Report(document_id, Status.SKIPPED, reason=str(error))
        digest = f"{cutting.REVISION}:{hashlib.sha256(content).hexdigest()}"
        known = self._store.added(document_id)
        if known and known[0] == digest:
            return Report(document_id, Status.UNCHANGED, known[1])
        info, entries = self._prepared(document_id, document)
        if not entries:
            return Report(document_id, Status.SKIPPED, reason="has no text", remarks=document.remarks)
        existed = self._store.replace(info, digest, entries)
        status = Status.UPDATED if existed else Status.ADDED
        return Report(document_id, status, len(entries), remarks=document.remarks)

    def _prepared(self, document_id: str, document: Document) -> tuple[DocumentInfo, list[Entry]]:
        pieces = cutting.split(document)
        title = document.title or Path(document_id).stem
        everything = "\n".join(piece.text for piece in pieces)
        lang = document.lang or language_of(everything[:20_000])
        vectors = self._store.known_vectors(document_id)
        entries = []
        for passage_id, piece in zip(cutting.passage_ids(document_id, title, pieces), pieces, strict=True):
            if passage_id not in vectors:
                encoding = self._encoder.encode(f"{title}. {piece.heading}. {piece.text}")
                vectors[passage_id] = encoding.vector.astype(np.float16), encoding.unknown_share
            vector, unknown_share = vectors[passage_id]
            piece_lang = document.lang or (language_of(piece.text) if len(piece.text) > 40 else lang)
            entries.append(Entry(passage_id, piece.heading, piece.text, piece_lang, vector, unknown_share))
        added_at = datetime.now(UTC).isoformat(timespec="seconds")
        return DocumentInfo(document_id, title, document.uri or document_id, lang, len(entries), added_at), entries


def _files(root: Path) -> Iterator[Path]:
    inside = root.resolve()
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.is_file() and not hidden and path.resolve().is_relative_to(inside):
            yield path


def _document_id(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
