"""New keys for the node and for the tenants' files."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from cloud_core.tenants import Tenant, Tenants
from nearside.database import open_database
from nearside.errors import StorageError
from nearside.sealing import TENANT_KEY, KeyRing, make_node_key
from tests import servers

pytestmark = pytest.mark.server
ROWS = 3_000


def tenants_in(folder: Path) -> Tenants:
    make_node_key(folder / "node.key", folder / "data")
    return Tenants(folder / "data", KeyRing(folder / "node.key", "core"), {})


def fill(tenant: Tenant) -> None:
    with closing(tenant.connect()) as connection:
        connection.execute("CREATE TABLE filling (content)")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO filling VALUES (?)", [(os.urandom(2_000),) for _ in range(ROWS)])
        connection.execute("COMMIT")


def rows_in(tenant: Tenant) -> int:
    with closing(tenant.connect()) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return int(connection.execute("SELECT count(*) FROM filling").fetchone()[0])


def test_a_file_gets_another_key_and_keeps_what_is_in_it(tmp_path: Path) -> None:
    tenants = tenants_in(tmp_path)
    tenant = tenants.add("demo", "Demo")
    fill(tenant)
    before, wrapped = tenant._key, (tenant.folder / TENANT_KEY).read_bytes()
    tenants.rekey("demo")
    again = tenants.get("demo")
    assert again is not tenant and again._key != before
    assert rows_in(again) == ROWS
    assert (tenant.folder / TENANT_KEY).read_bytes() != wrapped
    with pytest.raises(StorageError):
        open_database(tenant.folder / "core.db", before)
    assert rows_in(tenants_in(tmp_path).get("demo")) == ROWS


def test_a_file_that_somebody_has_open_is_left_as_it_is(tmp_path: Path) -> None:
    tenants = tenants_in(tmp_path)
    tenant = tenants.add("demo", "Demo")
    with closing(tenant.connect()) as somebody:
        somebody.execute("CREATE TABLE filling (content)")
        with pytest.raises(StorageError, match="another program has the file open"):
            tenants.rekey("demo")
        somebody.execute("INSERT INTO filling VALUES (1)")
    assert rows_in(tenants_in(tmp_path).get("demo")) == 1
    tenants.rekey("demo")
    assert rows_in(tenants.get("demo")) == 1


def test_a_rekeying_that_ended_but_was_not_noted_is_noted_when_the_file_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenants = tenants_in(tmp_path)
    fill(tenants.add("demo", "Demo"))
    with monkeypatch.context() as crashing:
        crashing.setattr(KeyRing, "finish_rekey", lambda self, folder: None)
        tenants.rekey("demo")
    folder = tmp_path / "data" / "tenants" / "demo"
    assert (folder / f"{TENANT_KEY}.next").exists()
    assert rows_in(tenants_in(tmp_path).get("demo")) == ROWS
    assert not (folder / f"{TENANT_KEY}.next").exists()


SCRIPT = """
import sys
from pathlib import Path
from tests.cloud_core.tenants.test_rekeying import tenants_in
tenants = tenants_in(Path(sys.argv[1]))
while True:
    print("begin", flush=True)
    tenants.rekey("demo")
"""


def test_a_program_that_is_killed_while_it_rekeys_leaves_a_file_that_opens(tmp_path: Path) -> None:
    fill(tenants_in(tmp_path).add("demo", "Demo"))
    for _ in range(8):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=servers.ROOT) as rekeying:
            assert rekeying.stdout and rekeying.stdout.readline() == b"begin\n"
            time.sleep(random.uniform(0, 0.25))
            rekeying.send_signal(signal.SIGKILL)
        assert rows_in(tenants_in(tmp_path).get("demo")) == ROWS
    tenants_in(tmp_path).rekey("demo")
    assert rows_in(tenants_in(tmp_path).get("demo")) == ROWS
