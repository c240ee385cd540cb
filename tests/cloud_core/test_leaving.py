"""A company that leaves: `cloud-core tenant export` and `tenant remove`, while the core runs."""

import json
import os
import time
import zipfile
from pathlib import Path

import grpc
import pytest

from cloud_core.app import open_tenants
from cloud_core.turns.claims import LEASE_S, Claims
from tests import servers
from tests.cloud_core import stage
from tests.cloud_core.test_cli import DOCUMENT, ask, failing, fine

pytestmark = pytest.mark.server


@pytest.fixture
def core(tmp_path: Path) -> stage.Core:
    core = stage.make_core(tmp_path / "core", tenants=("late", "other"))
    (tmp_path / "returns.en.md").write_text(DOCUMENT)
    fine("kb", "add", "--publish", tmp_path / "returns.en.md", "-t", "late", "-c", core.config)
    return core


def open_files(pid: int) -> list[str]:
    folder = Path(f"/proc/{pid}/fd")
    links = []
    for name in os.listdir(folder):
        try:
            links.append(os.readlink(folder / name))
        except FileNotFoundError:  # closed meanwhile
            continue
    return links


def test_a_running_core_knows_a_removed_tenant_no_more_and_lets_go_of_its_files(core: stage.Core) -> None:
    with stage.serving(core) as process:
        assert "45 days" in ask(core, "t-1").text
        assert any("/tenants/late/" in link for link in open_files(process.pid))
        assert fine("tenant", "remove", "late", "--yes", "-c", core.config) == "removed late\n"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            ask(core, "t-1")
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        servers.wait_until(
            lambda: not any("/tenants/late/" in link for link in open_files(process.pid)), "its files are closed", 10.0
        )
        assert any("/tenants/other/" in link for link in open_files(process.pid))
        assert not (core.settings.data / "tenants" / "late").exists()
        assert "no tenant 'late'" in failing("kb", "list", "-t", "late", "-c", core.config)
        fine("tenant", "add", "late", "--name", "Late again", "-c", core.config)
        assert "45 days" not in ask(core, "t-1").text
    log = (core.folder / "core.log").read_text()
    assert "tenant_closed" in log and "Traceback" not in log and "turn_broke" not in log


def test_removing_asks_first_and_is_refused_where_nobody_can_be_asked(core: stage.Core) -> None:
    assert "--yes" in failing("tenant", "remove", "late", "-c", core.config, code=2)
    assert "no tenant 'nobody'" in failing("tenant", "remove", "nobody", "--yes", "-c", core.config)
    assert "no tenant '..'" in failing("tenant", "remove", "..", "--yes", "-c", core.config)
    assert len(json.loads(fine("tenant", "list", "--json", "-c", core.config))) == 2


def test_a_tenant_is_exported_while_the_core_answers_its_turns(core: stage.Core, tmp_path: Path) -> None:
    target = tmp_path / "late.zip"
    with stage.serving(core):
        ask(core, "t-1")
        rows = json.loads(fine("tenant", "export", "late", target, "--json", "-c", core.config))
    assert {row["path"]: row["rows"] for row in rows} == {
        "documents.jsonl": 1,
        "passages.jsonl": 1,
        "versions.jsonl": 1,
        "unanswered.jsonl": 0,
        "knowledge.jsonl": 1,
        "turns.jsonl": 1,
    }
    with zipfile.ZipFile(target) as bundle:
        turn = json.loads(bundle.read("turns.jsonl"))
        assert turn["turn_id"] == "t-1" and "45 days" in turn["answer"]["text"]
        assert "45 days" in json.loads(bundle.read("documents.jsonl"))["text"]
    assert "--force" in failing("tenant", "export", "late", target, "-c", core.config)
    assert f"wrote {target}" in fine("tenant", "export", "late", target, "--force", "-c", core.config)
    assert "no tenant 'nobody'" in failing("tenant", "export", "nobody", target, "-c", core.config)


def test_a_tenant_whose_file_is_damaged_stops_neither_the_core_nor_the_others(core: stage.Core) -> None:
    (core.settings.data / "tenants" / "other" / "core.db").write_bytes(os.urandom(8192))
    with stage.serving(core):
        assert "45 days" in ask(core, "t-1").text
    assert "does not open" in failing("kb", "list", "-t", "other", "-c", core.config)
    assert "removed other" in fine("tenant", "remove", "other", "--yes", "-c", core.config)


def test_what_a_killed_core_was_working_on_is_answered_by_the_next_without_waiting(core: stage.Core) -> None:
    claims = Claims(open_tenants(core.settings).get("late").connect())
    assert claims.take("t-1", now=time.time() + 3600).holder  # as of a core that was killed
    claims.close()
    with stage.serving(core):
        assert "45 days" in ask(core, "t-1", within_s=LEASE_S / 2).text
