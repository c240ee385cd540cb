from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import RootModel

from nearside.errors import ContentError
from nearside.operator_files import LocalisedText, OperatorFile, Written

pytestmark = pytest.mark.unit


class Inner(Written):
    title: LocalisedText
    count: int = 0


class Outer(Written):
    items: tuple[Inner, ...]


class Anything(RootModel[object]):
    pass


def written(folder: Path, text: str) -> OperatorFile:
    path = folder / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return OperatorFile(path)


def complaint(folder: Path, text: str) -> ContentError:
    with pytest.raises(ContentError) as caught:
        written(folder, text).check(Outer)
    return caught.value


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_known_one(tmp_path: Path) -> None:
    error = complaint(tmp_path, "items:\n  - title: a\n    coutn: 3\n")
    assert (error.what, error.hint) == ("unknown key coutn", "did you mean count?")
    assert error.where == f"{tmp_path}/file.yaml:3"


def test_a_wrong_value_is_complained_about_at_its_line_without_quoting_it(tmp_path: Path) -> None:
    error = complaint(tmp_path, "items:\n  - title: a\n  - title: b\n    count: secret\n")
    assert error.where.endswith(":4") and "items.1.count" in error.what and "secret" not in str(error)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("items: [\n", 2),
        ("items:\n  - title: a\n    title: b\n", 3),
        ("items: &a\n  - title: x\nmore: *a\n", 3),
        ("items: !!python/object:os.system x\n", 1),
        ("? [a]\n: b\n", 1),
        ("items:\n  - title: {fr: salut}\n", 2),
        ("items:\n  - title: {en: ''}\n", 2),
    ],
)
def test_what_is_not_plain_yaml_is_refused_by_line(tmp_path: Path, text: str, line: int) -> None:
    assert complaint(tmp_path, text).where == f"{tmp_path}/file.yaml:{line}"


def test_words_that_older_yaml_takes_for_booleans_stay_words(tmp_path: Path) -> None:
    assert written(tmp_path, "a: [yes, no, on, Off, true, 12, 007, 1.5, 2026-12-25, ~, 'true']").data == {
        "a": ["yes", "no", "on", "Off", True, 12, "007", 1.5, "2026-12-25", None, "true"]
    }


def test_a_plain_string_serves_every_language(tmp_path: Path) -> None:
    outer = written(tmp_path, "items:\n  - title: a\n  - title: {zh: 乙}\n").check(Outer)
    assert [item.title.in_lang("en") for item in outer.items] == ["a", "乙"]


def test_missing_unreadable_and_huge_files_are_content_errors(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    (tmp_path / "deep.yaml").write_text("[" * 100_000)
    (tmp_path / "huge.yaml").write_bytes(b"a" * (5 * 1024 * 1024))
    for name in ("none.yaml", "latin.yaml", "deep.yaml", "huge.yaml", "."):
        with pytest.raises(ContentError):
            OperatorFile(tmp_path / name)


@given(st.one_of(st.text(max_size=200), st.text(alphabet="{}[]:-&*!|>'\"#a \n1", max_size=80)))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        OperatorFile(path).check(Anything)
    except ContentError as error:
        assert error.where.startswith(f"{path}:")
