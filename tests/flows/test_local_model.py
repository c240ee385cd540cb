"""The edge's own model answers while the core is gone; what happens to its process happens to no one else."""

import json
import os
import re
import signal
import ssl
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests import servers, tiny_gguf
from tests.edge_node.cli.commands import cli, fine, make_edge, serving, until_ready

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]

SAYS = "You may return unworn items within 30 days of delivery."
INVENTS = "You may return unworn items within 90 days of delivery."
QUESTION = "may I send back boots that do not fit"
TENANT = """name = "The Shop"
[faq]
threshold = 0.99
[local_model]
use = "after"
"""
FAQ = f"""- id: returns
  en: {{question: May I return it?, variants: [Can I send back a jacket that is too small?], answer: "{SAYS}"}}
- id: hours
  en: {{question: When are you open?, variants: [What are your opening hours?], answer: "From 9:00 to 18:00."}}
"""


@dataclass
class Edge:
    config: Path
    key: str
    pid: int

    @property
    def _toml(self) -> dict[str, Any]:
        return tomllib.loads(self.config.read_text())

    def ask(self, conversation: str, text: str = QUESTION) -> dict[str, Any]:
        """The first reply; the core is off."""
        tls = ssl.create_default_context(cafile=str(self.config.parent / "certs" / "ca.crt"))
        url = f"https://localhost:{self._toml['https']['port']}/v1/shop/messages"
        body = {"conversation": conversation, "customer": "c", "text": text}
        headers = {"Authorization": f"Bearer {self.key}", "Prefer": "wait=20"}
        answer = httpx2.post(url, json=body, headers=headers, verify=tls, timeout=40, trust_env=False)
        answer.raise_for_status()
        reply: dict[str, Any] = answer.json()["reply"]
        return reply

    def condition(self) -> dict[str, Any]:
        found = httpx2.get(f"http://127.0.0.1:{self._toml['admin']['port']}/readyz", trust_env=False)
        assert found.status_code == 200
        return next(
            (row for row in found.json()["conditions"] if row["name"] == "local_model"), {"ok": False, "detail": ""}
        )

    def model_pid(self) -> int | None:
        """Of the one that takes requests."""
        if not self.condition()["ok"]:
            return None
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return next((int(pid) for pid in children if b"local_model" in Path(f"/proc/{pid}/cmdline").read_bytes()), None)


@contextmanager
def edge(folder: Path, says: str = "") -> Iterator[Edge]:
    """One whose core is off; with a model that says this, once it is ready."""
    config = make_edge(folder)
    (folder / "shop" / "tenant.toml").write_text(TENANT)
    (folder / "shop" / "faq.yaml").write_text(FAQ)
    if says:
        add(config, says)
    with serving(config) as process:
        until_ready(config, process)
        key = json.loads(fine("apikey", "add", "--name", "test", "--json", "-c", config))["key"]
        made = Edge(config, key, process.pid)
        if says:
            servers.wait_until(lambda: bool(made.condition()["ok"]), "the model")
        yield made
        assert process.poll() is None


def add(config: Path, says: str, name: str = "tiny") -> None:
    file = tiny_gguf.write(config.parent / f"{name}.gguf", says)
    done = cli("model", "add", file, "-c", config)
    assert done.returncode == 0, done.stderr


def origin(reply: dict[str, Any]) -> tuple[str, str, bool]:
    return reply["source"], reply["reason"], reply["final"]


GENERATED = ("edge_model", "generated", True)
APOLOGY = ("fallback", "core_unreachable", False)


def test_while_the_core_is_gone_the_model_answers_and_after_a_kill_in_mid_answer_again(tmp_path: Path) -> None:
    with edge(tmp_path, SAYS) as running:
        reply = running.ask("first")
        assert origin(reply) == GENERATED and reply["text"] == SAYS
        assert [citation["title"] for citation in reply["citations"]] == ["May I return it?"]
        first = running.model_pid()
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as thread:
            asked = thread.submit(running.ask, "killed")
            servers.wait_until(lambda: has_lost_its_core(tmp_path, 2), "the turn")
            time.sleep(0.5)
            os.kill(first, signal.SIGKILL)
            assert origin(asked.result()) == APOLOGY
        assert origin(running.ask("other", "hello")) == ("rule", "matched", True)
        servers.wait_until(lambda: running.model_pid() not in (None, first), "the model again")
        assert origin(running.ask("again")) == GENERATED
        assert metric(running, "answered") == 2 and metric(running, "failed") == 1
    log = (tmp_path / "serve.log").read_text()
    assert "boots" not in log and "unworn" not in log


def has_lost_its_core(folder: Path, times: int) -> bool:
    """After that the model is asked, which cannot answer: it is held."""
    return (folder / "serve.log").read_text().count("core_step_failed") >= times


def metric(running: Edge, outcome: str) -> float:
    text = httpx2.get(f"http://127.0.0.1:{running._toml['admin']['port']}/metrics", trust_env=False).text
    found = re.search(rf'^nearside_local_model_answers_total{{outcome="{outcome}",tenant="shop"}} (\S+)$', text, re.M)
    return float(found[1]) if found else 0.0


def test_an_invented_number_does_not_go_out_and_another_model_is_taken_up_live(tmp_path: Path) -> None:
    with edge(tmp_path, INVENTS) as running:
        assert origin(running.ask("first")) == APOLOGY
        assert metric(running, "ungrounded") == 1
        before = running.model_pid()
        add(running.config, SAYS, "better")
        servers.wait_until(lambda: running.model_pid() not in (None, before), "the other model")
        assert origin(running.ask("second")) == GENERATED


def test_a_broken_model_file_leaves_the_edge_answering(tmp_path: Path) -> None:
    with edge(tmp_path) as running:
        assert origin(running.ask("none")) == APOLOGY
        servers.wait_until(lambda: "no model is installed" in running.condition()["detail"], "the condition")
        add(running.config, SAYS)
        file = tmp_path / "data" / "models" / "tiny.gguf"
        part = file.with_suffix(".part")
        part.write_bytes(file.read_bytes()[:100_000])
        part.replace(file)
        servers.wait_until(lambda: "not within the file bounds" in running.condition()["detail"], "the condition")
        assert origin(running.ask("broken")) == APOLOGY
        assert origin(running.ask("rule", "hello")) == ("rule", "matched", True)
