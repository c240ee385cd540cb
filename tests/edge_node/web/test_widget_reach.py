from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.edge_node.web.chat import Chat
from tests.edge_node.web.stand_in import GREETING, NAME, SUGGESTIONS, Gate, Reply, StandIn

pytestmark = pytest.mark.server

HOST_STYLES = """() => JSON.stringify(['body', 'header', 'h1', 'main', 'li'].map((name) => {
  const style = getComputedStyle(document.querySelector(name));
  return ['font', 'color', 'margin', 'padding', 'overflow', 'position', 'width'].map((key) => style[key]);
}).concat([document.styleSheets.length, document.documentElement.className, document.body.style.cssText]))"""
BELOW_READABLE = 4.5
CONTRAST = """node => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = getComputedStyle(node);
  const [a, b] = [light(style.color), light(style.backgroundColor)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}"""


@pytest.fixture
def chat(page: Page, stand_in: StandIn) -> Chat:
    return Chat(page, stand_in)


def focused(page: Page) -> str:
    found: str = page.evaluate(
        "() => { const a = document.activeElement.shadowRoot?.activeElement; return a ? a.className || a.tagName : '' }"
    )
    return found


def test_the_keyboard_alone_is_enough(chat: Chat, stand_in: StandIn) -> None:
    chat.open_foreign()
    page = chat.page
    expect(page.get_by_role("button", name="Open chat")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=NAME["en"])).to_be_visible()
    assert focused(page) == "TEXTAREA"
    page.keyboard.type("line one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("line two")
    page.keyboard.press("Enter")
    expect(chat.replies).to_have_count(1)
    assert stand_in.received == ["line one\nline two"]
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert focused(page) == "launcher"


def test_enter_that_confirms_a_composition_does_not_send(chat: Chat, stand_in: StandIn) -> None:
    chat.open()
    chat.input.fill("ni hao")
    chat.input.evaluate(
        "n => n.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true}))"
    )
    expect(chat.input).to_have_value("ni hao")
    chat.say("你好")
    chat.delivered(1)
    assert stand_in.received == ["你好"]


def test_keys_typed_into_the_chat_do_not_reach_the_host_page(chat: Chat) -> None:
    chat.open_foreign()
    chat.page.evaluate("() => { window.keys = 0; addEventListener('keydown', () => { window.keys += 1; }); }")
    chat.page.get_by_role("button", name="Open chat").click()
    chat.input.press_sequentially("search")
    assert chat.page.evaluate("window.keys") == 0


def test_the_host_page_and_the_widget_leave_each_others_styles_alone(chat: Chat) -> None:
    chat.page.route("**/widget.js", lambda route: route.abort())
    chat.open_foreign()
    before = chat.page.evaluate(HOST_STYLES)
    chat.page.unroute("**/widget.js")
    chat.open_foreign()
    chat.page.get_by_role("button", name="Open chat").click()
    chat.is_online()
    assert chat.page.evaluate(HOST_STYLES) == before
    send = chat.page.get_by_role("button", name="Send")
    assert send.evaluate("node => getComputedStyle(node).borderTopWidth") == "0px"
    assert "Georgia" not in chat.input.evaluate("node => getComputedStyle(node).fontFamily")
    expect(chat.page.locator(".launcher")).to_be_in_viewport(ratio=1)


def test_a_reply_while_the_panel_is_closed_is_counted_on_the_launcher(chat: Chat, stand_in: StandIn) -> None:
    stand_in.answer("later", Gate("closed"), Reply("Here it is."))
    chat.open_foreign()
    chat.page.get_by_role("button", name="Open chat").click()
    chat.is_online()
    chat.say("later")
    chat.delivered(1)
    chat.page.keyboard.press("Escape")
    stand_in.open_gate("closed")
    expect(chat.page.locator(".badge")).to_have_text("1")
    chat.page.reload()
    expect(chat.page.locator(".badge")).to_have_text("1")
    chat.page.get_by_role("button", name=re.compile("Open chat.*1 new")).click()
    expect(chat.page.locator(".badge")).to_be_hidden()
    chat.page.reload()
    expect(chat.page.get_by_role("button", name="Open chat", exact=True)).to_be_visible()
    expect(chat.replies).to_have_count(1)
    expect(chat.page.locator(".badge")).to_be_hidden()


@pytest.mark.parametrize(("width", "height"), [(360, 640), (390, 844), (768, 1024), (1440, 900)])
def test_the_panel_fits_phone_and_desktop(browser: Browser, stand_in: StandIn, width: int, height: int) -> None:
    with browser.new_context(viewport={"width": width, "height": height}, locale="en-GB") as context:
        chat = Chat(context.new_page(), stand_in)
        chat.open_foreign()
        chat.page.get_by_role("button", name="Open chat").click()
        chat.is_online()
        chat.say("hello")
        expect(chat.replies).to_be_in_viewport(ratio=1)
        expect(chat.page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)
        chat.is_narrow_enough(chat.log)
        panel = chat.page.locator(".panel")
        panel.evaluate("node => Promise.all(node.getAnimations().map((one) => one.finished))")
        box = panel.bounding_box()
        assert box is not None
        if width <= 640:
            assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, width, height)
        else:
            assert box["x"] + box["width"] <= width and box["y"] >= 0 and box["width"] < width


