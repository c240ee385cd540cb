import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloud_core.knowledge import passages as cutting
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.documents import Report, Status
from nearside.database import open_database
from nearside.encoder import Encoding
from tests.cloud_core.knowledge import files
from tests.cloud_core.knowledge.conftest import KEY

pytestmark = pytest.mark.server

SHIPPING = "# Shipping\n\nParcels to islands cost €11.50 more.\n\n## Bulky goods\n\nKayaks are delivered to the kerb."
OpenKnowledge = Callable[[], KnowledgeBase]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def found(knowledge: KnowledgeBase, text: str) -> list[str]:
    return [passage.text for passage in knowledge.search(text, "en")]


def test_a_file_is_added_found_and_removed(knowledge: KnowledgeBase, folder: Path) -> None:
    report = knowledge.add(write(folder, "help/shipping.en.md", SHIPPING), folder)
    assert report == Report("help/shipping.en.md", Status.ADDED, passages=2)
    (document,) = knowledge.documents()
    assert (document.title, document.uri, document.lang, document.passages) == (
        "Shipping",
        "help/shipping.en.md",
        "en",
        2,
    )
    passage = knowledge.search("Do kayaks come to my door?", "en")[0]
    assert (passage.heading, passage.text) == ("Bulky goods", "Kayaks are delivered to the kerb.")
    assert knowledge.remove("help/shipping.en.md")
    assert not knowledge.remove("help/shipping.en.md")
    assert knowledge.documents() == []
    assert found(knowledge, "kayaks") == []


def test_another_connection_sees_each_change_at_its_next_search(open_knowledge: OpenKnowledge, folder: Path) -> None:
    writer, reader = open_knowledge(), open_knowledge()
    assert (reader.version, found(reader, "kayaks")) == ("0", [])
    path = write(folder, "shipping.md", SHIPPING)
    writer.add(path)
    assert reader.version == "1"
    assert "Kayaks are delivered to the kerb." in found(reader, "kayaks")
    again = writer.add(path)
    assert (again.status, again.passages) == (Status.UNCHANGED, 2)
    assert reader.version == "1"
    path.write_text(SHIPPING.replace("kerb", "garden"))
    assert writer.add(path).status is Status.UPDATED
    assert reader.look_up("kayaks", "en").version == "2"
    assert found(reader, "kayaks")[0] == "Kayaks are delivered to the garden."
    writer.remove("shipping.md")
    assert (reader.version, found(reader, "where are kayaks brought to")) == ("3", [])


def test_only_changed_passages_are_encoded_again(
    knowledge: KnowledgeBase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, "shipping.md", SHIPPING)
    knowledge.add(path)
    encoded: list[str] = []
    encode = knowledge._encoder.encode

    def noted(text: str) -> Encoding:
        encoded.append(text)
        return encode(text)

    monkeypatch.setattr(knowledge._encoder, "encode", noted)
    path.write_text(SHIPPING.replace("kerb", "garden"))
    knowledge.add(path)
    assert len(encoded) == 1 and "garden" in encoded[0]


def test_a_new_way_of_cutting_reads_unchanged_files_again(
    knowledge: KnowledgeBase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, "shipping.md", SHIPPING)
    knowledge.add(path)
    monkeypatch.setattr(cutting, "REVISION", cutting.REVISION + 1)
    assert knowledge.add(path).status is Status.UPDATED


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
    reports = {report.document_id: report for report in knowledge.add_folder(folder, seen.append)}
    assert list(reports.values()) == seen
    assert {name: report.status.value for name, report in reports.items()} == {
        "bomb.docx": "skipped",
        "deep/er/also.txt": "added",
        "good.md": "added",
        "headings.md": "skipped",
        "sheet.xlsx": "skipped",
    }
    assert all(report.reason for report in reports.values() if report.status is Status.SKIPPED)
    assert [document.document_id for document in knowledge.documents()] == ["deep/er/also.txt", "good.md"]


def test_a_file_that_became_unreadable_leaves_its_last_good_state(knowledge: KnowledgeBase, folder: Path) -> None:
    path = write(folder, "shipping.md", SHIPPING)
    knowledge.add(path)
    path.write_bytes(b"\x7fELF")
    assert knowledge.add(path).status is Status.SKIPPED
    assert knowledge.version == "1"
    assert "Kayaks are delivered to the kerb." in found(knowledge, "kayaks")


def test_search_goes_on_while_documents_change(open_knowledge: OpenKnowledge, folder: Path) -> None:
    writer, reader = open_knowledge(), open_knowledge()
    writer.add(write(folder, "base.md", SHIPPING))
    paths = [write(folder, f"{number}.md", SHIPPING.replace("Kayaks", f"Boats{number}")) for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(found, reader, "kayaks at the kerb") for _ in range(60)]
        for path in paths:
            writer.add(path)
        assert all("Kayaks are delivered to the kerb." in search.result() for search in searches)
    assert reader.version == "9"


ADD_UNTIL_KILLED = """
import sys
from pathlib import Path
from cloud_core.knowledge.base import KnowledgeBase
from nearside.database import open_database
from nearside.encoder import Encoding
from nearside.encoder import TextEncoder
knowledge = KnowledgeBase(open_database(Path(sys.argv[1]), bytes.fromhex(sys.argv[2])), TextEncoder())
knowledge.add_folder(Path(sys.argv[3]), lambda report: print(report.document_id, flush=True))
"""


def start_adding(database: Path, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ADD_UNTIL_KILLED, str(database), KEY.hex(), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("files_before_the_kill", [1, 4, 7])
def test_a_kill_in_the_middle_leaves_whole_documents_only(
    open_knowledge: OpenKnowledge, folder: Path, tmp_path: Path, files_before_the_kill: int
) -> None:
    knowledge = open_knowledge()
    sections = "\n\n".join(f"## Part {number}\n\nPart {number} weighs {number} kg." for number in range(12))
    for number in range(10):
        write(folder, f"manual-{number}.md", f"# Manual {number}\n\n{sections}")
    with start_adding(tmp_path / "core.db", folder) as adding:
        assert adding.stdout
        for _ in range(files_before_the_kill):
            adding.stdout.readline()
        os.kill(adding.pid, signal.SIGKILL)
    documents = knowledge.documents()
    assert len(documents) >= files_before_the_kill
    assert {document.passages for document in documents} == {12}
    assert knowledge.version == str(len(documents))
    with open_database(tmp_path / "core.db", KEY) as raw:
        assert raw.execute("SELECT count(*) FROM passage_terms").fetchone()[0] == 12 * len(documents)
    raw.close()
    knowledge.add_folder(folder)
    assert len(knowledge.documents()) == 10
    assert knowledge.version == "10"
