"""Whatever comes in becomes a typed value or a refusal, never an exception of another kind."""

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from edge_node.channels import api, web
from nearside.errors import Refused

pytestmark = pytest.mark.unit

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=12,
)
NEARLY_A_MESSAGE = st.fixed_dictionaries(
    {"conversation": JSON, "customer": JSON, "text": JSON}, optional={"lang": JSON, "attachments": JSON}
)
NEARLY_A_FRAME = st.fixed_dictionaries(
    {"type": st.sampled_from(["hello", "message"]) | JSON, "v": JSON, "id": JSON, "text": JSON},
    optional={"conversation": JSON, "token": JSON, "after": JSON, "lang": JSON},
)


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": raw})


@given(st.binary(max_size=400) | NEARLY_A_MESSAGE.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_a_message_or_a_refusal(body: bytes) -> None:
    try:
        posted = api._parse(body)
    except Refused as refused:
        assert refused.status in (400, 413)
    else:
        assert 1 <= len(posted.text) <= 8_000


@given(st.text(max_size=400) | NEARLY_A_FRAME.map(json.dumps))
def test_any_frame_is_a_message_or_closes_the_socket(text: str) -> None:
    for parse in (partial(web._parse, web.HELLO), partial(web._parse, web.MESSAGE)):
        try:
            parse(text)
        except web.BadFrame as bad:
            assert bad.code == 4400
            assert len(bad.why.encode()) <= 123


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [("wait=10", 10.0), ("respond-async, wait=3", 3.0), ('wait="2"', 2.0), ("Wait=5; x=y", 5.0), ("wait=999", 60.0)],
)
def test_the_wish_to_wait_is_understood(prefer: str, seconds: float) -> None:
    assert api._wait(request(prefer=prefer)) == seconds


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=40))
def test_any_other_preference_is_ignored(prefer: str) -> None:
    wait = api._wait(request(prefer=prefer))
    assert wait is None or 0 <= wait <= 60


def test_the_refusal_of_a_body_does_not_repeat_it() -> None:
    with pytest.raises(Refused) as refused:
        api._parse(b'{"conversation":"a","customer":"b","text":["my secret words"]}')
    assert "secret" not in str(refused.value)
