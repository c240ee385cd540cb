import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearside.errors import SettingsError
from nearside.relocation import _toml, relocated
from nearside.settings import Section, render_settings

pytestmark = pytest.mark.unit


class Door(Section):
    cert: str = "certs/server.crt"
    port: int = 8443


class Place(Section):
    data: str = "data"
    door: Door = Door()


VALUES = {("data",): "new", ("door", "cert"): "certs/new.crt", ("tenants", "shop", "content"): "content/shop"}
WANTED = {"data": "new", "door": {"cert": "certs/new.crt"}, "tenants": {"shop": {"content": "content/shop"}}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        '# kept\ndata = "old"\n\n[door] # kept\ncert = "old" \n\n[tenants.shop]\ncontent = "old"\n',
        'data = "old" # comment\n# kept\n[ door ]\n[tenants."shop"]\n  content = "old"\n',
        'door.cert = "old"\n# kept\ntenants.shop.content = "old"\n',
        '[tenants]\nshop = {content = "old"}\n[door]\ncert = "old"\n',
        'tenants = {shop = {content = "old"}}\ndata = """\ndata = "x"\n"""\n',
        '[door]\ncert = """\n[tenants.shop]\ncontent = "x"\n"""\n',
        "data = 'old'\n[tenants.shop]\n[door]\n",
    ],
)
def test_whatever_the_form_the_values_are_set_and_nothing_else(text: str) -> None:
    after = relocated(text, VALUES)
    assert tomllib.loads(after) == WANTED
    assert ("# kept" in text) == ("# kept" in after)
    assert relocated(after, VALUES) == after


def test_other_settings_and_their_comments_stay() -> None:
    text = render_settings(Place(), title="Written by init.") + '[tenants.shop]\ncontent = "../shop"\n'
    after = relocated(text.replace("8443", "9443 # of ours"), VALUES, Place())
    assert tomllib.loads(after)["door"]["port"] == 9443 and "# of ours" in after and "# Written by init." in after
    assert len(after.splitlines()) == len(text.splitlines())


def test_a_key_that_is_not_there_and_has_the_right_default_stays_out() -> None:
    text = '[tenants.shop]\ncontent = "content/shop"\n'
    values = {("data",): "data", ("door", "cert"): "certs/server.crt", ("tenants", "shop", "content"): "content/shop"}
    assert relocated(text, values, Place()) == text
    assert tomllib.loads(relocated('data = "/srv"\n' + text, values, Place()))["data"] == "data"


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
VALUE = st.recursive(
    WORDS | st.integers(-(2**60), 2**60) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUE, WORDS)
def test_any_settings_come_through_an_edit(value: object, path: str) -> None:
    text = f"other = {_toml(value)}\n"
    assert tomllib.loads(relocated(text, {("data",): path, ("door", "cert"): path})) == {
        "other": value,
        "data": path,
        "door": {"cert": path},
    }


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(SettingsError, match="not TOML"):
        relocated("data = \n", VALUES)
