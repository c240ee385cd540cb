from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from cloud_core.knowledge import passages as cutting
from cloud_core.knowledge.adding import Labels
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.documents import Report, Status
from cloud_core.knowledge.index import topics
from cloud_core.knowledge.index.filters import Filters
from cloud_core.knowledge.stores.base import Kind
from nearside.encoder import Encoding, TextEncoder
from nearside.errors import ContentError, StorageError
from tests.cloud_core.knowledge import files

pytestmark = pytest.mark.unit

SHIPPING = "# Shipping\n\nParcels to islands cost €11.50 more.\n\n## Bulky goods\n\nKayaks are delivered to the kerb."
KERB = "Kayaks are delivered to the kerb."
OpenKnowledge = Callable[[], KnowledgeBase]


class Noting:
    """An encoder that remembers what it was given; its vectors are another's when it has another fingerprint."""

    def __init__(self, encoder: TextEncoder, fingerprint: str = "") -> None:
        self._encoder, self.fingerprint = encoder, fingerprint or encoder.fingerprint
        self.texts: list[str] = []

    def encode(self, text: str) -> Encoding:
        return self.encode_many([text])[0]

    def encode_many(self, texts: Sequence[str]) -> list[Encoding]:
        self.texts += texts
        return self._encoder.encode_many(texts)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def found(knowledge: KnowledgeBase, text: str, *, draft: bool = False) -> list[str]:
    return [passage.text for passage in knowledge.look_up(text, "en", draft=draft).passages]


def test_a_file_is_added_published_found_and_removed(knowledge: KnowledgeBase, folder: Path) -> None:
    reports = knowledge.add(write(folder, "help/shipping.en.md", SHIPPING), folder)
    assert reports == [Report("help/shipping.en.md", Status.ADDED, passages=2)]
    assert (knowledge.documents(), found(knowledge, "kayaks")) == ([], [])
    assert KERB in found(knowledge, "kayaks", draft=True)
    assert knowledge.publish("the first") == "1"
    (document,) = knowledge.documents()
    assert (document.title, document.uri, document.lang, document.passages, document.size) == (
        "Shipping",
        "help/shipping.en.md",
        "en",
        2,
        len("Parcels to islands cost €11.50 more.".encode()) + len(KERB),
    )
    passage = knowledge.search("Do kayaks come to my door?", "en")[0]
    assert (passage.heading, passage.text) == ("Bulky goods", KERB)
    assert knowledge.remove("help/shipping.en.md")
    assert not knowledge.remove("help/shipping.en.md")
    assert found(knowledge, "kayaks") == [KERB, "Parcels to islands cost €11.50 more."]
    knowledge.publish()
    assert (knowledge.documents(), found(knowledge, "kayaks")) == ([], [])


def test_another_program_sees_what_is_published_at_its_next_search(open_knowledge: OpenKnowledge, folder: Path) -> None:
    writer, reader = open_knowledge(), open_knowledge()
    assert (reader.version, found(reader, "kayaks")) == ("0", [])
    path = write(folder, "shipping.md", SHIPPING)
    writer.add(path)
    assert (reader.version, found(reader, "kayaks")) == ("0", [])
    assert writer.publish() == "1"
    assert (reader.version, KERB in found(reader, "kayaks")) == ("1", True)
    (again,) = writer.add(path)
    assert (again.status, again.passages) == (Status.UNCHANGED, 2)
    assert (writer.publish(), reader.version) == ("1", "1")
    path.write_text(SHIPPING.replace("kerb", "garden"))
    assert [report.status for report in writer.add(path)] == [Status.UPDATED]
    writer.publish()
    assert reader.look_up("kayaks", "en").version == "2"
    assert found(reader, "kayaks")[0] == "Kayaks are delivered to the garden."
    writer.rollback(1)
    assert (reader.version, found(reader, "kayaks")[0]) == ("3", KERB)


def test_changes_name_what_publishing_would_do(knowledge: KnowledgeBase, folder: Path) -> None:
    write(folder, "a.md", SHIPPING)
    write(folder, "b.md", "# Boats\n\nBoats float.")
    knowledge.add(folder)
    knowledge.publish()
    write(folder, "a.md", "# Shipping\n\nNo islands.")
    write(folder, "c.md", "# New\n\nNew text.")
    (folder / "b.md").unlink()
    knowledge.add(folder, mirror=True)
    changes = [(it.document_id, it.kind, it.passages_before, it.passages_after) for it in knowledge.changes()]
    assert changes == [("a.md", Kind.UPDATED, 2, 1), ("b.md", Kind.REMOVED, 1, 0), ("c.md", Kind.ADDED, 0, 1)]
    assert (knowledge.discard(), knowledge.changes(), knowledge.publish()) == (3, [], "1")


