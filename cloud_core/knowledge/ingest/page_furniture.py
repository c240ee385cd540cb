"""What a web page holds besides its text: scripts, navigation, cookie banners, footers, hidden parts."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_TAGS = frozenset(
    "script style noscript template svg math iframe object embed nav button select textarea head title dialog".split()
)
_ROLES = frozenset({"navigation", "search", "dialog", "alertdialog", "menubar"})
_TAGS_AROUND = frozenset({"footer", "aside"})
_ROLES_AROUND = frozenset({"banner", "contentinfo", "complementary"})
_CONSENT = re.compile(r"(?:^|[-_\s])(?:cookies?|cookie\w*|consent|gdpr|ccpa|onetrust)(?=$|[-_\s])", re.IGNORECASE)
_LINKS = re.compile(
    r"(?:^|[-_\s])(?:nav|navbar|navigation|menu|breadcrumbs?|sidebar|footer|pagination|pager|share|social|newsletter"
    r"|skip-?link|related|toc)(?=$|[-_\s])",
    re.IGNORECASE,
)
_CONTAINERS = frozenset("div section ul ol aside header p form span a".split())
_MOST_LINKED = 0.6
_LARGE_SHARE = 0.5


class Furniture:
    """`whole_page`: the page does not say which part of it is the main one."""

    def __init__(self, tree: "LexborHTMLParser", *, whole_page: bool) -> None:
        self._tags = _TAGS | (_TAGS_AROUND if whole_page else frozenset())
        self._roles = _ROLES | (_ROLES_AROUND if whole_page else frozenset())
        self._whole_page = whole_page
        self._letters = len(tree.body.text()) if tree.body else 0
        opens = tree.css("h1 [aria-controls], h2 [aria-controls], h3 [aria-controls], h4 [aria-controls]")
        self._unfolds = {node.attributes.get("aria-controls") for node in opens + tree.css("[role=tab][aria-controls]")}

    def holds(self, node: "LexborNode", *, in_heading: bool) -> bool:
        """Whether the node is left out with all that it holds; a button that is a heading's text is not."""
        attributes = node.attributes
        if node.tag in self._tags:
            return not (in_heading and node.tag == "button")
        if attributes.get("role") in self._roles:
            return True
        if attributes.get("id") in self._unfolds and attributes.get("id"):
            return False
        if "hidden" in attributes or attributes.get("aria-hidden") == "true":
            return True
        return _HIDDEN.search(attributes.get("style") or "") is not None or self._is_around(node)

    def _is_around(self, node: "LexborNode") -> bool:
        if node.tag not in _CONTAINERS:
            return False
        names = f"{node.attributes.get('class') or ''} {node.attributes.get('id') or ''}"
        if _CONSENT.search(names):
            return not self._is_large(node)
        is_site_header = self._whole_page and node.tag == "header" and node.parent is not None
        if is_site_header and node.parent and node.parent.tag == "body" and not node.css_first("h1"):
            return True
        return _LINKS.search(names) is not None and not self._is_large(node) and _linked_share(node) > _MOST_LINKED

    def _is_large(self, node: "LexborNode") -> bool:
        return node.css_first("h1") is not None or len(node.text()) > self._letters * _LARGE_SHARE


def _linked_share(node: "LexborNode") -> float:
    letters = len("".join(node.text().split()))
    linked = sum(len("".join(link.text().split())) for link in node.css("a"))
    return linked / letters if letters else 1.0
