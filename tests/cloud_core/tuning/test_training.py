import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_core.tuning import Trained, train
from nearside.cascade import Cascade
from nearside.encoder import TextEncoder
from nearside.errors import ContentError, ModelError
from nearside.nearest import Example, Match
from tests import data_sets
from tests.cloud_core.tuning import made_up

pytestmark = pytest.mark.unit
any_text = st.text(st.characters(exclude_categories=[]), max_size=200)
Asked = Callable[[str], list[Match]]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture(scope="module")
def trained(encoder: TextEncoder) -> Trained:
    return train(made_up.english() + made_up.chinese(), encoder)


@pytest.fixture(scope="module")
def cascade(trained: Trained, encoder: TextEncoder) -> Cascade:
    return Cascade.load(trained.arrays, trained.meta, encoder)


def ask(cascade: Cascade, encoder: TextEncoder, text: str, limit: int = 3) -> list[Match]:
    return cascade.at_once(text) or cascade.look_up(text, encoder.encode(cascade.reading(text)), limit)


def share_right(examples: Sequence[Example], asked: Sequence[Example], encoder: TextEncoder) -> float:
    trained = train(examples, encoder)
    cascade = Cascade.load(trained.arrays, trained.meta, encoder)
    return float(np.mean([ask(cascade, encoder, one.text)[0].label == one.label for one in asked]))


def test_other_wordings_find_their_intent(encoder: TextEncoder) -> None:
    assert share_right(*made_up.parted(made_up.english()), encoder) >= 0.9


def test_chinese_wordings_find_their_intent_beside_english_ones(encoder: TextEncoder) -> None:
    seen, asked = made_up.parted(made_up.chinese())
    assert share_right(seen + made_up.english(), asked, encoder) >= 0.9


def test_n_grams_carry_chinese_that_the_encoder_cannot_read(encoder: TextEncoder) -> None:
    strange = {"a": ("魑魅魍魉", "蹀躞"), "b": ("饕餮耄耋", "龃龉"), "c": ("鳏寡茕独", "觊觎")}
    seen = [
        Example(f"intent:{name}", f"{one}{end}", "zh")
        for name, both in strange.items()
        for one in both
        for end in "甲乙丙丁"
    ]
    asked = [Example(f"intent:{name}", f"戊{one}", "zh") for name, both in strange.items() for one in both]
    assert all(encoder.encode(one.text).unknown_share > 0.5 for one in asked)
    assert share_right(seen, asked, encoder) == 1


def test_an_example_itself_is_certain_whatever_its_case_and_courtesy(cascade: Cascade, encoder: TextEncoder) -> None:
    for text in ("track my parcel", "Track my PARCEL!", "请开电子发票", "Hello, track my parcel please, thanks"):
        assert cascade.look_up(text, encoder.encode(cascade.reading(text)))[0].confidence == 0.99


def test_questions_of_other_trades_get_no_answer(cascade: Cascade, encoder: TextEncoder) -> None:
    for text in (
        "can dogs eat chocolate",
        "book me a flight to rome",
        "who invented the telephone",
        "法国的首都是哪里",
        "🎉",
    ):
        assert all(match.confidence < cascade.threshold for match in ask(cascade, encoder, text)), text


def test_what_is_out_of_scope_is_never_a_match_and_is_rejected(encoder: TextEncoder) -> None:
    seen, asked = made_up.parted(made_up.outside())
    trained = train(made_up.english() + seen, encoder)
    cascade = Cascade.load(trained.arrays, trained.meta, encoder)
    assert trained.meta["outside"] == ["intent:oos"]
    for one in [*seen, *asked]:
        matches = ask(cascade, encoder, one.text, limit=50)
        assert all(match.label != "intent:oos" for match in matches)
        assert all(match.confidence < cascade.threshold for match in matches), one.text


def test_training_again_gives_the_same(trained: Trained, encoder: TextEncoder) -> None:
    again = train(list(reversed(made_up.english() + made_up.chinese())), encoder)
    assert json.dumps(again.meta, sort_keys=True) == json.dumps(trained.meta, sort_keys=True)
    assert set(again.arrays) == set(trained.arrays)


