from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.edge_node.web.stand_in import TENANT_ID, Drop, Reply, StandIn, delta

pytestmark = pytest.mark.server

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.fixture
def talkative(stand_in: StandIn) -> StandIn:
    stand_in.answer("slow", delta("Part one. ", 0), Drop(), Reply("Part one. Part two."))
    stand_in.swallowed_acks = 1
    return stand_in


@pytest.fixture
def terminal(talkative: StandIn) -> Iterator[subprocess.Popen[str]]:
    url = f"{talkative.url.replace('http', 'ws')}/v1/{TENANT_ID}/chat"
    command = [sys.executable, str(EXAMPLES / "chat_client.py"), url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_the_python_client_survives_lost_connections(terminal: subprocess.Popen[str], talkative: StandIn) -> None:
    assert terminal.stdin is not None and terminal.stdout is not None
    for text, reply in (("hello", "Understood."), ("slow", "Part one. Part two."), ("more", "Understood.")):
        terminal.stdin.write(text + "\n")
        terminal.stdin.flush()
        assert terminal.stdout.readline().startswith(f"< {reply}")
    assert len(talkative.conversations) == 1


def test_the_javascript_client_survives_lost_connections(page: Page, talkative: StandIn) -> None:
    source = (
        (EXAMPLES / "chat_client.js").read_text(encoding="utf-8").replace("export class", "window.ChatClient = class")
    )
    page.goto(talkative.url + "/foreign")
    page.add_script_tag(content=source)
    page.evaluate(
        """(url) => {
          window.replies = [];
          window.chat = new ChatClient(url, { onReply: (reply) => window.replies.push(reply.text) });
          chat.connect();
        }""",
        f"{talkative.url.replace('http', 'ws')}/v1/{TENANT_ID}/chat",
    )
    for count, text in enumerate(("hello", "slow", "more"), start=1):
        page.evaluate("(text) => chat.say(text)", text)
        page.wait_for_function("(count) => replies.length === count && chat.unconfirmed.size === 0", arg=count)
    assert page.evaluate("replies") == ["Understood.", "Part one. Part two.", "Understood."]
    assert len(talkative.conversations) == 1
