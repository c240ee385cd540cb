"""Stage two goes on from what stage one found, and says the same where it has to begin anew."""

from collections.abc import Sequence

import pytest

from cloud_core.tuning import Trained, train
from nearside.cascade import Cascade
from nearside.encoder import TextEncoder
from nearside.errors import ModelError
from nearside.nearest import Match
from tests.cloud_core.tuning import made_up

pytestmark = pytest.mark.unit
UNSURE = ["could it be made lighter", "a blue one then", "我想要轻一点的", "lighter", "is that so"]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture(scope="module")
def trained(encoder: TextEncoder) -> Trained:
    return train(made_up.english() + made_up.chinese(), encoder)


@pytest.fixture(scope="module")
def cascade(trained: Trained, encoder: TextEncoder) -> Cascade:
    return Cascade.load(trained.arrays, trained.meta, encoder)


def looked_up(cascade: Cascade, encoder: TextEncoder, text: str) -> Sequence[Match]:
    return cascade.look_up(text, encoder.encode(cascade.reading(text)), 4)


def test_it_is_the_same_after_stage_one_and_without_it(cascade: Cascade, encoder: TextEncoder) -> None:
    alone = [looked_up(cascade, encoder, text) for text in UNSURE]
    after = []
    for text in UNSURE:
        assert cascade.at_once(text) is None
        after.append(looked_up(cascade, encoder, text))
    assert after == alone


def test_what_waited_between_the_stages_is_its_own_however_many_there_are(
    cascade: Cascade, encoder: TextEncoder
) -> None:
    alone = [looked_up(cascade, encoder, text) for text in UNSURE]
    for number in range(300):
        cascade.at_once(f"{UNSURE[number % len(UNSURE)]} {'x' * number}")
    for text in reversed(UNSURE):
        cascade.at_once(text)
    assert [looked_up(cascade, encoder, text) for text in UNSURE] == alone


@pytest.mark.parametrize("name", ["gram_ends", "example_term_ends", "gram_values"])
def test_examples_that_lack_their_wording_are_refused_when_they_are_loaded(
    trained: Trained, encoder: TextEncoder, name: str
) -> None:
    with pytest.raises(ModelError, match="damaged"):
        Cascade.load({**trained.arrays, name: trained.arrays[name][:-1]}, trained.meta, encoder)
