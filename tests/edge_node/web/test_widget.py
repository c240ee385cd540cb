from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.edge_node.web.chat import Chat
from tests.edge_node.web.stand_in import TYPING, Drop, Gate, Live, Reply, StandIn, delta

pytestmark = pytest.mark.server

SCRIPT_TAG = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
HOSTILE = {
    "script": SCRIPT_TAG,
    "link": "[pay here](javascript:window.hacked=1) javascript:window.hacked=1 <a href='javascript:1'>x</a>",
    "bidi": "total \u202e00.1 $\u202c \u2066\u2067\u202e and the rest \u200f of it",
    "zalgo": "Z" + "\u0335\u0322\u0489\u0310\u0334\u0321" * 60 + "algo",
    "long": "W" * 8000,
    "astral": "\U0001f9ff" * 2000 + "\ufdfd" * 40,
    "markup": "**" * 400 + "{{constructor.constructor('window.hacked=1')()}} ${window.hacked=1}",
    "controls": "a\u0000b\u0007c\ufffe\ufeffd",
}


@pytest.fixture
def chat(page: Page, stand_in: StandIn) -> Chat:
    return Chat(page, stand_in)


def test_an_answer_streams_in_and_is_replaced_by_the_reply(chat: Chat, stand_in: StandIn) -> None:
    stand_in.answer(
        "returns?",
        TYPING,
        Gate("a"),
        delta("Thirty days. ", 0),
        Gate("b"),
        delta("Free.", 1),
        Gate("c"),
        Reply("Done."),
    )
    chat.open()
    chat.say("returns?")
    chat.delivered(1)
    expect(chat.drafts.locator(".dots")).to_be_visible()
    stand_in.open_gate("a")
    expect(chat.drafts.locator(".text")).to_have_text("Thirty days.")
    stand_in.open_gate("b")
    expect(chat.drafts.locator(".text")).to_have_text("Thirty days. Free.")
    stand_in.open_gate("c")
    expect(chat.replies).to_have_count(1)
    expect(chat.drafts).to_have_count(0)
    assert chat.texts() == ["returns?", "Done."]
    expect(chat.replies).to_contain_text("Approved answer")


def test_a_question_back_is_not_called_an_approved_answer(chat: Chat, stand_in: StandIn) -> None:
    stand_in.answer("delivery", Reply("Did you mean one of these?", {"source": "faq", "reason": "clarify"}))
    chat.open()
    chat.say("delivery")
    expect(chat.replies).to_contain_text("Assistant")
    expect(chat.replies).not_to_contain_text("Approved answer")


def test_a_higher_revision_replaces_the_draft(chat: Chat, stand_in: StandIn) -> None:
    stand_in.answer("price?", delta("It costs 10. ", 0), delta("It is ", 0, 2), delta("free.", 1, 2), Gate("never"))
    chat.open()
    chat.say("price?")
    expect(chat.drafts.locator(".text")).to_have_text("It is free.")


def test_a_repeated_or_older_delta_changes_nothing(chat: Chat, stand_in: StandIn) -> None:
    stand_in.answer("x", delta("One. ", 0), delta("One. ", 0), delta("Two.", 1), delta("Old.", 2, 0), Gate("never"))
    chat.open()
    chat.say("x")
    expect(chat.drafts.locator(".text")).to_have_text("One. Two.")


def test_citations_show_title_and_quote_and_link_only_web_addresses(chat: Chat, stand_in: StandIn) -> None:
    citations = [
        {"title": "Returns", "uri": "https://shop.example/returns", "quote": "within 30 days"},
        {"title": "Sizes", "uri": "sizes.en.md", "quote": "runs small"},
        {"title": "Trap", "uri": "javascript:window.hacked=1", "quote": "x"},
    ]
    stand_in.answer("returns?", Reply("30 days", {"source": "core", "citations": citations}))
    chat.open()
    chat.say("returns?")
    expect(chat.replies).to_contain_text("From our documents")
    chat.page.get_by_text("3 sources").click()
    expect(chat.page.locator(".citations q").first).to_have_text("within 30 days")
    links = chat.page.locator(".citations a")
    expect(links).to_have_count(1)
    expect(links).to_have_attribute("href", "https://shop.example/returns")
    assert "noopener" in (links.get_attribute("rel") or "")


def test_a_reply_is_formatted_with_paragraphs_lists_bold_and_links(chat: Chat, stand_in: StandIn) -> None:
    stand_in.answer("x", Reply("**Yes.**\nSee https://shop.example/a.\n\n- one\n- two\n\n3. three"))
    chat.open()
    chat.say("x")
    text = chat.replies.locator(".text")
    expect(text.locator("strong")).to_have_text("Yes.")
    expect(text.locator("a")).to_have_attribute("href", "https://shop.example/a")
    expect(text.locator("ul li")).to_have_text(["one", "two"])
    expect(text.locator("ol")).to_have_attribute("start", "3")


