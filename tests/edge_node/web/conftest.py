from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.browser import chromium
from tests.edge_node.web.stand_in import StandIn, running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with running() as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Any script error, and any use that the page's content security policy forbids, fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 800}, locale="en-GB")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.extend(policy_complaints(message)))
    yield page
    context.close()
    assert complaints == []


def policy_complaints(message: ConsoleMessage) -> list[str]:
    return [message.text] if "Content Security Policy" in message.text else []
