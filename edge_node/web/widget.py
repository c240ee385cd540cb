from __future__ import annotations

import hashlib
import json
from functools import cache
from html import escape
from pathlib import Path

STATIC = Path(__file__).parent / "static"


@cache
def widget_source() -> bytes:
    """The whole of /widget.js: the parts of static/widget/ in name order, inside one function."""
    parts = STATIC / "widget"
    styles = "".join(path.read_text(encoding="utf-8") for path in sorted(parts.glob("*.css")))
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in sorted(parts.glob("*.js")))
    constant = json.dumps(styles, ensure_ascii=False)
    return f'(() => {{\n"use strict";\nconst STYLES = {constant};\n{scripts}}})();\n'.encode()


@cache
def widget_etag() -> str:
    return f'"{hashlib.sha256(widget_source()).hexdigest()[:32]}"'


@cache
def _chat_template() -> str:
    return (STATIC / "chat.html").read_text(encoding="utf-8")


def chat_page(*, tenant_id: str, name: str, lang: str, nonce: str) -> str:
    page = _chat_template()
    # The nonce goes in first, so that no value of a tenant can carry a placeholder for it.
    for placeholder, value in (("nonce", nonce), ("lang", lang), ("tenant", tenant_id), ("name", name)):
        page = page.replace("{{" + placeholder + "}}", escape(value, quote=True))
    return page


def chat_page_policy(nonce: str) -> str:
    """The Content-Security-Policy under which the page and the widget work."""
    return (
        "default-src 'none'; script-src 'self'; connect-src 'self' wss:; "
        f"style-src 'nonce-{nonce}'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