def test_the_choices_of_the_last_reply_can_be_tapped_and_then_go_away(chat: Chat, stand_in: StandIn) -> None:
    stand_in.answer("cancel it", Reply("Shall I?", {"quick_replies": ["Yes, cancel", "<b>No</b>", "", 5]}))
    stand_in.answer("Yes, cancel", Reply("Done."))
    chat.open()
    chat.say("cancel it")
    choices = chat.replies.last.get_by_role("button")
    expect(choices).to_have_text(["Yes, cancel", "<b>No</b>"])
    choices.first.click()
    expect(chat.replies.last).to_contain_text("Done.")
    expect(chat.page.locator(".row .chip:visible")).to_have_count(0)
    assert stand_in.received[-1] == "Yes, cancel"


def test_a_reload_keeps_the_conversation(chat: Chat, stand_in: StandIn) -> None:
    chat.open()
    chat.say("hello")
    expect(chat.replies).to_have_count(1)
    chat.page.reload()
    expect(chat.replies).to_have_count(1)
    assert chat.texts() == ["hello", "Understood."]
    chat.delivered(1)
    assert len(stand_in.conversations) == 1


def test_nothing_is_stored_before_the_first_message(chat: Chat) -> None:
    chat.open()
    assert chat.stored() == {}
    chat.say("hello")
    expect(chat.replies).to_have_count(1)
    assert all(key.startswith("nearside:") for key in chat.stored())
    assert chat.page.context.cookies() == []


def test_a_socket_dropped_in_mid_answer_catches_up_without_duplicates(chat: Chat, stand_in: StandIn) -> None:
    stand_in.answer("slow", delta("Part one. ", 0), Gate("dropped"), Reply("Part one. Part two."))
    chat.open()
    chat.say("first")
    expect(chat.replies).to_have_count(1)
    chat.say("slow")
    expect(chat.drafts.locator(".text")).to_have_text("Part one.")
    stand_in.is_down = True
    stand_in.drop_all()
    expect(chat.page.locator(".header .status")).to_have_text("Reconnecting…")
    stand_in.open_gate("dropped")
    stand_in.is_down = False
    expect(chat.replies).to_have_count(2)
    expect(chat.drafts).to_have_count(0)
    assert chat.texts() == ["first", "Understood.", "slow", "Part one. Part two."]
    assert stand_in.hellos[-1]["after"] == 2


def test_a_draft_goes_on_where_the_socket_was_lost(chat: Chat, stand_in: StandIn) -> None:
    steps = delta("Part one. ", 0), Gate("a"), delta("Part two. ", 1), Gate("b"), delta("Part three.", 2), Gate("c")
    stand_in.answer("slow", TYPING, *steps, Reply("All of it."))
    chat.open()
    chat.say("slow")
    expect(chat.drafts.locator(".text")).to_have_text("Part one.")
    stand_in.is_down = True
    stand_in.drop_all()
    expect(chat.page.locator(".header .status")).to_have_text("Reconnecting…")
    stand_in.open_gate("a")
    stand_in.is_down = False
    expect(chat.drafts.locator(".text")).to_have_text("Part one. Part two.")
    chat.page.reload()
    expect(chat.drafts.locator(".text")).to_have_text("Part one. Part two.")
    stand_in.open_gate("b")
    expect(chat.drafts.locator(".text")).to_have_text("Part one. Part two. Part three.")
    stand_in.open_gate("c")
    expect(chat.drafts).to_have_count(0)
    assert chat.texts() == ["slow", "All of it."]


def test_the_draft_of_a_turn_that_is_repeated_after_a_restart_replaces_the_old_one(
    chat: Chat, stand_in: StandIn
) -> None:
    again = delta("New part. ", 0, 1001), delta("And more.", 1, 1001), Gate("never")
    stand_in.answer("slow", delta("Old part. ", 0), delta("Old end.", 1), Gate("a"), Drop(), *again)
    chat.open()
    chat.say("slow")
    expect(chat.drafts.locator(".text")).to_have_text("Old part. Old end.")
    stand_in.open_gate("a")
    expect(chat.drafts.locator(".text")).to_have_text("New part. And more.")


def test_one_reply_to_several_messages_ends_the_typing_of_each(chat: Chat, stand_in: StandIn) -> None:
    stand_in.answer("one", TYPING, Gate("never"))
    chat.open()
    chat.say("one")
    expect(chat.drafts).to_have_count(1)
    [conversation] = stand_in.conversations.values()
    [turn_id] = conversation.running
    stand_in.answer("two", TYPING, Gate("both"), Reply("Both.", {"answers": [turn_id]}))
    chat.say("two")
    expect(chat.drafts).to_have_count(2)
    stand_in.open_gate("both")
    expect(chat.replies).to_have_count(1)
    expect(chat.drafts).to_have_count(0)


def test_a_message_written_while_the_server_is_away_is_sent_once_it_is_back(chat: Chat, stand_in: StandIn) -> None:
    chat.open()
    chat.say("before")
    chat.delivered(1)
    stand_in.is_down = True
    stand_in.drop_all()
    expect(chat.banner).to_be_visible()
    chat.say("meanwhile")
    expect(chat.page.locator(".row.own.waiting")).to_have_count(1)
    stand_in.is_down = False
    chat.delivered(2)
    expect(chat.banner).to_be_hidden()
    assert stand_in.received == ["before", "meanwhile"]


