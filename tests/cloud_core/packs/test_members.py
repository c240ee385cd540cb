import tomllib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from cloud_core.packs.members import content_members, digest_of
from cloud_core.packs.store import KEPT, PackStore, version_of
from nearside.errors import ContentError
from nearside.packs.manifest import VERSION
from nearside.tenant_toml import TenantSettings, load_tenant_settings
from tests.servers import ROOT

pytestmark = pytest.mark.unit

DEMO = ROOT / "demo"


def test_what_the_edge_reads_goes_in_and_nothing_else(tmp_path: Path) -> None:
    for name in ("rules/a.yaml", "rules/b.yml", "rules/notes.txt", "tools/t.yaml", "faq.csv", "intents.jsonl", ".env"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "rules" / "folder.yaml").mkdir()
    (tmp_path / "tenant.toml").write_text('name = "Shop"\n')
    members = content_members(tmp_path)
    assert set(members) == {
        f"content/{name}"
        for name in ("tenant.toml", "rules/a.yaml", "rules/b.yml", "tools/t.yaml", "faq.csv", "intents.jsonl")
    }
    assert members["content/rules/a.yaml"] == b"rules/a.yaml"


def test_settings_go_in_as_they_are_but_without_the_places_of_secrets() -> None:
    data = tomllib.loads(content_members(DEMO)["content/tenant.toml"].decode())
    assert "secrets" not in data["tools"]
    packed, written = TenantSettings.model_validate(data), load_tenant_settings(DEMO / "tenant.toml")
    assert packed == written.model_copy(
        update={"tools": written.tools.model_copy(update={"secrets": {}})}
    )  # dates, hours, branding and all
    assert packed.faq.model_fields_set == written.faq.model_fields_set


def test_only_secrets_leave_no_empty_table(tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text('name = "Shop"\n[tools.secrets]\ntoken = "token"\n')
    assert tomllib.loads(content_members(tmp_path)["content/tenant.toml"].decode()) == {"name": "Shop"}


def test_a_folder_without_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="no such file"):
        content_members(tmp_path)


def test_line_ends_make_no_other_pack(tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text('name = "Shop"\n')
    (tmp_path / "faq.yaml").write_bytes(b"- id: a\n")
    one = digest_of(content_members(tmp_path))
    (tmp_path / "faq.yaml").write_bytes(b"- id: a\r\n")
    assert digest_of(content_members(tmp_path)) == one
    (tmp_path / "faq.yaml").write_bytes(b"- id: b\n")
    assert digest_of(content_members(tmp_path)) != one


def test_versions_sort_by_time_and_differ_by_content() -> None:
    at = datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC)
    version = version_of(at, "3fa9c1d2ffff")
    assert version == "20261122-101530-3fa9c1d2" and VERSION.fullmatch(version)
    assert version_of(at.astimezone(timezone(timedelta(hours=8))), "3fa9c1d2ffff") == version
    assert version_of(at + timedelta(seconds=1), "0" * 64) > version_of(at, "f" * 64)
    assert version_of(at, "0" * 64) != version


def test_a_pack_is_newer_than_all_before_it_even_if_the_clock_went_back(tmp_path: Path) -> None:
    store, at = PackStore(tmp_path), datetime(2026, 11, 22, 10, 15, 30, 999, tzinfo=UTC)
    assert store.next_time(at) == at.replace(microsecond=0)
    store.folder.mkdir()
    store.file(version_of(at, "a" * 64)).touch()
    assert store.next_time(at - timedelta(days=1)) == at.replace(microsecond=0) + timedelta(seconds=1)


def test_the_newest_ten_are_kept_and_other_files_left_alone(tmp_path: Path) -> None:
    store = PackStore(tmp_path)
    store.folder.mkdir()
    versions = [version_of(datetime(2026, 1, 1, 0, 0, number, tzinfo=UTC), "a" * 64) for number in range(KEPT + 3)]
    for version in versions:
        store.file(version).touch()
    (store.folder / "mine.pack").touch()
    store.drop_older()
    assert [pack.version for pack in store.all()] == versions[3:]
    assert (store.folder / "mine.pack").exists()