def test_the_same_examples_in_the_same_order_give_the_same_bytes(encoder: TextEncoder) -> None:
    one, other = (train(made_up.english(), encoder) for _ in range(2))
    assert all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
    assert one.meta == other.meta


def test_what_was_stored_answers_as_before(trained: Trained, cascade: Cascade, encoder: TextEncoder) -> None:
    meta = json.loads(json.dumps(trained.meta))
    arrays = {
        name: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape) for name, array in trained.arrays.items()
    }
    loaded = Cascade.load(arrays, meta, encoder)
    for text in ("fix the zip on my coat", "我的快递在哪", "nonsense", "hi", "cancel"):
        assert loaded.at_once(text) == cascade.at_once(text)
        encoding = encoder.encode(cascade.reading(text))
        assert loaded.look_up(text, encoding) == cascade.look_up(text, encoding)


@pytest.mark.parametrize("damage", ["format", "encoder", "missing", "shape", "texts", "labels"])
def test_what_is_not_sound_is_refused_in_one_line(trained: Trained, encoder: TextEncoder, damage: str) -> None:
    arrays, meta = dict(trained.arrays), dict(trained.meta)
    match damage:
        case "format":
            meta["format"] = 0
        case "encoder":
            meta["encoder"] = "another"
        case "missing":
            del arrays["points"]
        case "shape":
            arrays["coefficients"] = arrays["coefficients"][:-1]
        case "texts":
            arrays["texts"] = arrays["texts"][:-1]
        case "labels":
            meta["labels"] = meta["labels"][:-1]
    with pytest.raises(ModelError) as raised:
        Cascade.load(arrays, meta, encoder)
    assert "\n" not in str(raised.value) and "build the pack again" in str(raised.value)


@settings(max_examples=60, deadline=None)
@given(any_text)
def test_no_text_breaks_it(cascade: Cascade, encoder: TextEncoder, text: str) -> None:
    matches = ask(cascade, encoder, text)
    assert all(0 <= match.confidence <= 1 for match in matches)
    assert matches == ask(cascade, encoder, text)
    assert [match.confidence for match in matches] == sorted((match.confidence for match in matches), reverse=True)


def test_no_naughty_string_breaks_it(cascade: Cascade, encoder: TextEncoder) -> None:
    for text in [*data_sets.read_json("naughty_strings/blns.json"), "x" * 8_000, "退" * 8_000, "\ud800", "\u202eabc"]:
        assert all(0 <= match.confidence <= 1 for match in ask(cascade, encoder, text))


def test_a_text_without_words_finds_nothing(cascade: Cascade, encoder: TextEncoder) -> None:
    assert ask(cascade, encoder, " ?! ") == []


def test_matches_are_one_for_each_label_with_the_nearest_example(cascade: Cascade, encoder: TextEncoder) -> None:
    matches = cascade.look_up("find my package", encoder.encode("find my package"), 5)
    assert len({match.label for match in matches}) == 5
    assert matches[0].label == "intent:track" and "package" in matches[0].text


@pytest.mark.parametrize("count", [1, 2])
def test_a_company_with_one_or_two_examples_is_served(encoder: TextEncoder, count: int) -> None:
    examples = [Example("faq:hours", "when do you open", "en"), Example("faq:repair", "do you repair tents", "en")]
    trained = train(examples[:count], encoder)
    cascade = Cascade.load(trained.arrays, trained.meta, encoder)
    assert ask(cascade, encoder, "When do you open?")[0].label == "faq:hours"
    assert all(match.confidence < cascade.threshold for match in ask(cascade, encoder, "what is the capital of france"))


@pytest.mark.parametrize("examples", [[], [Example("oos", "tell me a joke", "en")], [Example("intent:a", " ", "en")]])
def test_without_anything_to_answer_there_is_nothing_to_train(encoder: TextEncoder, examples: list[Example]) -> None:
    with pytest.raises(ContentError, match="no examples to learn from"):
        train(examples, encoder)


def test_progress_is_told_to_its_end(encoder: TextEncoder) -> None:
    told: list[tuple[str, int, int]] = []
    train(made_up.english(), encoder, progress=lambda what, done, total: told.append((what, done, total)))
    assert [what for what, done, total in told if done == total] == ["reading the examples", "learning"]
