"""Files into the draft: what has changed is read, cut and encoded, each document is stored by itself."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePosixPath

from cloud_core.knowledge import passages as cutting
from cloud_core.knowledge.documents import Document, Report, Status, Unreadable
from cloud_core.knowledge.embedding import AT_ONCE, SentenceEncoder, text_of, vectors_of
from cloud_core.knowledge.ingest.parser import Parser
from cloud_core.knowledge.ingest.sources import Source
from cloud_core.knowledge.passages import Piece
from cloud_core.knowledge.stores.base import DocumentInfo, Entry, Store, Vector
from cloud_core.messages import Lang
from nearside.lexical import language_of

_SAMPLE = 20_000
_TELLING = 40  # characters; below, a passage is in the language of its document


@dataclass(frozen=True, slots=True)
class Labels:
    """What holds for every document that is added, before what it says of itself. Days are both included."""

    tags: tuple[str, ...] = ()
    audience: str = ""
    valid_from: date | None = None
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Read and cut. `vectors` are those that are known already, by passage id."""

    document: DocumentInfo
    digest: str
    remarks: tuple[str, ...]
    pieces: Sequence[Piece]
    passage_ids: Sequence[str]
    langs: Sequence[Lang]
    vectors: dict[str, Vector]

    def to_encode(self) -> dict[str, str]:
        """Texts by passage id."""
        return {
            passage_id: text_of(self.document.title, piece.heading, piece.text)
            for passage_id, piece in zip(self.passage_ids, self.pieces, strict=True)
            if passage_id not in self.vectors
        }

    def entries(self, encoded: dict[str, Vector]) -> list[Entry]:
        vectors = self.vectors | encoded
        return [
            Entry(passage_id, piece.heading, piece.text, lang, vectors[passage_id])
            for passage_id, piece, lang in zip(self.passage_ids, self.pieces, self.langs, strict=True)
        ]


class Adding:
    def __init__(self, store: Store, encoder: SentenceEncoder, parser: Parser, labels: Labels) -> None:
        self._store, self._encoder, self._parser, self._labels = store, encoder, parser, labels

    def reports(self, sources: Iterable[Source]) -> Iterator[Report]:
        """One for each, in order, once it is stored; passages of several documents are encoded together."""
        waiting: list[_Prepared | Report] = []
        passages = 0
        for source in sources:
            waiting.append(self._prepared(source))
            newest = waiting[-1]
            passages += len(newest.pieces) if isinstance(newest, _Prepared) else 0
            if passages >= AT_ONCE or isinstance(waiting[0], Report):
                yield from self._stored(waiting)
                waiting, passages = [], 0
        yield from self._stored(waiting)

    def _stored(self, waiting: Sequence[_Prepared | Report]) -> Iterator[Report]:
        texts: dict[str, str] = {}
        for one in waiting:
            if isinstance(one, _Prepared):
                texts |= one.to_encode()
        vectors = dict(zip(texts, vectors_of(self._encoder, list(texts.values())), strict=True))
        for one in waiting:
            yield self._store_one(one, vectors) if isinstance(one, _Prepared) else one

    def _store_one(self, prepared: _Prepared, vectors: dict[str, Vector]) -> Report:
        entries = prepared.entries(vectors)
        existed = self._store.put(prepared.document, prepared.digest, entries, self._encoder.fingerprint)
        status = Status.UPDATED if existed else Status.ADDED
        return Report(prepared.document.document_id, status, len(entries), remarks=prepared.remarks)

    def _prepared(self, source: Source) -> _Prepared | Report:
        digest = self._digest(source)
        known = None if source.reason else self._store.known(source.document_id)
        if known and known.digest == digest:
            return Report(source.document_id, Status.UNCHANGED, known.document.passages)
        try:
            document = self._parser.read(source)
        except Unreadable as error:
            return Report(source.document_id, Status.SKIPPED, reason=str(error))
        pieces = cutting.split(document)
        if not pieces:
            return Report(source.document_id, Status.SKIPPED, reason="has no text", remarks=document.remarks)
        info = self._info(source.document_id, document, pieces)
        ids = cutting.passage_ids(info.document_id, info.title, pieces)
        known_vectors = self._store.known_vectors(self._encoder.fingerprint, ids)
        langs = [_lang(piece, document, info.lang) for piece in pieces]
        return _Prepared(info, digest, document.remarks, pieces, ids, langs, known_vectors)

    def _digest(self, source: Source) -> str:
        """How the file was cut and labelled, and the SHA-256 of its content."""
        about = hashlib.sha256(json.dumps([repr(self._labels), source.sidecar.hex()]).encode()).hexdigest()[:16]
        labelled = self._labels != Labels() or source.sidecar
        cut = f"{cutting.REVISION}:{about}" if labelled else str(cutting.REVISION)
        return f"{cut}:{hashlib.sha256(source.content).hexdigest()}"

    def _info(self, document_id: str, document: Document, pieces: Sequence[Piece]) -> DocumentInfo:
        labels = self._labels
        first, last = labels.valid_from or document.valid_from, labels.valid_until or document.valid_until
        everything = "\n".join(piece.text for piece in pieces)
        return DocumentInfo(
            document_id=document_id,
            title=document.title or PurePosixPath(document_id).stem,
            uri=document.uri or document_id,
            lang=document.lang or language_of(everything[:_SAMPLE]),
            added_at=datetime.now(UTC).isoformat(timespec="seconds"),
            tags=labels.tags or document.tags,
            audience=labels.audience or document.audience,
            valid_from=first.isoformat() if first else "",
            valid_until=last.isoformat() if last else "",
        )


def _lang(piece: Piece, document: Document, otherwise: Lang) -> Lang:
    return document.lang or (language_of(piece.text) if len(piece.text) > _TELLING else otherwise)
