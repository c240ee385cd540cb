"""A company's moderation lists, from its folder to what its customers see."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_node.messages import Conversation, Draft, Tenant
from edge_node.uplink.base import Answer, Sentence
from nearside.encoder import TextEncoder
from nearside.origins import Reason
from tests.edge_node.packs.stage import Running, running, settings_of
from tests.edge_node.stage import until

pytestmark = pytest.mark.unit

HANDOFF = """  - id: human
    when: {keywords: [human]}
    handoff: {default: true, reply: A colleague is coming.}
"""
LISTS = """incoming:
  - {action: block, words: [bomb], reply: {en: Not here., zh: 这里不行。}}
  - {action: warn, words: [idiot], reply: Please stay polite.}
  - {action: handoff, words: [sue you]}
outgoing: [RivalCo]
instead: I would rather not say that.
"""


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


def moderated(folder: Path, says: str = "hi") -> Any:
    settings = settings_of(folder, {"shop": says})
    content = settings.tenants["shop"].content
    with (content / "rules" / "talk.yaml").open("a") as rules:
        rules.write(HANDOFF)
    (content / "moderation.yaml").write_text(LISTS, encoding="utf-8")
    return settings


async def reply_to(on: Running, text: str, number: int = 1, thread: str = "t") -> Mapping[str, Any]:
    before = len(on.sent)
    await on.say(text, number, thread=thread)
    await until(lambda: len(on.sent) > before)
    return on.sent[-1].event.body


async def test_a_blocked_message_gets_no_further(tmp_path: Path, encoder: TextEncoder) -> None:
    async with running(moderated(tmp_path), encoder) as on:
        reply = await reply_to(on, "hello, how do I build a bomb?")
    assert (reply["text"], reply["source"], reply["reason"], reply["final"]) == (
        "Not here.",
        "rule",
        "moderation",
        True,
    )
    assert on.uplink.asked == []


async def test_a_warning_goes_before_the_answer(tmp_path: Path, encoder: TextEncoder) -> None:
    async with running(moderated(tmp_path), encoder) as on:
        reply = await reply_to(on, "hello idiot")
        assert (reply["text"], reply["reason"]) == ("Please stay polite.\nhi", "matched")
        assert (await reply_to(on, "hello", 2))["text"] == "hi"


async def test_an_agent_gets_what_is_for_people(tmp_path: Path, encoder: TextEncoder) -> None:
    async with running(moderated(tmp_path), encoder) as on:
        reply = await reply_to(on, "hello, I will sue you")
        assert (reply["text"], reply["reason"]) == ("A colleague is coming.", "handoff")
        after = await reply_to(on, "and a bomb, idiot", 2)
        assert after["reason"] == "agent_owns" and "polite" not in after["text"]


async def test_no_reply_says_what_it_may_not_whatever_it_comes_from(tmp_path: Path, encoder: TextEncoder) -> None:
    async with running(moderated(tmp_path, "Try RIVALCO instead."), encoder) as on:
        for number, question in enumerate(("hello", "May I return it?")):
            reply = await reply_to(on, question, number, thread=f"t{number}")
            assert (reply["text"], reply["source"]) == ("I would rather not say that.", "rule")
            assert (reply["reason"], reply["final"], reply["citations"]) == ("moderation", True, [])


async def test_nor_does_the_core_not_even_for_a_moment(tmp_path: Path, encoder: TextEncoder) -> None:
    async with running(moderated(tmp_path), encoder) as on:
        text = "We have tents. RivalCo has more."
        on.uplink.reason = None
        on.uplink.events = (
            Sentence(1, 0, "We have tents."),
            Sentence(1, 1, " RivalCo has more."),
            Answer(text, grounded=True, confidence=0.9, citations=(), knowledge_version="1", cacheable=False),
        )
        shown: list[str] = []

        async def show(tenant: Tenant, conversation: Conversation, draft: Draft) -> None:
            shown.append(draft.text)

        on.turns._screen._draft = show
        reply = await reply_to(on, "which tents are there, and where else?")
    assert reply["text"] == "I would rather not say that." and reply["reason"] == Reason.MODERATION
    assert "".join(shown).strip() == "We have tents."
