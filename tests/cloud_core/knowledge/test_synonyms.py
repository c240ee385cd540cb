import pytest

from cloud_core.knowledge.synonyms import read
from nearside.errors import ContentError

pytestmark = pytest.mark.unit


def test_words_of_a_line_mean_the_same() -> None:
    synonyms = read("# ours\nrucksack, backpack, pack\n\n背囊，背包  # and so on\n")
    assert synonyms.variants_of("rucksack") == ("backpack", "pack")
    assert synonyms.variants_of("背囊") == ("背包",)
    assert synonyms.variants_of("elsewhere") == ()


def test_words_are_compared_as_search_compares_them() -> None:
    assert "cap" in read("Hats, Caps").variants_of("hat")


def test_a_tenants_words_come_before_the_everyday_ones() -> None:
    variants = read("warranty, assurance").variants_of("warrant")
    assert variants[0] == "assuranc" and "guarante" in variants


def test_phrases_are_found_in_a_text() -> None:
    synonyms = read("bonus card, Skylark Club")
    assert list(synonyms.phrases_in("Where is my bonus card?")) == ["skylark club"]
    assert list(synonyms.phrases_in("Is the card a bonus?")) == []


@pytest.mark.parametrize(("text", "line"), [("alone", 1), ("a1, b1\n\nrope,", 3), ("x1, ,, ?", 1)])
def test_a_group_of_one_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ContentError, match=f"synonyms.txt:{line} "):
        read(text, "synonyms.txt")
