"""What a company that leaves takes along."""

import json
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cloud_core import settings as core_settings
from cloud_core.app import EXPORTED, Libraries, open_tenants
from cloud_core.tenants import Tenant, TenantUnknown
from cloud_core.tenants.export import export
from cloud_core.turns.claims import Claims
from nearside.encoder import TextEncoder
from nearside.errors import StorageError
from tests.cloud_core import stage

pytestmark = pytest.mark.unit
DOCUMENT = """---
uri: https://shop.example/returns
---
# Returns

You may return a tent within 45 days.

## Refunds

The money is back within 5 days.

| item | fee |
|---|---|
| tent | $5 |
"""


@pytest.fixture
def tenant(tmp_path: Path) -> Tenant:
    found = open_tenants(stage.make_core(tmp_path / "core", tenants=("demo", "other")).settings).get("demo")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "returns.en.md").write_text(DOCUMENT)
    (tmp_path / "docs" / "退货.zh.md").write_text("# 退货\n\n帐篷可以在四十五天之内退货。\n")
    libraries = Libraries(TextEncoder())
    knowledge = libraries.of(found)
    knowledge.add(tmp_path / "docs")
    knowledge.publish("first")
    libraries.close(found)
    return found


def take_a_turn(tenant: Tenant, turn_id: str, answer: str = "") -> None:
    claims = Claims(tenant.connect())
    holder = claims.take(turn_id).holder
    if answer:
        claims.answer(turn_id, holder, answer)
    claims.close()


def rows_of(file: Path) -> dict[str, list[dict[str, Any]]]:
    with zipfile.ZipFile(file) as bundle:
        assert bundle.testzip() is None
        return {
            name.removesuffix(".jsonl"): [json.loads(line) for line in bundle.read(name).splitlines()]
            for name in bundle.namelist()
            if name.endswith(".jsonl")
        }


def test_everything_is_in_it_in_plain_words(tenant: Tenant, tmp_path: Path) -> None:
    take_a_turn(tenant, "t1", json.dumps({"text": "Within 45 days. 四十五天。"}))
    take_a_turn(tenant, "t2")
    claims = Claims(tenant.connect())
    claims.erase(["t3"])
    claims.close()
    export(tenant, EXPORTED, tmp_path / "demo.zip", force=False)
    rows = rows_of(tmp_path / "demo.zip")
    english, chinese = rows["documents"]
    assert (english["document_id"], english["uri"]) == ("returns.en.md", "https://shop.example/returns")
    assert english["text"] == (
        "You may return a tent within 45 days.\n\n## Refunds\n\nThe money is back within 5 days."
        "\nitem\t|\tfee\ntent\t|\t$5"
    )
    assert english["sha256"] == sha256(DOCUMENT.encode()).hexdigest()
    assert (chinese["lang"], chinese["text"]) == ("zh", "帐篷可以在四十五天之内退货。")
    assert [row["document_id"] for row in rows["passages"]] == ["returns.en.md", "returns.en.md", "退货.zh.md"]
    assert {row["state"] for row in rows["documents"]} == {"live"}
    assert english["folder"] == str(tmp_path / "docs")
    assert [(row["number"], row["note"], row["documents"], row["passages"]) for row in rows["versions"]] == [
        (1, "first", 2, 3)
    ]
    assert rows["unanswered"] == []
    assert rows["knowledge"] == [
        {"knowledge_version": "1", "encoder": TextEncoder().fingerprint, "synonyms": "", "to_be_removed": []}
    ]
    turns = {row["turn_id"]: (row["state"], row["answer"]) for row in rows["turns"]}
    assert turns == {
        "t1": ("answered", {"text": "Within 45 days. 四十五天。"}),
        "t2": ("open", None),
        "t3": ("forgotten", None),
    }
    assert b"\xe5" in zipfile.ZipFile(tmp_path / "demo.zip").read("turns.jsonl")


def test_the_manifest_names_every_file_with_its_hash_and_explains_every_field(tenant: Tenant, tmp_path: Path) -> None:
    take_a_turn(tenant, "t1", "{}")
    written = export(tenant, EXPORTED, tmp_path / "demo.zip", force=False)
    with zipfile.ZipFile(tmp_path / "demo.zip") as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        names = set(bundle.namelist()) - {"manifest.json"}
        assert {entry["path"] for entry in manifest["files"]} == {entry.path for entry in written} == names
        for entry in manifest["files"]:
            content = bundle.read(entry["path"])
            assert (entry["size"], entry["sha256"]) == (len(content), sha256(content).hexdigest())
            lines = [json.loads(line) for line in content.splitlines()]
            assert len(lines) == entry["rows"]
            assert all(set(line) == set(entry["fields"]) for line in lines)
    assert manifest["tenant"]["id"] == "demo"
    assert manifest["left_out"]
    assert (tmp_path / "demo.zip").stat().st_mode & 0o777 == 0o600


