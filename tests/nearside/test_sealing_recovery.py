import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearside.errors import NearsideError, StorageError
from nearside.sealing import RecoveryKey, RecoveryPublic, recovery_file
from nearside.sealing.recovery import LETTERS

pytestmark = pytest.mark.unit
KEYS = st.binary(min_size=32, max_size=32).map(RecoveryKey)
KEY = RecoveryKey(bytes(range(32)))


@given(KEYS)
def test_what_is_shown_is_read_again(key: RecoveryKey) -> None:
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){13}[0-9A-HJKMNP-TV-Z]{4}", key.text)
    assert RecoveryKey.parse(key.text) == key


@given(KEYS, st.randoms(use_true_random=False))
def test_reading_takes_what_hands_and_printers_make_of_it(key: RecoveryKey, chance: Random) -> None:
    worn = "".join(
        chance.choice((letter, letter.lower(), {"0": "o", "1": "l", "-": " "}.get(letter, letter)))
        for letter in key.text
    )
    worn = worn.replace("-", chance.choice(("-", "", " - ", "–", "\n", "\u00a0")))
    assert RecoveryKey.parse(f" {worn}\n") == key


@given(KEYS, st.integers(0, 55), st.integers(1, 31))
def test_a_wrong_letter_is_named_with_its_group(key: RecoveryKey, place: int, step: int) -> None:
    letters = key.text.replace("-", "")
    wrong = LETTERS[(LETTERS.index(letters[place]) + step) % 32]
    with pytest.raises(NearsideError, match=rf"a typo: look at group (\d+ or )*{place // 4 + 1} "):
        RecoveryKey.parse(letters[:place] + wrong + letters[place + 1 :])


def test_exchanged_neighbours_are_named() -> None:
    letters = KEY.text.replace("-", "")
    assert letters[9] != letters[10]
    with pytest.raises(NearsideError, match="look at group 3"):
        RecoveryKey.parse(letters[:9] + letters[10] + letters[9] + letters[11:])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "it has 0 characters, not 56"),
        (KEY.text[:-1], "it has 55 characters"),
        (KEY.text + "7", "it has 57 characters"),
        (KEY.text[:10] + "U" + KEY.text[11:], "group 3 has a character that no key has"),
        (KEY.text[:10] + "語" + KEY.text[11:], "group 3 has a character that no key has"),
        (KEY.text[:5] + "Z7" + KEY.text[7:30] + "Z7" + KEY.text[32:], "compare every group"),
    ],
)
def test_other_typos_are_told_apart(text: str, what: str) -> None:
    with pytest.raises(NearsideError, match=what) as refusal:
        RecoveryKey.parse(text)
    assert "\n" not in str(refusal.value)


@given(st.text(max_size=80))
def test_no_text_but_a_key_is_read_and_none_is_quoted(text: str) -> None:
    with pytest.raises(NearsideError) as refusal:
        RecoveryKey.parse(f"{text}=")
    assert "14 groups" in str(refusal.value)


def test_a_key_does_not_show_itself_by_accident() -> None:
    assert KEY.text not in repr(KEY) and KEY.raw.hex() not in repr(KEY) and str(KEY.raw) not in repr(KEY)


def test_the_node_keeps_only_the_public_part(tmp_path: Path) -> None:
    key = RecoveryKey.make()
    key.public.write(recovery_file(tmp_path / "node.key"))
    assert [path.name for path in tmp_path.iterdir()] == ["recovery.pub"]
    assert RecoveryPublic.read(recovery_file(tmp_path / "node.key"), program="edge-node") == key.public
    content = recovery_file(tmp_path / "node.key").read_bytes()
    assert key.raw not in content and key.raw.hex().encode() not in content
    assert key.public.id != RecoveryKey.make().public.id


def test_a_missing_or_damaged_public_part_says_what_makes_one(tmp_path: Path) -> None:
    file = tmp_path / "recovery.pub"
    with pytest.raises(StorageError, match="cloud-core keys recovery"):
        RecoveryPublic.read(file, program="cloud-core")
    for content in (b"", b"nearside-recovery-1 00\n", b"nearside-recovery-2 " + b"0" * 64):
        file.write_bytes(content)
        with pytest.raises(StorageError, match="damaged"):
            RecoveryPublic.read(file, program="edge-node")
