"""A customer is forgotten at the edge while the core is down: the core erases their turns once it is back."""

import json
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from cloud_core import settings as core_settings
from cloud_core.app import open_tenants
from cloud_core.turns.claims import Claim, Claims
from tests import servers
from tests.servers import Demo

pytestmark = pytest.mark.server
QUESTION = "How much does the Skua 3 tunnel tent weigh?"
ANOTHER = "How often should I backflush the Brook water filter?"


def claim_of(own: Demo, turn_id: str) -> Claim:
    """What the core keeps of a turn that it has met."""
    tenant = open_tenants(core_settings.load(own.home / "core" / "core.toml")).get(own.env["TENANT"])
    with closing(Claims(tenant.connect())) as claims:
        return claims.take(turn_id)


def forget(own: Demo, customer: str) -> dict[str, int]:
    config = own.home / "edge" / "edge.toml"
    command = [str(servers.PROGRAMS / "edge-node"), "forget", "--customer", customer, "--yes", "--json"]
    done = subprocess.run([*command, "--config", str(config)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


def test_the_core_erases_what_was_forgotten_while_it_was_down_and_the_edge_restarted(tmp_path: Path) -> None:
    with servers.demo(tmp_path / "demo") as own:
        gone = own.ask(QUESTION, "gone", customer="c-gone")
        kept = own.ask(ANOTHER, "kept", customer="c-kept")
        assert gone["reply"]["source"] == kept["reply"]["source"] == "core"
        assert claim_of(own, gone["turn_id"]).answer
        core, edge = own.kill_core(), own.kill_edge
        assert forget(own, "c-gone")["turns"] == 1
        command = edge()
        own.start_edge(command)
        assert claim_of(own, gone["turn_id"]).answer
        own.start_core(core)
        servers.wait_until(lambda: claim_of(own, gone["turn_id"]).forgotten, "the core has erased the turn", 60.0)
        assert claim_of(own, kept["turn_id"]).answer
