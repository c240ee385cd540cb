import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearside.glossary import render

pytestmark = pytest.mark.unit


def test_the_longest_word_wins() -> None:
    assert render("退货政策").text == "return policy"
    assert render("退货").text == "return"


def test_other_scripts_pass_through() -> None:
    assert render("iPhone15 多少钱").text == "iphone15 how much does it cost"


def test_unknown_characters_are_counted_and_kept_in_the_mixed_form() -> None:
    rendering = render("退货霾霾吗")
    assert (rendering.text, rendering.mixed, rendering.unknown) == ("return", "return 霾霾", 2)


def test_particles_vanish_without_counting_as_unknown() -> None:
    assert render("的了吗") == render("")


@given(st.text(st.characters(exclude_categories=[]), max_size=100))
def test_every_text_can_be_rendered(text: str) -> None:
    assert 0 <= render(text).unknown <= 4 * len(text)
