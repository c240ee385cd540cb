from pathlib import Path

import pytest

from nearside.errors import ContentError
from nearside.rules.patterns import TEXT_LIMIT, compile_pattern
from nearside.tenant_toml import PrivacySettings, load_tenant_settings

pytestmark = pytest.mark.unit

HEAD = 'name = "Shop"\n\n'


def settings_of(folder: Path, written: str) -> PrivacySettings:
    file = folder / "tenant.toml"
    file.write_text(HEAD + written, encoding="utf-8")
    return load_tenant_settings(file).privacy


def test_without_a_word_about_it_everything_personal_is_masked(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "") == PrivacySettings(policy="mask", types={}, patterns={}, let_through=())


def test_a_company_says_what_leaves(tmp_path: Path) -> None:
    written = """[privacy]
policy = "mask"
let_through = ["[0-9]{3}-[0-9]{4}"]

[privacy.types]
IBAN = "block"
MEMBER = "allow"

[privacy.patterns]
MEMBER = "LK-[0-9]{6}"
"""
    settings = settings_of(tmp_path, written)
    assert settings.types == {"IBAN": "block", "MEMBER": "allow"}
    assert (settings.patterns, settings.let_through) == ({"MEMBER": "LK-[0-9]{6}"}, ("[0-9]{3}-[0-9]{4}",))


@pytest.mark.parametrize(
    ("written", "line", "said"),
    [
        ('[privacy]\npolicy = "hide"\n', 4, "policy"),
        ('[privacy.types]\nIBN = "mask"\n', 3, "IBN"),
        ('[privacy.types]\nphone = "mask"\n', 3, "phone is neither a known kind (URL, "),
        ('[privacy.types]\nPHONE_NUMBER = "mask"\n', 3, "ADDRESS, PHONE)"),
        ('[privacy.types]\nIBAN = "hide"\n', 4, "IBAN"),
        ('[privacy.patterns]\nIBAN = "x+"\n', 4, "looked for anyway"),
        ('[privacy.patterns]\nlower = "x+"\n', 4, "lower"),
        ('[privacy.patterns]\nMEMBER = "(a+)+$"\n', 4, "run away"),
        ('[privacy.patterns]\nMEMBER = "[a-z]+[0-9]+"\n', 4, "run away"),
        ('[privacy.patterns]\nMEMBER = "[0-9]*"\n', 4, "an empty text"),
        ('[privacy.patterns]\nMEMBER = "("\n', 4, "not a pattern"),
        ('[privacy]\nlet_through = ["("]\n', 4, "not a pattern"),
        ("[privacy]\nletthrough = []\n", 4, "let_through"),
    ],
)
def test_a_mistake_is_said_with_its_line(tmp_path: Path, written: str, line: int, said: str) -> None:
    with pytest.raises(ContentError) as caught:
        settings_of(tmp_path, written)
    assert caught.value.where.endswith(f"tenant.toml:{line}")
    assert said in str(caught.value)


def test_a_pattern_sees_all_of_a_long_text() -> None:
    pattern = compile_pattern(r"LK-\d{6}")
    for place in (0, TEXT_LIMIT - 4, 2 * TEXT_LIMIT, 7_000):
        text = "x" * place + "LK-123456" + "x" * (7_100 - place)
        assert set(pattern.spans(text)) == {(place, place + 9)}
