"""Whatever is done to a pack's bytes, it is refused in one line, or it is the pack that it was."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearside.errors import PackError
from nearside.packs import open_pack
from nearside.packs.layout import crc_of, directory, place
from nearside.packs.manifest import MANIFEST
from tests.nearside.packs.packing import made, members

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def whole() -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        made(Path(folder) / "a.pack")
        yield (Path(folder) / "a.pack").read_bytes()


def refusal_of(content: bytes) -> PackError:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.pack"
        file.write_bytes(content)
        with pytest.raises(PackError) as error:
            open_pack(file)
        assert str(error.value).count("\n") == 0
        return error.value


def laid_out(parts: list[tuple[str, bytes]]) -> bytes:
    """A file as whoever knows the format, and means harm, would write it."""
    slots, crcs = place((name, len(part)) for name, part in parts), [crc_of(part) for _, part in parts]
    body = b"".join(slot.header(crc) + part for slot, crc, (_, part) in zip(slots, crcs, parts, strict=True))
    return body + directory(slots, crcs)


def test_no_bit_may_be_another(whole: bytes) -> None:
    """Each byte once: the whole file is looked at."""
    for place_of_byte in range(0, len(whole), 7):
        refusal_of(whole[:place_of_byte] + bytes([whole[place_of_byte] ^ 1]) + whole[place_of_byte + 1 :])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_byte_may_be_another(whole: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    refusal_of(whole[:at] + bytes([other]) + whole[at + 1 :])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_nothing_may_be_cut_off_or_stand_behind(whole: bytes, data: st.DataObject) -> None:
    refusal_of(whole[: data.draw(st.integers(0, len(whole) - 1))])
    refusal_of(whole + data.draw(st.binary(min_size=1, max_size=200)))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_parts_may_change_places_or_be_left_out(whole: bytes, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(whole) - 2))
    middle = data.draw(st.integers(first + 1, len(whole) - 1))
    last = data.draw(st.integers(middle + 1, len(whole)))
    refusal_of(whole[:first] + whole[last:])
    if whole[first:middle] + whole[middle:last] != whole[middle:last] + whole[first:middle]:
        refusal_of(whole[:first] + whole[middle:last] + whole[first:middle] + whole[last:])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_bytes_of_any_kind_are_refused(content: bytes) -> None:
    refusal_of(content)


def manifest_of(whole: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.pack"
        file.write_bytes(whole)
        return open_pack(file).manifest.to_json()


def test_the_right_members_laid_out_by_somebody_else_are_the_same_file(whole: bytes) -> None:
    parts = [(MANIFEST, manifest_of(whole)), *((name, members()[name]) for name in sorted(members()))]
    assert laid_out(parts) == whole


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"size": 8', b'"size": -9', "not right"),
        (b'"size": 8', b'"size": 99999999999', "not right"),
        (b'"size": 8', b'"size": 4000000000', "cut off"),
        (b'"size": 8', b'"size": 8.0', "not right"),
        (b"content/faq.yaml", b"content/../../x", "not right"),
        (b"content/faq.yaml", b"classifier/meta.json", "not right"),
        (b'"tenant": "shop"', b'"tenant": "../shop"', "not right"),
        (b'"version": "2026', b'"version": "/026', "not right"),
        (b'"format": 1', b'"format": "1"', "not right"),
        (b'"format": 1', b'"format": 0', "not right"),
        (b'"facts": {', b'"facts": ' + b"[" * 100_000 + b"{", "cannot be read|not right"),
        (b'"facts": {', rb'"facts": {"a": "\ud800", ', "not right"),
        (b"{", b"", "cannot be read"),
    ],
    ids=range(13),
)
def test_a_manifest_that_means_harm_is_refused(whole: bytes, old: bytes, new: bytes, told: str) -> None:
    manifest = manifest_of(whole)
    assert old in manifest
    parts = [(MANIFEST, manifest.replace(old, new, 1)), *((name, members()[name]) for name in sorted(members()))]
    error = refusal_of(laid_out(parts))
    assert any(part in error.what for part in told.split("|")), error


def test_a_member_that_is_not_what_the_manifest_says_is_refused(whole: bytes) -> None:
    """Although every other byte of the file fits it."""
    parts = [(MANIFEST, manifest_of(whole)), *((name, members()[name]) for name in sorted(members()))]
    forged = [(name, part.replace(b"- id: a", b"- id: b")) for name, part in parts]
    assert refusal_of(laid_out(forged)).what == "the pack is damaged"
    assert refusal_of(laid_out(parts[:-1])).what in ("the pack is damaged", "the pack is cut off")
    assert refusal_of(laid_out([*parts, parts[-1]])).what == "the pack is damaged"
    assert refusal_of(laid_out([parts[0], *reversed(parts[1:])])).what in ("the pack is damaged", "the pack is cut off")
    assert refusal_of(laid_out(parts[1:])).what == "not a pack"