def test_a_file_as_it_is_live_again_is_no_change(knowledge: KnowledgeBase, folder: Path) -> None:
    path = write(folder, "shipping.md", SHIPPING)
    knowledge.add(path)
    knowledge.publish()
    path.write_text(SHIPPING.replace("kerb", "garden"))
    knowledge.add(path)
    path.write_text(SHIPPING)
    knowledge.add(path)
    assert knowledge.changes() == []


def test_only_changed_passages_are_encoded_again(
    open_knowledge: OpenKnowledge, encoder: TextEncoder, folder: Path
) -> None:
    noting = Noting(encoder)
    knowledge = KnowledgeBase(open_knowledge()._store, noting)
    path = write(folder, "shipping.md", SHIPPING)
    knowledge.add(path)
    assert len(noting.texts) == 2
    noting.texts.clear()
    path.write_text(SHIPPING.replace("kerb", "garden"))
    knowledge.add(path)
    assert len(noting.texts) == 1 and "garden" in noting.texts[0]


def test_a_new_way_of_cutting_reads_unchanged_files_again(
    knowledge: KnowledgeBase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, "shipping.md", SHIPPING)
    knowledge.add(path)
    monkeypatch.setattr(cutting, "REVISION", cutting.REVISION + 1)
    assert [report.status for report in knowledge.add(path)] == [Status.UPDATED]


def test_labels_hold_for_every_document_of_the_call_and_filter(knowledge: KnowledgeBase, folder: Path) -> None:
    path = write(folder, "shipping.md", SHIPPING)
    labels = Labels(("boats", "freight"), "staff", date(2026, 1, 1), date(2026, 12, 31))
    knowledge.add(path, labels=labels)
    knowledge.publish()
    (document,) = knowledge.documents()
    assert (document.tags, document.audience) == (("boats", "freight"), "staff")
    assert (document.valid_from, document.valid_until) == ("2026-01-01", "2026-12-31")
    for filters, passes in (
        (Filters(audience="staff", on="2026-12-31"), True),
        (Filters(audience="staff", on="2027-01-01"), False),
        (Filters(on="2026-06-01"), False),
        (Filters(tags=frozenset({"boats"}), audience="staff", on="2026-06-01"), True),
        (Filters(tags=frozenset({"tents"}), audience="staff", on="2026-06-01"), False),
    ):
        assert bool(knowledge.look_up("kayaks", "en", filters=filters).passages) == passes
    assert [report.status for report in knowledge.add(path, labels=labels)] == [Status.UNCHANGED]
    assert [report.status for report in knowledge.add(path)] == [Status.UPDATED]
    assert knowledge.documents(draft=True)[0].tags == ()


def test_a_folder_is_reported_file_by_file(knowledge: KnowledgeBase, folder: Path, tmp_path: Path) -> None:
    write(folder, "good.md", SHIPPING)
    write(folder, "deep/er/also.txt", "Plain text.")
    write(folder, "bomb.docx", files.zip_bomb())
    write(folder, "sheet.xlsx", b"PK")
    write(folder, "headings.md", "# Only\n\n## headings")
    write(folder, ".hidden.md", "Secret.")
    write(tmp_path, "outside.md", "Not yours.")
    (folder / "link.md").symlink_to(tmp_path / "outside.md")
    seen: list[Report] = []
    reports = {report.document_id: report for report in knowledge.add(folder, progress=seen.append)}
    assert list(reports.values()) == seen
    assert {name: report.status.value for name, report in reports.items()} == {
        "bomb.docx": "skipped",
        "deep/er/also.txt": "added",
        "good.md": "added",
        "headings.md": "skipped",
        "sheet.xlsx": "skipped",
    }
    assert all(report.reason for report in reports.values() if report.status is Status.SKIPPED)
    assert [document.document_id for document in knowledge.documents(draft=True)] == ["deep/er/also.txt", "good.md"]


def test_a_file_that_became_unreadable_leaves_its_last_good_state(knowledge: KnowledgeBase, folder: Path) -> None:
    path = write(folder, "shipping.md", SHIPPING)
    knowledge.add(folder)
    knowledge.publish()
    path.write_bytes(b"\x7fELF")
    assert [report.status for report in knowledge.add(folder, mirror=True)] == [Status.SKIPPED]
    assert knowledge.changes() == []


