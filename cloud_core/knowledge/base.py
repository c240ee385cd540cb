"""A tenant's knowledge: files go into a draft, a published version is searched."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from cloud_core.knowledge import encoder_choice, synonyms
from cloud_core.knowledge.adding import Adding, Labels
from cloud_core.knowledge.documents import Report, Status
from cloud_core.knowledge.embedding import SentenceEncoder, embed, fill_in
from cloud_core.knowledge.encoder_choice import SHIPPED, Choice, Encoders, Shelf, State
from cloud_core.knowledge.index import topics
from cloud_core.knowledge.index.filters import Filters
from cloud_core.knowledge.ingest.parser import Parser
from cloud_core.knowledge.ingest.sources import sources
from cloud_core.knowledge.queries import Term
from cloud_core.knowledge.search import search
from cloud_core.knowledge.stores.base import Change, DocumentInfo, Gap, Measures, Store, VersionInfo
from cloud_core.messages import HistoryItem, Lang, Passage
from nearside import __version__
from nearside.errors import EngineError

NO_LABELS = Labels()
LONGEST_GAP = 1_000
KNOWN_ENOUGH = 0.95
"""Share of the passages that were there when search learned from them."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one version of the knowledge base holds on a question; the rest as in `search.Found`."""

    version: str
    passages: tuple[Passage, ...]
    terms: tuple[Term, ...]
    explanation: tuple[Mapping[str, float], ...] = ()


class KnowledgeBase:
    """Blocking, thread-safe. Whoever makes one hands the store over."""

    def __init__(
        self, store: Store, shipped: SentenceEncoder, shelf: Shelf | None = None, *, waits: bool = True
    ) -> None:
        """`shipped` encodes unless the tenant chose another, which is opened from the shelf; `waits` as `Encoders`."""
        self._store, self._encoders = store, Encoders(shipped, shelf or Shelf(), waits=waits)

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
            adding = Adding(self._store, self._encoder_for_adding(), parser, labels)
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
            self._complete()
            self._learn(draft=True)
        return self._store.publish(note)

    def rollback(self, number: int) -> str:
        """Make the content of an old version the next one, live at once; its number. Raises NearsideError."""
        version = self._store.rollback(number)
        self._learn(draft=False)
        return version

    def synonyms(self) -> str:
        """The tenant's own, as they were written."""
        return (self._store.learned(synonyms.NAME) or b"").decode()

    def set_synonyms(self, text: str, where: str = "") -> str:
        """Instead of what there was, live at once as a new version; its number. Raises ContentError with the line."""
        synonyms.read(text, where)
        if text == self.synonyms():
            return self.version
        return self._store.publish_learned(synonyms.NAME, text.encode(), "synonyms")

    def encoder_state(self) -> encoder_choice.State:
        active, choices = self._store.encoder(), self._choices()
        shipped = self._encoders.shipped.fingerprint
        wanted = choices[-1] if choices else Choice()
        if wanted.kind != SHIPPED:
            in_use, is_outdated = wanted.fingerprint == active, False
        else:
            in_use = active in ("", shipped)
            others = {choice.fingerprint for choice in choices if choice.kind != SHIPPED}
            is_newer = encoder_choice.numbers_of(wanted.release) > encoder_choice.numbers_of(__version__)
            is_outdated = not in_use and active not in others and not is_newer
            wanted = replace(wanted, fingerprint=shipped)
        return State(wanted, in_use, self._store.count_without_vectors(wanted.fingerprint), is_outdated)

    def count_without_vectors(self, encoder: str) -> int:
        """Passages that lack those of the encoder with this fingerprint."""
        return self._store.count_without_vectors(encoder)

    def re_embed(
        self, encoder: SentenceEncoder, progress: Callable[[int], None] | None = None, choice: Choice | None = None
    ) -> None:
        """Vectors of another encoder for every passage; at the end they are searched instead.

        Searches go on meanwhile. Killed, a repeat goes on where it was. `choice` is how others open this encoder.
        """
        choice = replace(choice or Choice(release=__version__), fingerprint=encoder.fingerprint)
        active = self._store.encoder()
        before = [one for one in self._choices() if one.fingerprint == active and active != encoder.fingerprint]
        self._store.keep_learned(encoder_choice.NAME, encoder_choice.written([*before, choice]))
        fill_in(self._store, encoder, progress)
        self._store.keep_learned(encoder_choice.NAME, encoder_choice.written([choice]))
        self._encoders.use(encoder)

    def catch_up(self, progress: Callable[[int], None]) -> None:
        """Vectors of the shipped encoder where those of an earlier release are left, or where any lack.

        Ends at what `progress` raises, and where another encoder is chosen meanwhile.
        """

        def go_on(done: int) -> None:
            progress(done)
            if self._wanted().kind != SHIPPED:
                raise EngineError("another encoder was chosen")

        if self.encoder_state().is_outdated:
            self.re_embed(self._encoders.shipped, go_on)
        else:
            self._complete(progress)

    def note_gap(self, turn_id: str, text: str, lang: Lang) -> None:
        """A customer's question, masked, that found no answer."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._store.note_gap(Gap(turn_id, text[:LONGEST_GAP], lang, now))

    def gaps(self) -> list[Gap]:
        """The newest of them, oldest first."""
        return self._store.gaps()

    def forget_gaps(self, turn_ids: Sequence[str]) -> None:
        self._store.forget_gaps(turn_ids)

    def sweep_gaps(self, older_than_days: float) -> None:
        before = (datetime.now(UTC) - timedelta(days=older_than_days)).isoformat(timespec="seconds")
        if old := [gap.turn_id for gap in self._store.gaps() if gap.noted_at < before]:
            self._store.forget_gaps(old)

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
            found = search(
                snapshot, self._encoders.of(snapshot.encoder, snapshot.learned), text, lang, limit, history, filters
            )
            return Evidence(snapshot.version, found.passages, found.terms, found.explanation)

    def _choices(self) -> list[Choice]:
        return encoder_choice.read(self._store.learned(encoder_choice.NAME))

    def _wanted(self) -> Choice:
        return (self._choices() or [Choice()])[-1]

    def _encoder_for_adding(self) -> SentenceEncoder:
        """The one that is searched with; where that is not here, the one that is wanted. Raises as `opened`."""
        encoder = self._encoders.of(self._store.encoder(), self._store.learned)
        return encoder or encoder_choice.opened(self._wanted(), self._encoders.shipped)

    def _complete(self, progress: Callable[[int], None] | None = None) -> None:
        """Who added with another encoder, while that was the one, left passages without vectors of this one."""
        encoder = self._encoders.of(self._store.encoder(), self._store.learned)
        if encoder is None:
            return
        embed(self._store, encoder, progress)
        if not self._choices() and encoder is self._encoders.shipped:  # so that an older release leaves them alone
            choice = Choice(fingerprint=encoder.fingerprint, release=__version__)
            self._store.keep_learned(encoder_choice.NAME, encoder_choice.written([choice]))

    def _learn(self, *, draft: bool) -> None:
        """From the draft, before it is live. Not again while almost all passages were there the last time."""
        with self._store.reading(draft=draft) as snapshot:
            numbers, blob = snapshot.catalogue.numbers, snapshot.learned(topics.NAME)
            known = topics.read(blob).numbers if blob else numbers[:0]
            learned = len(numbers) and np.isin(numbers, known).mean() >= KNOWN_ENOUGH
            if learned or len(numbers) > topics.MOST_PASSAGES:
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