def test_on_a_phone_the_focus_stays_inside_the_full_screen_panel(browser: Browser, stand_in: StandIn) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}, locale="en-GB") as context:
        chat = Chat(context.new_page(), stand_in)
        chat.open_foreign()
        chat.page.get_by_role("button", name="Open chat").click()
        chat.is_online()
        for _ in range(14):
            chat.page.keyboard.press("Tab")
            assert focused(chat.page) != ""


def test_chinese_from_greeting_to_label_and_back_to_english(chat: Chat, stand_in: StandIn) -> None:
    chat.open("zh")
    expect(chat.page.locator(".title")).to_have_text(NAME["zh"])
    expect(chat.page.get_by_role("button", name="发送")).to_be_visible()
    chat.page.get_by_role("button", name=SUGGESTIONS["zh"][1]).click()
    expect(chat.replies).to_contain_text("官方答复")
    assert stand_in.received == [SUGGESTIONS["zh"][1]]
    chat.page.get_by_role("button", name="switch to English").click()
    expect(chat.page.locator(".title")).to_have_text(NAME["en"])
    expect(chat.page.locator(".greeting")).to_contain_text(GREETING["en"].split("\n")[0])
    expect(chat.replies).to_contain_text("Approved answer")
    assert chat.texts() == [SUGGESTIONS["zh"][1], "Understood."]
    assert stand_in.hellos[-1]["lang"] == "en"
    chat.page.reload()
    chat.is_online()


def test_a_new_conversation_is_asked_for_and_forgets_the_old_one(chat: Chat, stand_in: StandIn) -> None:
    chat.open()
    chat.say("old")
    expect(chat.replies).to_have_count(1)
    chat.page.get_by_role("button", name="New conversation").click()
    chat.page.keyboard.press("Escape")
    expect(chat.replies).to_have_count(1)
    chat.page.get_by_role("button", name="New conversation").click()
    chat.page.get_by_role("button", name="Start new").click()
    expect(chat.own).to_have_count(0)
    chat.say("new")
    expect(chat.replies).to_have_count(1)
    chat.page.reload()
    expect(chat.replies).to_have_count(1)
    assert chat.texts() == ["new", "Understood."]
    assert len(stand_in.conversations) == 2


def test_offline_is_said_and_taken_back(chat: Chat) -> None:
    chat.open()
    chat.page.context.set_offline(True)
    expect(chat.banner).to_contain_text("You’re offline")
    chat.page.context.set_offline(False)
    expect(chat.banner).to_be_hidden()
    chat.is_online()


def test_a_text_over_the_limit_is_counted_and_not_sent(chat: Chat) -> None:
    chat.open()
    chat.input.fill("界" * 7990)
    expect(chat.page.get_by_text("10 characters left")).to_be_visible()
    chat.input.fill("界" * 8001)
    expect(chat.page.get_by_text("1 characters too many")).to_be_visible()
    expect(chat.page.get_by_role("button", name="Send")).to_be_disabled()
    chat.input.press("Enter")
    expect(chat.own).to_have_count(0)


def test_a_reader_of_old_messages_is_not_moved_but_told(chat: Chat, stand_in: StandIn) -> None:
    stand_in.answer("long", Reply("\n\n".join(f"Paragraph {number}" for number in range(80))))
    stand_in.answer("later", Gate("reading"), Reply("News."))
    chat.open()
    chat.say("long")
    expect(chat.replies).to_have_count(1)
    chat.say("later")
    chat.delivered(2)
    chat.log.evaluate("node => { node.scrollTop = 200; }")
    expect(chat.replies.last).to_be_in_viewport()
    stand_in.open_gate("reading")
    pill = chat.page.get_by_role("button", name="New messages")
    expect(pill).to_be_visible()
    assert chat.log.evaluate("node => node.scrollTop") == 200
    pill.click()
    expect(chat.replies.last).to_be_in_viewport()
    expect(pill).to_be_hidden()


@pytest.mark.parametrize("color", ["#ffe14d", "#ffffff", "#000000", "#1d6b57", "#ff7a00", "#7f7f7f", "#0af"])
def test_text_on_any_brand_colour_can_be_read(chat: Chat, color: str) -> None:
    chat.open_foreign(color)
    chat.page.get_by_role("button", name="Open chat").click()
    chat.is_online()
    chat.say("hello")
    assert chat.own.locator(".bubble").evaluate(CONTRAST) >= BELOW_READABLE


def test_the_log_and_the_controls_have_roles_and_names(chat: Chat) -> None:
    chat.open()
    expect(chat.log).to_have_attribute("aria-live", "polite")
    expect(chat.log).to_have_accessible_name("Conversation")
    expect(chat.input).to_have_accessible_name("Your message")
    for button in chat.page.get_by_role("button").all():
        expect(button).to_have_accessible_name(re.compile(r"\S"))