def test_a_mirrored_folder_loses_what_is_gone_from_it_and_nothing_else(
    knowledge: KnowledgeBase, folder: Path, tmp_path: Path
) -> None:
    for name in ("one.md", "two.md"):
        write(folder, name, SHIPPING)
        write(tmp_path, f"other/other-{name}", SHIPPING)
    knowledge.add(folder)
    knowledge.add(tmp_path / "other", mirror=True)
    (folder / "two.md").unlink()
    reports = {report.document_id: report.status for report in knowledge.add(folder, mirror=True)}
    assert reports == {"one.md": Status.UNCHANGED, "two.md": Status.REMOVED}
    left = {document.document_id for document in knowledge.documents(draft=True)}
    assert left == {"one.md", "other-one.md", "other-two.md"}
    (folder / "one.md").unlink()
    assert knowledge.add(folder, mirror=True) == []
    assert {document.document_id for document in knowledge.documents(draft=True)} == left


def test_search_goes_on_while_documents_change(open_knowledge: OpenKnowledge, folder: Path) -> None:
    writer, reader = open_knowledge(), open_knowledge()
    writer.add(write(folder, "base.md", SHIPPING))
    writer.publish()
    paths = [write(folder, f"{number}.md", SHIPPING.replace("Kayaks", f"Boats{number}")) for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(found, reader, "kayaks at the kerb") for _ in range(60)]
        for path in paths:
            writer.add(path)
            writer.publish()
        assert all(KERB in search.result() for search in searches)
    assert reader.version == "9"


def test_another_encoder_takes_over_when_all_passages_have_its_vectors(
    open_knowledge: OpenKnowledge, encoder: TextEncoder, folder: Path
) -> None:
    knowledge, reader = open_knowledge(), open_knowledge()
    knowledge.add(write(folder, "shipping.md", SHIPPING))
    knowledge.publish()
    other, told = Noting(encoder, "another"), []

    def between(done: int) -> None:
        assert (knowledge.active_encoder(), meaning(reader)) == (encoder.fingerprint, True)
        told.append(done)

    assert meaning(reader)
    knowledge.re_embed(other, between)
    assert (told, len(other.texts), knowledge.active_encoder()) == ([2], 2, "another")
    assert meaning(knowledge) and not meaning(reader)
    assert knowledge.measure().vectors == 2
    knowledge.re_embed(other)
    assert len(other.texts) == 3  # the two passages and a question


def meaning(knowledge: KnowledgeBase) -> bool:
    return any(lists["meaning"] > 0 for lists in knowledge.look_up("Do kayaks come to my door?", "en").explanation)


def test_what_search_learns_is_learned_from_the_draft_and_not_anew_for_a_little_change(
    knowledge: KnowledgeBase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[tuple[str, int]] = []

    def learn(segments: object, numbers: NDArray[np.int64]) -> bytes:
        learned.append((knowledge.version, len(numbers)))
        return b"learned"

    monkeypatch.setattr(topics, "learn", learn)
    monkeypatch.setattr(topics, "read", lambda blob: SimpleNamespace(numbers=np.arange(learned[-1][1] + 1)))
    sections = "".join(f"## Part {number}\n\nPart {number} weighs {number} kg.\n\n" for number in range(40))
    knowledge.add(write(folder, "parts.md", f"# Parts\n\n{sections}"))
    knowledge.publish()
    knowledge.add(write(folder, "one.md", "# One\n\nOne more."))
    knowledge.publish()
    assert learned == [("0", 40)]
    knowledge.add(write(folder, "shipping.md", SHIPPING))
    knowledge.publish()
    assert learned == [("0", 40), ("2", 43)]
    knowledge.remove("parts.md")
    knowledge.publish()
    monkeypatch.setattr(topics, "read", lambda blob: SimpleNamespace(numbers=np.arange(41, 44)))
    knowledge.rollback(2)
    assert learned[2:] == [("5", 41)]


def test_a_knowledge_base_that_was_closed_says_so(knowledge: KnowledgeBase) -> None:
    knowledge.close()
    with pytest.raises(StorageError, match="closed"):
        knowledge.search("kayaks", "en")


def test_a_tenants_synonyms_are_searched_with_at_once(knowledge: KnowledgeBase, folder: Path) -> None:
    knowledge.add(write(folder, "club.md", "# Skylark Club\n\nMembers of the Skylark Club collect points."), folder)
    knowledge.publish()
    assert knowledge.synonyms() == ""
    lists = knowledge.look_up("my bonus card", "en").explanation
    assert not any(one.get("synonyms") for one in lists)
    assert (knowledge.set_synonyms("bonus card, Skylark Club\n"), knowledge.version) == ("2", "2")
    assert knowledge.set_synonyms("bonus card, Skylark Club\n") == "2"
    assert knowledge.synonyms() == "bonus card, Skylark Club\n"
    assert knowledge.look_up("my bonus card", "en").explanation[0]["synonyms"] > 0
    with pytest.raises(ContentError, match="ours.txt:1 "):
        knowledge.set_synonyms("alone", "ours.txt")
    assert knowledge.synonyms() == "bonus card, Skylark Club\n"
