"""Files that an earlier release wrote."""

from pathlib import Path

import numpy as np
import pytest

from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.documents import Status
from cloud_core.knowledge.stores.sqlite.schema import MIGRATIONS
from cloud_core.knowledge.stores.sqlite.store import SqliteStore
from nearside.database import migrate, open_database
from nearside.encoder import TextEncoder
from nearside.lexical import search_terms
from tests.cloud_core.knowledge.sqlite_file import KEY, open_base

pytestmark = pytest.mark.unit
PASSAGES = (
    ("b.md#1", "b.md", "Weight", "The Skua 3 weighs 2.9 kg.", "en"),
    ("a.md#1", "a.md", "", "Parcels to islands cost more.", "en"),
    ("a.md#2", "a.md", "重量", "帐篷重两千克。", "zh"),
)


def write_old(path: Path, encoder: TextEncoder, version: int = 7) -> None:
    connection = open_database(path, KEY)
    migrate(connection, MIGRATIONS[:1], path)
    for name, title, digest in (("a.md", "Shipping", "1:aa"), ("b.md", "Skua", "1:bb")):
        row = (
            name,
            f"https://shop.example/{name}",
            title,
            "en",
            digest,
            encoder.fingerprint,
            "2026-01-01T00:00:00+00:00",
        )
        connection.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    for number, (passage_id, document_id, heading, text, lang) in enumerate(PASSAGES, start=3):
        encoding = encoder.encode(text)
        vector = encoding.vector.astype(np.float16).tobytes()
        values = (number, passage_id, document_id, heading, text, lang, vector, encoding.unknown_share)
        connection.execute("INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        terms = tuple(" ".join(search_terms(part)) for part in ("title", heading, text))
        connection.execute(
            "INSERT INTO passage_terms (rowid, title, heading, text) VALUES (?, ?, ?, ?)", (number, *terms)
        )
    connection.execute("UPDATE knowledge_version SET version = ?", (version,))
    connection.close()


def test_what_was_there_is_live_under_the_number_that_answers_have_named(tmp_path: Path, encoder: TextEncoder) -> None:
    write_old(tmp_path / "core.db", encoder)
    knowledge = open_base(tmp_path / "core.db", encoder)
    assert (knowledge.version, knowledge.changes(), knowledge.active_encoder()) == ("7", [], encoder.fingerprint)
    listed = [(it.document_id, it.title, it.uri, it.passages, it.size) for it in knowledge.documents()]
    sizes = {name: sum(len(text.encode()) for _, of, _, text, _ in PASSAGES if of == name) for name in ("a.md", "b.md")}
    assert listed == [
        ("a.md", "Shipping", "https://shop.example/a.md", 2, sizes["a.md"]),
        ("b.md", "Skua", "https://shop.example/b.md", 1, sizes["b.md"]),
    ]
    evidence = knowledge.look_up("How heavy is the Skua 3?", "en")
    assert (evidence.version, evidence.passages[0].passage_id) == ("7", "b.md#1")
    assert evidence.explanation[0]["words"] > 0 and evidence.explanation[0]["meaning"] > 0
    assert knowledge.look_up("帐篷多重？", "zh").passages[0].passage_id == "a.md#2"
    assert [(it.number, it.documents, it.passages) for it in knowledge.versions()] == [(7, 2, 3)]
    knowledge.close()


def test_it_goes_on_from_there(tmp_path: Path, encoder: TextEncoder) -> None:
    write_old(tmp_path / "core.db", encoder)
    knowledge = open_base(tmp_path / "core.db", encoder)
    (tmp_path / "a.md").write_text("# Shipping\n\nParcels cost nothing.\n")
    assert [report.status for report in knowledge.add(tmp_path / "a.md")] == [Status.UPDATED]
    assert knowledge.remove("b.md")
    assert knowledge.publish() == "8"
    assert [passage.text for passage in knowledge.search("Skua parcels", "en")] == ["Parcels cost nothing."]
    assert knowledge.rollback(7) == "9"
    assert knowledge.search("Skua", "en")[0].passage_id == "b.md#1"
    knowledge.close()


def test_a_file_without_documents_has_no_version(tmp_path: Path, encoder: TextEncoder) -> None:
    write_new = open_database(tmp_path / "core.db", KEY)
    migrate(write_new, MIGRATIONS, tmp_path / "core.db")
    names = {row[0] for row in write_new.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    write_new.close()
    assert not any(name.startswith(("old_", "passage_terms", "passage_vocabulary")) for name in names)
    knowledge = KnowledgeBase(SqliteStore(lambda: open_database(tmp_path / "core.db", KEY)), encoder)
    assert (knowledge.version, knowledge.versions()) == ("0", [])
    knowledge.close()


def test_one_whose_documents_were_all_removed_is_a_version_without_any(tmp_path: Path, encoder: TextEncoder) -> None:
    connection = open_database(tmp_path / "core.db", KEY)
    migrate(connection, MIGRATIONS[:1], tmp_path / "core.db")
    connection.execute("UPDATE knowledge_version SET version = 4")
    connection.close()
    knowledge = open_base(tmp_path / "core.db", encoder)
    assert (knowledge.version, knowledge.documents()) == ("4", [])
    assert [(it.number, it.documents, it.passages) for it in knowledge.versions()] == [(4, 0, 0)]
    knowledge.close()
