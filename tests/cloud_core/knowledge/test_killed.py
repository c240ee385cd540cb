"""`kill -9` while documents are added and published: what was live goes on being found, a repeat ends the work."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.documents import Status
from nearside.database import copy_database, open_database
from tests.cloud_core.knowledge import killed
from tests.cloud_core.knowledge.sqlite_file import KEY

pytestmark = pytest.mark.server
DOCUMENTS, PARTS, ATTEMPTS = 24, 8, 8


def write(folder: Path, word: str) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(DOCUMENTS):
        parts = "".join(f"## Part {part}\n\n{word} part {part} weighs {part} kg.\n\n" for part in range(PARTS))
        (folder / f"manual-{number}.md").write_text(f"# Manual {number}\n\n{parts}")


def words_of(knowledge: KnowledgeBase) -> tuple[str, dict[str, int]]:
    """The version, and in how many live passages each word stands."""
    with knowledge._store.reading() as snapshot:
        live = snapshot.catalogue.numbers
        found = snapshot.postings(["kayak", "lamp"])
        counts = {word: int(np.isin(held.numbers, live).sum()) for word, held in found.items()}
        assert len(live) == len(snapshot.passages(live.tolist())) == len(snapshot.dense(np.ones(384, np.float32), 999))
        return snapshot.version, {word: count for word, count in counts.items() if count}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "documents"


@pytest.fixture
def knowledge(tmp_path: Path, folder: Path) -> Iterator[KnowledgeBase]:
    """Version 1 is about kayaks."""
    write(folder, "kayak")
    knowledge = killed.opened(tmp_path / "core.db")
    knowledge.add(folder)
    knowledge.publish()
    yield knowledge
    knowledge.close()


def check_file(path: Path) -> None:
    """Sound, and every passage stands in the index once."""
    with open_database(path, KEY) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        pieces = [np.frombuffer(row[0], "<i8") for row in raw.execute("SELECT numbers FROM segments")]
        held = np.concatenate(pieces)
        assert len(np.unique(held)) == len(held)
        there = [
            row[0] for row in raw.execute("SELECT number FROM passages JOIN revisions USING (revision) WHERE indexed")
        ]
        assert set(there) <= set(held.tolist())
    raw.close()


def test_while_documents_are_added(knowledge: KnowledgeBase, folder: Path, tmp_path: Path) -> None:
    write(folder, "lamp")
    copy_database(tmp_path / "core.db", KEY, tmp_path / "other.db")
    made = killed.context()
    whole_s = killed.seconds(made, killed.add, tmp_path / "other.db", folder)
    done, ended = 0, 0

    def look() -> None:
        assert words_of(knowledge) == ("1", {"kayak": DOCUMENTS * PARTS})

    while ended < ATTEMPTS and killed.killed(made, whole_s / 2, look, killed.add, tmp_path / "core.db", folder):
        ended += 1
        look()
        assert {document.passages for document in knowledge.documents(draft=True)} == {PARTS}
        assert len(knowledge.changes()) >= done
        done = len(knowledge.changes())
    assert ended
    check_file(tmp_path / "core.db")
    reports = knowledge.add(folder)
    assert [report.status for report in reports].count(Status.UNCHANGED) == done
    assert knowledge.publish() == "2"
    assert words_of(knowledge) == ("2", {"lamp": DOCUMENTS * PARTS})


def test_while_a_draft_is_published(knowledge: KnowledgeBase, folder: Path, tmp_path: Path) -> None:
    made, version, before = killed.context(), 1, "kayak"
    for now in ("lamp", "kayak", "lamp"):
        write(folder, now)
        knowledge.add(folder)
        copy_database(tmp_path / "core.db", KEY, tmp_path / f"{now}-{version}.db")
        whole_s = killed.seconds(made, killed.publish, tmp_path / f"{now}-{version}.db")
        whole = {str(version): {before: DOCUMENTS * PARTS}, str(version + 1): {now: DOCUMENTS * PARTS}}

        def look(whole: dict[str, dict[str, int]] = whole) -> None:
            seen, words = words_of(knowledge)
            assert whole[seen] == words
            fresh = killed.opened(tmp_path / "core.db")  # the other one remembers what a version holds
            seen, words = words_of(fresh)
            fresh.close()
            assert whole[seen] == words

        for _ in range(ATTEMPTS):
            killed.killed(made, whole_s, look, killed.publish, tmp_path / "core.db")
            look()
            check_file(tmp_path / "core.db")
        version += 1
        assert knowledge.publish() == str(version)
        assert words_of(knowledge) == (str(version), {now: DOCUMENTS * PARTS})
        before = now
    assert knowledge.measure().vectors == 4 * DOCUMENTS * PARTS
