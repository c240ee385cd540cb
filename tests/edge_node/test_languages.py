"""A company answers in the languages that its tenant.toml names, whatever its customers write."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_node.messages import Lang
from edge_node.tenant_room import tenant_of
from edge_node.turns.room import reply_lang
from nearside.content import load_tenant_content
from tests.edge_node.stage import TENANT

pytestmark = pytest.mark.unit

ONLY_ENGLISH = replace(TENANT, languages=("en",))


@pytest.mark.parametrize(
    ("text", "asked", "remembered", "lang"),
    [
        ("Where is my order?", None, None, "en"),
        ("我的订单到哪了？", None, None, "zh"),
        ("1042", "zh", None, "zh"),
        ("1042", "en", "zh", "zh"),
        ("1042", None, None, "en"),
    ],
)
def test_a_reply_has_the_language_of_its_message(
    text: str, asked: Lang | None, remembered: Lang | None, lang: Lang
) -> None:
    assert reply_lang(text, asked, remembered, TENANT) == lang
    assert reply_lang(text, asked, remembered, ONLY_ENGLISH) == "en"


def test_the_folder_says_which_languages_a_company_speaks(tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text(
        'name = {en = "Shop", zh = "小店"}\nlanguages = ["zh"]\ndefault_language = "zh"\n'
        '[contact]\nphone = "110"\n[branding]\ngreeting = {en = "Hi", zh = "好"}\n',
        encoding="utf-8",
    )
    tenant = tenant_of("shop", load_tenant_content(tmp_path))
    assert (tenant.languages, tenant.default_lang, tenant.phone, tenant.email) == (("zh",), "zh", "110", "")
    assert (tenant.name["en"], tenant.branding.greeting["en"]) == ("小店", "好")
    assert reply_lang("Where is my order?", "en", None, tenant) == "zh"
