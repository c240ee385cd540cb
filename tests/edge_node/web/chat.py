"""What a customer does and sees in the widget."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.edge_node.web.stand_in import TENANT_ID, StandIn


class Chat:
    def __init__(self, page: Page, stand_in: StandIn) -> None:
        self.page = page
        self.stand_in = stand_in
        self.input = page.locator("textarea")
        self.log = page.get_by_role("log")
        self.own = page.locator(".row.own")
        self.replies = page.locator(".row.reply:not(.draft)")
        self.drafts = page.locator(".row.draft")
        self.banner = page.locator(".banner")

    def open(self, lang: str = "en") -> None:
        self.page.goto(f"{self.stand_in.url}/chat/{TENANT_ID}?lang={lang}")
        self.is_online("在线" if lang == "zh" else "Online")

    def open_foreign(self, color: str = "") -> None:
        page = self.stand_in.url.replace("127.0.0.1", "localhost") + "/foreign"
        self.page.goto(f"{page}?color={color.replace('#', '%23')}")

    def is_online(self, word: str = "Online") -> None:
        expect(self.page.locator(".header .status")).to_have_text(word)

    def say(self, text: str) -> None:
        self.input.fill(text)
        self.input.press("Enter")

    def delivered(self, count: int) -> None:
        expect(self.page.locator(".row.own.delivered")).to_have_count(count)

    def texts(self) -> list[str]:
        return self.page.locator(".row.own .plain, .row.reply:not(.draft) .text").all_inner_texts()

    def stored(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate("() => ({...localStorage})")
        return found

    def is_narrow_enough(self, part: Locator) -> None:
        assert part.evaluate("node => node.scrollWidth <= node.clientWidth")
