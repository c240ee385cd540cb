"""One company's file is damaged when the edge starts: the other company is served, and the file is waited for."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from demo.launch.tomledit import set_keys
from tests import servers
from tests.servers import PROGRAMS, Demo, wait_until

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]


def test_a_damaged_file_stops_its_own_company_only_and_is_taken_up_once_it_is_mended(tmp_path: Path) -> None:
    with servers.demo(tmp_path / "home") as running:
        file = running.home / "edge" / "data" / "tenants" / "demo" / "edge.db"
        command = running.kill_edge()
        key = add_other(running)
        running.start_edge(command)
        assert post(running, "demo", running.env["API_KEY"]) == 202
        running.kill_edge()
        whole = [part.rename(part.with_name(f"whole-{part.name}")) for part in file.parent.glob("edge.db*")]
        file.write_bytes(os.urandom(8192))
        running.start_edge(command, until="healthz")
        wait_until(lambda: post(running, "other", key) == 202, "the other company is served")
        assert post(running, "demo", running.env["API_KEY"]) == 503
        conditions = {row["name"]: row for row in readiness(running)["conditions"]}
        assert conditions["store_other"]["ok"]
        assert not conditions["store_demo"]["ok"]
        assert "damaged" in conditions["store_demo"]["detail"]
        for part in file.parent.glob("edge.db*"):
            part.unlink()
        for part in whole:
            part.rename(part.with_name(part.name.removeprefix("whole-")))
        wait_until(lambda: post(running, "demo", running.env["API_KEY"]) == 202, "the mended company is served")
        assert readiness(running)["ready"]


def add_other(running: Demo) -> str:
    """A second company; its API key."""
    edge, content = running.home / "edge" / "edge.toml", str(running.home / "content")
    set_keys(edge, {"tenants": {tenant: {"content": content} for tenant in ("demo", "other")}})
    command = [str(PROGRAMS / "edge-node"), "apikey", "add", "--tenant", "other", "--name", "test", "--json"]
    made = subprocess.run([*command, "--config", str(edge)], check=True, capture_output=True)
    key: str = json.loads(made.stdout)["key"]
    return key


def post(running: Demo, tenant: str, key: str) -> int:
    try:
        with running.client(key=key) as client:
            body = {"conversation": "c", "customer": "c", "text": "hello"}
            return client.post(f"/v1/{tenant}/messages", json=body).status_code
    except httpx2.TransportError:
        return 0


def readiness(running: Demo) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.get(f"{running.env['EDGE_ADMIN_URL']}/readyz", trust_env=False).json()
    return found
