"""Unfinished answers go on: whoever comes back while a turn runs sees its draft so far."""

from pathlib import Path

import pytest

from edge_node.channels.drafts import MOST_CHARACTERS, MOST_CONVERSATIONS, QUIET_S, Drafts
from tests.edge_node.channels.door import Door, Frame, door

pytestmark = pytest.mark.server

KEY = ("demo", "web", "w_1")


def shown(frames: list[Frame]) -> list[str]:
    """Types and events, a delta as its text."""
    return [str(frame["text"] if frame["type"] == "delta" else frame.get("event", frame["type"])) for frame in frames]


async def test_who_comes_back_in_mid_answer_gets_the_draft_so_far_and_the_rest_of_it(tmp_path: Path) -> None:
    async with door(tmp_path) as edge:
        await edge.say("how heavy?")
        await edge.draft(1, 0, "It weighs ")
        await edge.draft(1, 1, "2.9 kg. ")
        async with edge.chat() as talk:
            assert shown(await talk.until("caught_up")) == ["hello", "message", "owner", "caught_up"]
            draft = await talk.until("delta") + await talk.until("delta")
            assert shown(draft) == ["typing", "It weighs ", "2.9 kg. "]
            assert [(one.get("revision"), one.get("sequence")) for one in draft] == [(None, None), (1, 0), (1, 1)]
            assert {one["turn_id"] for one in draft} == {edge.turn_id()}
            await edge.draft(1, 2, "With poles.")
            await edge.reply("It weighs 2.9 kg. With poles.")
            assert shown(await talk.until("reply")) == ["With poles.", "reply"]
        async with edge.chat() as talk:
            await talk.until("caught_up")
            await edge.say("thanks")
            assert shown(await talk.until("typing")) == ["message", "typing"]


async def test_only_the_newest_revision_is_repeated(tmp_path: Path) -> None:
    async with door(tmp_path) as edge:
        await edge.say("price?")
        await edge.draft(1, 0, "It costs 10. ")
        await edge.draft(2, 0, "It is free. ")
        await edge.draft(1, 1, "Of the first.")
        async with edge.chat() as talk:
            await talk.until("caught_up")
            assert shown(await talk.until("delta")) == ["typing", "It is free. "]
            await edge.reply("It is free.")
            assert shown(await talk.until("reply")) == ["reply"]


async def test_after_a_restart_the_repeated_turn_shows_that_it_runs_and_replaces_the_draft(tmp_path: Path) -> None:
    async with door(tmp_path) as edge:
        await edge.say("how heavy?")
        await edge.draft(1, 0, "Old part. ")
        accepted = edge.accepted
    async with door(tmp_path) as edge:
        edge.accepted = accepted
        async with edge.chat() as talk:
            await talk.until("caught_up")
            assert shown(await talk.until("typing")) == ["typing"]
            await edge.draft(1001, 0, "New part. ")
            assert (await talk.until("delta"))[-1]["revision"] == 1001
        async with edge.chat(after=1) as talk:
            await talk.until("caught_up")
            assert shown(await talk.until("delta")) == ["typing", "New part. "]


async def test_a_reply_that_is_read_from_the_log_ends_the_draft(tmp_path: Path) -> None:
    async with door(tmp_path) as edge:
        await edge.say("how heavy?")
        await edge.draft(1, 0, "It weighs ")
        await edge.commit("2.9 kg")
        async with edge.chat() as talk:
            frames = await talk.until("caught_up")
            assert shown(frames) == ["hello", "message", "reply", "owner", "caught_up"]
            await edge.say("thanks")
            assert shown(await talk.until("typing")) == ["message", "typing"]


