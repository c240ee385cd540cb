import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nearside.errors import ContentError
from nearside.templates import LocalisedTemplate, Text

pytestmark = pytest.mark.unit


def test_a_template_renders_in_the_language_asked_for() -> None:
    template = LocalisedTemplate.model_validate({"en": "Order {{ slots.n }}", "zh": "订单 {{ slots.n }}"})
    assert template.render("zh", {"slots": {"n": "1042"}}) == "订单 1042"
    assert template.slots == {"n"}


def test_a_date_is_said_as_people_say_it() -> None:
    template = LocalisedTemplate.model_validate("{{ result.eta | day(lang) }}")
    assert template.render("en", {"result": {"eta": "2026-11-26"}}) == "Thursday, 26 November"
    assert template.render("zh", {"result": {"eta": "2026-11-26T10:00:00Z"}}) == "11月26日（周四）"
    assert template.render("en", {"result": {"eta": "soon"}}) == "soon"


@pytest.mark.parametrize(
    "source",
    [
        "{{ x",
        "{{ nothing }}",
        "{% include 'x' %}",
        "{% for %}",
        "",
        "x" * 5000,
        "{{ slot.n }}",
        "{{ cycler }}",
        "{{ range(9) }}",
    ],
)
def test_what_cannot_work_is_refused_when_loaded(source: str) -> None:
    with pytest.raises(ValidationError):
        LocalisedTemplate.model_validate(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ slots.missing }}",
        "{{ slots.__class__.__mro__ }}",
        "{{ result.append(1) }}",
        "{{ 1 / 0 }}",
        "{{ slots['n'].nothing }}",
        "{{ lang.__init__.__globals__ }}",
    ],
)
def test_what_fails_or_reaches_out_when_rendered_is_a_content_error_without_the_slot(source: str) -> None:
    with pytest.raises(ContentError) as caught:
        Text(source).render({"slots": {"n": "secret"}, "result": [], "lang": "en"})
    assert "secret" not in str(caught.value)


@given(st.text(alphabet="{}%|slots.result()[]'\" =for in1a", max_size=60))
def test_any_source_is_compiled_or_refused(source: str) -> None:
    try:
        template = LocalisedTemplate.model_validate(source)
    except ValidationError:
        return
    try:
        template.render("en", {"slots": {}, "result": {}, "hours": {}, "tenant": {}, "ticket": ""})
    except ContentError:
        pass
