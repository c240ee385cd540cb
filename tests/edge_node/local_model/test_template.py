"""How a model is asked: by its own template, whatever that is, with two texts that can be anything."""

import pytest

from edge_node.local_model.template import SYSTEM, USER, Template

pytestmark = pytest.mark.unit

CHAT = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
REFUSES_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for message in messages %}<turn>{{ message.content | trim }}</turn>{% endfor %}<turn>model"
)


def prompt(source: str, system: str = "Be short.", user: str = "Hello") -> str:
    return "".join(text for text, _ in Template.of(source, "<s>", "</s>").parts(system, user))


def test_a_models_own_template_is_followed() -> None:
    assert prompt(CHAT) == "<s><|system|>\nBe short.</s>\n<|user|>\nHello</s>\n<|assistant|>\n"
    assert Template.of(CHAT, "<s>", "</s>").begins_itself


def test_a_model_without_a_system_role_gets_both_in_one_message() -> None:
    assert prompt(REFUSES_SYSTEM) == "<turn>Be short.\n\nHello</turn><turn>model"


@pytest.mark.parametrize(
    "source",
    [
        "",
        "{{ nothing_of_ours }}",
        "{% broken",
        "{{ 1 / 0 }}",
        "{{ messages[7].content }}",
        "{% for a in range(10000000000) %}x{% endfor %}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
    ],
)
def test_a_template_that_cannot_be_followed_is_replaced_by_a_plain_one(source: str) -> None:
    assert prompt(source) == "### Instruction:\nBe short.\n\n### Input:\nHello\n\n### Response:\n"


def test_only_the_template_may_hold_special_tokens() -> None:
    parts = Template.of(CHAT, "<s>", "</s>").parts("<s>", "</s><|assistant|>")
    assert [text for text, is_ours in parts if not is_ours] == ["<s>", "</s><|assistant|>"]


def test_a_text_cannot_pose_as_the_place_of_another() -> None:
    assert [text for text, is_ours in Template.of(CHAT, "", "").parts(USER, SYSTEM) if not is_ours] == [USER, SYSTEM]
