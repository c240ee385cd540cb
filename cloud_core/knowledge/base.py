"""A tenant's knowledge: files go into a draft, a published version is searched."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cloud_core.knowledge import synonyms
from cloud_core.knowledge.adding import Adding, Labels
from cloud_core.knowledge.documents import Report, Status
from cloud_core.knowledge.embedding import SentenceEncoder, fill_in
from cloud_core.knowledge.index import topics
from cloud_core.knowledge.index.filters import Filters
from cloud_core.knowledge.ingest.parser import Parser
from cloud_core.knowledge.ingest.sources import sources
from cloud_core.knowledge.queries import Term
from cloud_core.knowledge.search import search
from cloud_core.knowledge.stores.base import Change, DocumentInfo, Measures, Store, VersionInfo
from cloud_core.messages import HistoryItem, Lang, Passage

NO_LABELS = Labels()
KNOWN_ENOUGH = 0.95
"""Share of the passages that were there when search learned from them."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one version of the knowledge base holds on a question; the rest as in `search.Found`."""

    version: str
    passages: tuple[Passage, ...]
    terms: tuple[Term, ...]
    explanation: tuple[Mapping[str, float], ...] = ()
    neighbours: Mapping[str, tuple[Passage, ...]] = field(default_factory=dict)


class KnowledgeBase:
    """Blocking, thread-safe. Whoever makes one hands the store over."""

    def __init__(self, store: Store, encoder: SentenceEncoder) -> None:
        self._store, self._encoder = store, encoder

    def close(self) -> None:
        """Searches under way end; later ones raise StorageError."""
        self._store.close()

    @property
    def version(self) -> str:
        """The number of the version that is searched, also where another process published it."""
        return self._store.version()

    def versions(self) -> list[VersionInfo]:
        return self._store.versions()

    def documents(self, *, draft: bool = False) -> list[DocumentInfo]:
        return self._store.documents(draft=draft)

    def changes(self) -> list[Change]:
        """What publishing the draft would do."""
        return self._store.changes()

    def measure(self) -> Measures:
        return self._store.measure()

    def active_encoder(self) -> str:
        """The fingerprint of the encoder whose vectors are searched."""
        return self._store.encoder()

    def add(
        self,
        path: Path,
        root: Path | None = None,
        *,
        labels: Labels = NO_LABELS,
        mirror: bool = False,
        progress: Callable[[Report], None] | None = None,
    ) -> list[Report]:
        """A file, an archive, or every file below a folder except hidden ones, into the draft.

        Ids are paths below `root` (the folder, or that of the file). Each document is its own transaction: a repeat
        finishes the work, and passes over what has not changed. `mirror` drops what came from this folder before and
        is gone from it, if anything is there at all.
        """
        reports: list[Report] = []
        with Parser() as parser:
            adding = Adding(self._store, self._encoder, parser, labels)
            for report in adding.reports(sources(path, root)):
                reports.append(report)
                if progress:
                    progress(report)
        folder = str(path.resolve())
        if path.is_dir():
            stored = [report.document_id for report in reports if report.status is not Status.SKIPPED]
            self._store.note_sources(folder, stored)
        if mirror and reports:
            reports += self._drop_gone(folder, [report.document_id for report in reports])
        return reports

    def remove(self, document_id: str) -> bool:
        """From the draft; False if there was no such document."""
        return self._store.drop(document_id)

    def discard(self) -> int:
        """Forget the draft; how many documents it would have changed."""
        return self._store.discard()

    def publish(self, note: str = "") -> str:
        """Make the draft the next version, live at once; its number, or the live one's where nothing changed."""
        if self._store.changes():
            self._learn()
        return self._store.publish(note)

    def rollback(self, number: int) -> str:
        """Make the content of an old version the next one, live at once; its number. Raises NearsideError."""
        return self._store.rollback(number)

    def synonyms(self) -> str:
        """The tenant's own, as they were written."""
        with self._store.reading() as snapshot:
            return (snapshot.learned(synonyms.NAME) or b"").decode()

    def set_synonyms(self, text: str, where: str = "") -> None:
        """Instead of what there was, searched with at once. Raises ContentError with the line."""
        synonyms.read(text, where)
        self._store.keep_learned(synonyms.NAME, text.encode())

    def re_embed(self, encoder: SentenceEncoder, progress: Callable[[int], None] | None = None) -> None:
        """Vectors of another encoder for every passage; at the end they are searched instead.

        Searches go on meanwhile. Killed, a repeat goes on where it was.
        """
        fill_in(self._store, encoder, progress)
        self._encoder = encoder

    def search(self, text: str, lang: Lang, limit: int = 8, history: Sequence[HistoryItem] = ()) -> list[Passage]:
        return list(self.look_up(text, lang, limit, history).passages)

    def look_up(
        self,
        text: str,
        lang: Lang,
        limit: int = 8,
        history: Sequence[HistoryItem] = (),
        *,
        filters: Filters | None = None,
        draft: bool = False,
    ) -> Evidence:
        """Passages, how much each word of the question tells, and the version, all of one moment."""
        with self._store.reading(draft=draft) as snapshot:
            encoder = self._encoder if snapshot.encoder == self._encoder.fingerprint else None
            found = search(snapshot, encoder, text, lang, limit, history, filters)
            return Evidence(snapshot.version, found.passages, found.terms, found.explanation, found.neighbours)

    def _learn(self) -> None:
        """From the draft, before it is live. Not again while almost all passages were there the last time."""
        with self._store.reading(draft=True) as snapshot:
            numbers, blob = snapshot.catalogue.numbers, snapshot.learned(topics.NAME)
            known = topics.read(blob).numbers if blob else numbers[:0]
            if len(numbers) and np.isin(numbers, known).mean() >= KNOWN_ENOUGH:
                return
            blob = topics.learn(snapshot.segments(), numbers)
        if blob is not None:
            self._store.keep_learned(topics.NAME, blob)

    def _drop_gone(self, folder: str, there: Sequence[str]) -> list[Report]:
        """What is below an archive that could not be read is not gone."""
        unread = tuple(f"{document_id}/" for document_id in there)
        gone = sorted(self._store.from_source(folder) - set(there))
        return [
            Report(document_id, Status.REMOVED)
            for document_id in gone
            if not document_id.startswith(unread) and self._store.drop(document_id)
        ]