async def test_a_conversation_that_an_agent_took_over_shows_no_draft(tmp_path: Path) -> None:
    async with door(tmp_path) as edge:
        await edge.say("one")
        await edge.draft(1, 0, "A sentence of the bot. ")
        await edge.say("a human, please")
        await edge.reply("A colleague will answer.", owner="agent")
        async with edge.chat() as talk:
            await talk.until("caught_up")
            await edge.say("hello?")
            assert shown(await talk.until("typing")) == ["message", "typing"]
        assert edge.feed.drafts.frames(("demo", "web", edge.conversation().thread)) != []
        async with edge.chat() as talk:
            await talk.until("caught_up")
            await edge.say("still there?")
            assert shown(await talk.until("typing")) == ["message", "typing"]


async def test_a_reply_to_several_messages_ends_the_typing_of_each(tmp_path: Path) -> None:
    async with door(tmp_path) as edge:
        await edge.say("one")
        first = edge.turn_id()
        await edge.say("two")
        assert len(running(edge)) == 2
        await edge.reply("both", merged=[first])
        assert running(edge) == []


def running(edge: Door) -> list[str]:
    frames = edge.feed.drafts.frames(("demo", "web", edge.conversation().thread))
    return [frame["turn_id"] for frame in frames]


async def test_a_stream_of_events_shows_the_same(tmp_path: Path) -> None:
    async with door(tmp_path) as edge:
        await edge.post("how heavy?")
        await edge.draft(1, 0, "It weighs ")
        async with edge.events() as talk:
            assert shown(await talk.until("delta")) == ["message", "typing", "It weighs "]
            await edge.draft(1, 1, "2.9 kg.")
            await edge.reply("It weighs 2.9 kg.")
            assert shown(await talk.until("reply")) == ["2.9 kg.", "reply"]
            await edge.post("thanks")
            assert shown(await talk.until("typing")) == ["message", "typing"]


def delta(text: str, sequence: int, revision: int = 1, turn_id: str = "t_1") -> Frame:
    return {"type": "delta", "turn_id": turn_id, "revision": revision, "sequence": sequence, "text": text}


def test_a_draft_that_is_too_long_is_not_repeated_at_all() -> None:
    drafts = Drafts()
    drafts.add(KEY, delta("x" * MOST_CHARACTERS, 0))
    assert shown(list(map(dict, drafts.frames(KEY))))[1:] == ["x" * MOST_CHARACTERS]
    drafts.add(KEY, delta("one more", 1))
    drafts.add(KEY, delta("and another", 2))
    assert shown(list(map(dict, drafts.frames(KEY)))) == ["typing"]
    drafts.add(KEY, delta("anew", 0, revision=2))
    assert shown(list(map(dict, drafts.frames(KEY)))) == ["typing", "anew"]


def test_a_turn_that_shows_nothing_for_long_is_not_shown_as_running() -> None:
    now = 0.0
    drafts = Drafts(clock=lambda: now)
    drafts.begin(KEY, "t_1")
    now = QUIET_S / 2
    drafts.add(KEY, delta("still here", 0, turn_id="t_2"))
    now = QUIET_S + 1
    assert [frame["turn_id"] for frame in drafts.frames(KEY)] == ["t_2", "t_2"]


def test_no_more_conversations_are_kept_than_there_is_room_for() -> None:
    now = 0.0
    drafts = Drafts(clock=lambda: now)
    for number in range(MOST_CONVERSATIONS + 5):
        drafts.begin(("demo", "web", str(number)), "t")
    assert drafts.frames(("demo", "web", "4")) == []
    assert drafts.frames(("demo", "web", "5")) != []
    now = QUIET_S + 1
    drafts.begin(KEY, "t")
    assert len(drafts._turns) == 1


def test_what_has_ended_leaves_nothing_behind() -> None:
    drafts = Drafts()
    drafts.add(KEY, delta("one", 0))
    drafts.begin(KEY, "t_2")
    drafts.end(KEY, ["t_1", "t_2", "t_3"])
    drafts.end(KEY, ["t_1"])
    drafts.end_all(KEY)
    assert drafts.frames(KEY) == []
    assert not drafts._turns
