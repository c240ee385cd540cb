from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_core.database.sealing import HASH_BYTES, HEAD_BYTES, Seal
from nearside.errors import StorageError

pytestmark = pytest.mark.unit
KEY, OTHER = bytes(32), bytes([1]) * 32
PLACE = ("claims", "answer", "t-1")


@given(st.binary())
def test_what_is_sealed_opens_in_its_place(content: bytes) -> None:
    seal = Seal(KEY, "demo")
    sealed = seal.close(*PLACE, content)
    assert seal.open(*PLACE, sealed) == content
    assert len(sealed) == len(content) + HEAD_BYTES + 16


@pytest.mark.parametrize("place", [("claim", "sanswer", "t-1"), ("claims", "text", "t-1"), ("claims", "answer", "t-2")])
def test_it_opens_in_no_other_place(place: tuple[str, str, str]) -> None:
    seal = Seal(KEY, "demo")
    with pytest.raises(StorageError, match="damaged"):
        seal.open(*place, seal.close(*PLACE, b"text"))


def test_it_opens_under_no_other_key_and_for_no_other_company() -> None:
    sealed = Seal(KEY, "demo").close(*PLACE, b"text")
    with pytest.raises(StorageError, match="another key"):
        Seal(OTHER, "demo").open(*PLACE, sealed)
    with pytest.raises(StorageError, match="damaged"):
        Seal(KEY, "other").open(*PLACE, sealed)


def test_no_byte_of_it_can_be_changed_unseen() -> None:
    seal = Seal(KEY, "demo")
    sealed = seal.close(*PLACE, b"text")
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(StorageError):
            seal.open(*PLACE, changed)
    with pytest.raises(StorageError):
        seal.open(*PLACE, b"")


def test_the_same_content_is_sealed_differently_each_time() -> None:
    seal = Seal(KEY, "demo")
    assert seal.close(*PLACE, b"text") != seal.close(*PLACE, b"text")


def test_a_hash_is_the_same_in_one_column_of_one_company_only() -> None:
    hashes = {
        Seal(key, tenant).hash(table, column, word)
        for key, tenant, table, column, word in product(
            (KEY, OTHER), ("demo", "other"), ("a", "ab"), ("bc", "c"), ("word", "words")
        )
    }
    assert len(hashes) == 32
    assert Seal(KEY, "demo").hash("a", "c", "word") in hashes
    assert {len(digest) for digest in hashes} == {HASH_BYTES}
