"""A customer with a browser: asks, sees the answer stream in, reloads, and the conversation is still there."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.servers import Demo

pytestmark = pytest.mark.server

QUESTION = "Until now nobody told me: how much does the Skua 3 tunnel tent weigh?"
RECORD_DRAFTS = """
(() => {
  const Native = window.WebSocket;
  window.frames_seen = [];
  window.WebSocket = class extends Native {
    constructor(...all) {
      super(...all);
      this.addEventListener("message", (event) => window.frames_seen.push(JSON.parse(event.data).type));
    }
  };
})();
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(ignore_https_errors=True, locale="en-GB", viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


def say(page: Page, text: str) -> None:
    page.locator("textarea").fill(text)
    page.locator("textarea").press("Enter")


def replies(page: Page) -> "list[str]":
    return page.locator(".row.reply:not(.draft)").all_inner_texts()


def test_a_question_is_asked_answered_in_a_stream_and_still_there_after_a_reload(demo: Demo, page: Page) -> None:
    page.add_init_script(RECORD_DRAFTS)
    page.goto(f"{demo.env['EDGE_URL']}/chat/demo")
    say(page, QUESTION)
    last = page.locator(".row.reply:not(.draft)").last
    expect(last).to_contain_text("2.9 kg", timeout=15_000)
    kinds = page.evaluate("window.frames_seen")
    assert kinds.index("delta") < kinds.index("reply")
    before = replies(page)
    page.reload()
    expect(page.get_by_role("log")).to_contain_text(QUESTION)
    expect(page.locator(".row.reply:not(.draft)")).to_have_count(len(before))


def test_a_chinese_customer_fills_in_a_form(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.env['EDGE_URL']}/chat/demo?lang=zh")
    say(page, "我的订单到哪了？")
    expect(page.locator(".row.reply:not(.draft)").last).to_contain_text("订单号")
    say(page, "1042")
    expect(page.locator(".row.reply:not(.draft)").last).to_contain_text("1042")


def test_the_page_allows_nothing_but_itself(demo: Demo, page: Page) -> None:
    answer = page.goto(f"{demo.env['EDGE_URL']}/chat/demo")
    assert answer is not None
    assert "default-src 'none'" in answer.headers["content-security-policy"]