def test_a_waiting_message_survives_a_reload(chat: Chat, stand_in: StandIn) -> None:
    chat.open()
    chat.say("before")
    chat.delivered(1)
    stand_in.is_down = True
    stand_in.drop_all()
    expect(chat.banner).to_be_visible()
    chat.say("meanwhile")
    chat.page.reload()
    expect(chat.page.locator(".row.own.waiting")).to_have_count(1)
    stand_in.is_down = False
    chat.delivered(2)
    assert stand_in.received == ["before", "meanwhile"]
    assert len(stand_in.conversations) == 1


def test_a_lost_acknowledgement_leads_to_one_message_and_one_reply(chat: Chat, stand_in: StandIn) -> None:
    stand_in.swallowed_acks = 1
    chat.open()
    chat.say("once")
    chat.delivered(1)
    expect(chat.replies).to_have_count(1)
    assert chat.texts() == ["once", "Understood."]


def test_a_refused_message_says_so_and_can_be_tried_again(chat: Chat, stand_in: StandIn) -> None:
    stand_in.refusals["hello"] = 429
    chat.open()
    chat.say("hello")
    expect(chat.own).to_contain_text("Not sent")
    expect(chat.own).to_contain_text("Too many messages")
    stand_in.refusals.clear()
    chat.page.get_by_role("button", name="Try again").click()
    chat.delivered(1)
    expect(chat.replies).to_have_count(1)


def test_a_provisional_reply_is_visible_as_such_and_the_late_answer_quotes_the_question(
    chat: Chat, stand_in: StandIn
) -> None:
    apology = Reply("One moment please.", {"source": "fallback", "reason": "core_unreachable", "final": False})
    stand_in.answer("poles?", apology, Gate("late"), Reply("Yes, for free.", {"source": "core", "quotes": "poles?"}))
    chat.open()
    chat.say("poles?")
    expect(chat.replies).to_contain_text("Preliminary")
    expect(chat.replies).to_contain_text("We’ll get back to you")
    chat.say("something else")
    expect(chat.replies).to_have_count(2)
    expect(chat.replies.first).not_to_contain_text("Answered below")
    stand_in.open_gate("late")
    expect(chat.replies.last.locator("blockquote")).to_contain_text("poles?")
    expect(chat.replies.first).to_contain_text("Answered below")


def test_a_token_that_is_no_longer_good_starts_a_new_conversation(chat: Chat, stand_in: StandIn) -> None:
    chat.open()
    chat.say("hello")
    expect(chat.replies).to_have_count(1)
    stand_in.conversations.clear()
    chat.page.reload()
    chat.is_online()
    expect(chat.own).to_have_count(0)
    chat.say("again")
    chat.delivered(1)


def test_an_unknown_tenant_is_told_and_not_tried_again(page: Page, stand_in: StandIn) -> None:
    page.goto(f"{stand_in.url}/chat/nobody")
    expect(page.locator(".banner")).to_have_text("This chat isn’t available at the moment.")
    expect(page.locator("textarea")).to_be_disabled()


def test_when_a_colleague_takes_over_the_header_says_so(chat: Chat, stand_in: StandIn) -> None:
    owner = Live({"type": "event", "event": "owner", "owner": "agent"})
    stand_in.answer("human", owner, Reply("Someone is on the way.", {"source": "rule"}))
    chat.open()
    chat.say("human")
    chat.is_online("A colleague is with you")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_stays_text(chat: Chat, stand_in: StandIn, text: str) -> None:
    stand_in.answer(
        text, delta(text, 0), Reply(text, {"quotes": text, "citations": [{"title": text, "uri": text, "quote": text}]})
    )
    chat.open()
    chat.say(text)
    expect(chat.replies).to_have_count(1)
    assert chat.page.evaluate("window.hacked") is None
    assert chat.own.locator(".plain").evaluate("node => node.textContent") == stand_in.received[0]
    assert (
        chat.page.locator("nearside-chat").evaluate("n => n.shadowRoot.querySelectorAll('script, img, iframe').length")
        == 0
    )
    assert chat.replies.locator("a:not([href^='http'])").count() == 0
    chat.is_narrow_enough(chat.log)


def test_a_long_history_comes_in_order_and_shows_its_end(chat: Chat, stand_in: StandIn) -> None:
    chat.open()
    chat.say("first")
    chat.delivered(1)
    conversation = next(iter(stand_in.conversations.values()))
    for number in range(250):
        conversation.record({"type": "message", "id": f"m{number}", "text": f"question {number}"})
        conversation.record({"type": "reply", "turn_id": f"t{number}", "text": f"answer {number}", "source": "faq"})
    chat.page.reload()
    expect(chat.replies).to_have_count(251)
    assert chat.texts()[-2:] == ["question 249", "answer 249"]
    expect(chat.replies.last).to_be_in_viewport()