def test_every_table_of_the_tenants_file_is_exported_or_left_out_on_purpose(tenant: Tenant, tmp_path: Path) -> None:
    """A table that somebody adds later must not be forgotten here."""
    computed = {"segments", "postings", "vectors", "learned"}
    connection = tenant.connect(read_only=True)
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    plain = {name for name in names if not name.startswith(("_migrations", "sqlite_"))} - computed
    knowledge = {"knowledge", "versions", "revisions", "spans", "draft", "passages", "sources", "gaps"}
    assert plain == {"tenant", "turn_claims"} | knowledge


def test_it_is_of_one_moment_while_others_write(tenant: Tenant, tmp_path: Path) -> None:
    take_a_turn(tenant, "t1", "{}")
    export(
        tenant,
        EXPORTED,
        tmp_path / "demo.zip",
        force=False,
        progress=lambda path, _done, _total: (
            take_a_turn(tenant, f"later-{path}") if path == "knowledge.jsonl" else None
        ),
    )
    assert [row["turn_id"] for row in rows_of(tmp_path / "demo.zip")["turns"]] == ["t1"]


def test_a_file_that_is_there_stays_unless_forced_and_a_failed_export_leaves_nothing(
    tenant: Tenant, tmp_path: Path
) -> None:
    target = tmp_path / "demo.zip"
    target.write_text("mine")
    with pytest.raises(StorageError, match="--force"):
        export(tenant, EXPORTED, target, force=False)
    take_a_turn(tenant, "t1", "no json")
    with pytest.raises(ValueError):
        export(tenant, EXPORTED, target, force=True)
    assert target.read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"core", "docs", "demo.zip"}
    with pytest.raises(StorageError, match="nowhere"):
        export(tenant, EXPORTED, tmp_path / "nowhere" / "x.zip", force=False)


def test_nothing_of_another_tenant_is_in_it(tenant: Tenant, tmp_path: Path) -> None:
    other = open_tenants(core_settings.load(tmp_path / "core" / "core.toml")).get("other")
    export(other, EXPORTED, tmp_path / "other.zip", force=False)
    rows = rows_of(tmp_path / "other.zip")
    assert rows.pop("knowledge") == [{"knowledge_version": "0", "encoder": "", "synonyms": "", "to_be_removed": []}]
    assert rows == {"documents": [], "passages": [], "versions": [], "unanswered": [], "turns": []}


def test_what_waits_in_the_draft_and_what_was_before_is_in_it_too(tenant: Tenant, tmp_path: Path) -> None:
    libraries = Libraries(TextEncoder())
    knowledge = libraries.of(tenant)
    document = tmp_path / "docs" / "returns.en.md"
    for days in (46, 47):
        document.write_text(DOCUMENT.replace("45", str(days)))
        knowledge.add(document)
        if days == 46:
            knowledge.publish()
    knowledge.remove("退货.zh.md")
    libraries.close(tenant)
    export(tenant, EXPORTED, tmp_path / "demo.zip", force=False)
    rows = rows_of(tmp_path / "demo.zip")
    assert [(row["document_id"], row["state"], row["text"][:39]) for row in rows["documents"]] == [
        ("returns.en.md", "earlier", "You may return a tent within 45 days.\n\n"),
        ("returns.en.md", "live", "You may return a tent within 46 days.\n\n"),
        ("returns.en.md", "draft", "You may return a tent within 47 days.\n\n"),
        ("退货.zh.md", "live", "帐篷可以在四十五天之内退货。"),
    ]
    assert rows["knowledge"][0]["to_be_removed"] == ["退货.zh.md"]


def test_a_tenant_that_was_removed_cannot_be_exported(tenant: Tenant, tmp_path: Path) -> None:
    (tenant.folder / "core.db").unlink()
    with pytest.raises(TenantUnknown):
        export(tenant, EXPORTED, tmp_path / "demo.zip", force=False)
