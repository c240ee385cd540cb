"""`cloud-core kb …` as people call it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloud_core.cli import app
from nearside.errors import NearsideError
from tests.cloud_core import stage
from tests.cloud_core.test_cli import DOCUMENT

pytestmark = pytest.mark.server
QUESTION = "How long may I return a tent?"


@pytest.fixture
def kb(tmp_path: Path) -> Callable[..., str]:
    """`kb …` for a tenant with a published document; gives back what it said."""
    core = stage.make_core(tmp_path / "core")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "returns.en.md").write_text(DOCUMENT)

    def call(*words: str | Path, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["kb", *map(str, words), "-t", "demo", "-c", str(core.config)])
        if code == 1:
            assert isinstance(done.exception, NearsideError)
            return str(done.exception)
        assert done.exit_code == code, done.output
        return done.output if code else done.stdout

    call("add", tmp_path / "docs", "--publish")
    return call


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return tmp_path / "docs"


def told(text: str) -> Any:
    return json.loads(text)


def test_documents_are_added_listed_found_and_removed(kb: Callable[..., str], docs: Path) -> None:
    (docs / "broken.pdf").write_bytes(b"not a pdf")
    rows = {row["document_id"]: row for row in told(kb("add", docs, "--json"))}
    assert rows["returns.en.md"]["status"] == "unchanged"
    assert rows["broken.pdf"]["status"] == "skipped" and rows["broken.pdf"]["notes"]
    [listed] = told(kb("list", "--json"))
    assert (listed["document_id"], listed["title"], listed["uri"]) == (
        "returns.en.md",
        "Returns",
        "https://shop.example/returns",
    )
    assert "within 45 days" in kb("search", QUESTION)
    assert "1 removed — live after `cloud-core kb publish --tenant demo`" in kb("remove", "returns.en.md")
    assert "no document returns.en.md" in kb("remove", "returns.en.md", code=1)
    assert "within 45 days" in kb("search", QUESTION)
    assert kb("search", QUESTION, "--draft") == "nothing found\n"
    kb("publish")
    assert kb("search", QUESTION) == "nothing found\n"


def test_a_draft_is_looked_at_published_and_taken_back(kb: Callable[..., str], docs: Path) -> None:
    (docs / "returns.en.md").write_text(DOCUMENT.replace("45", "50"))
    (docs / "new.md").write_text("# Stoves\n\nStoves burn gas.\n")
    said = kb("add", docs)
    assert "in the draft: 1 added, 1 updated — live after `cloud-core kb publish --tenant demo`" in said
    assert [(row["document_id"], row["kind"]) for row in told(kb("changes", "--json"))] == [
        ("new.md", "added"),
        ("returns.en.md", "updated"),
    ]
    assert ("45 days" in kb("search", QUESTION), "50 days" in kb("search", QUESTION, "--draft")) == (True, True)
    assert len(told(kb("list", "--json"))) == 1 and len(told(kb("list", "--draft", "--json"))) == 2
    published = told(kb("publish", "--note", "spring", "--json"))
    assert (published["version"], len(published["changes"])) == ("2", 2)
    assert kb("publish") == "nothing to publish: version 2 is live\n"
    assert kb("rollback", "1") == "version 3 is live, with the content of version 1\n"
    assert "45 days" in kb("search", QUESTION)
    versions = told(kb("versions", "--json"))
    assert [(it["number"], it["note"], it["restored"], it["live"]) for it in versions] == [
        (3, "", 1, True),
        (2, "spring", None, False),
        (1, "kb add docs", None, False),
    ]
    assert "live, content of 1" in kb("versions")
    assert "no version 9" in kb("rollback", "9", code=1)
    assert "version 3 is live already" in kb("rollback", "3", code=1)


def test_a_draft_is_discarded(kb: Callable[..., str], docs: Path) -> None:
    (docs / "returns.en.md").write_text(DOCUMENT.replace("45", "50"))
    kb("add", docs)
    assert kb("discard") == "discarded 1\n"
    assert kb("changes") == kb("discard") == "nothing waits: the draft is what is live\n"
    assert "1 updated" in kb("add", docs)


def test_a_mirrored_folder(kb: Callable[..., str], docs: Path) -> None:
    shutil.move(docs / "returns.en.md", docs / "moved.md")
    said = kb("add", docs, "--mirror", "--publish")
    assert "version 2 is live for demo: 1 added, 1 removed" in said
    assert [row["document_id"] for row in told(kb("list", "--json"))] == ["moved.md"]
    assert "no folder" in kb("add", docs / "moved.md", "--mirror", code=2)


def test_labels_and_filters(kb: Callable[..., str], docs: Path) -> None:
    labels = ("--tag", "returns", "--tag", "tents", "--audience", "staff", "--valid-until", "2999-12-31")
    assert "1 updated" in kb("add", docs, *labels, "--publish")
    [listed] = told(kb("list", "--json"))
    assert (listed["tags"], listed["audience"], listed["valid_until"]) == (["returns", "tents"], "staff", "2999-12-31")
    assert kb("search", QUESTION) == "nothing found\n"
    assert "45 days" in kb("search", QUESTION, "--audience", "staff", "--tag", "tents", "--lang", "en")
    assert kb("search", QUESTION, "--audience", "staff", "--tag", "boats") == "nothing found\n"
    assert kb("search", QUESTION, "--audience", "staff", "--lang", "zh") == "nothing found\n"
    kb("add", docs, "--valid-until", "2001-01-01", "--publish")
    assert kb("search", QUESTION) == "nothing found\n"
    assert "--valid-until" in kb("add", docs, "--valid-from", "2026-02-01", "--valid-until", "2026-01-31", code=2)
    assert "--lang" in kb("search", QUESTION, "--lang", "de", code=2)


def test_a_search_is_explained(kb: Callable[..., str]) -> None:
    [row] = told(kb("search", QUESTION, "--explain", "--json"))
    assert row["lists"]["words"] > 0
    assert "words " in kb("search", QUESTION, "--explain")
    assert "words " not in kb("search", QUESTION)


def test_numbers_of_a_knowledge_base(kb: Callable[..., str], docs: Path) -> None:
    (docs / "huge.md").write_text("# Huge\n\n" + "".join(f"## Part {n}\n\nPart {n} is red.\n\n" for n in range(401)))
    kb("add", docs)
    numbers = told(kb("stats", "--draft", "--json"))
    assert (numbers["version"], numbers["changes_waiting"], numbers["documents"], numbers["passages"]) == (
        "1",
        1,
        2,
        402,
    )
    assert (numbers["languages"], numbers["thin"], numbers["huge"]) == ({"en": 2}, ["returns.en.md"], ["huge.md"])
    assert numbers["vectors"] == 402 and numbers["vector_bytes"] == 402 * 768 and numbers["index_bytes"] > 0
    assert "thin" in kb("stats") and "huge.md" not in kb("stats")
