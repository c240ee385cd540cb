from types import ModuleType

import pytest

from tests.conftest import categories_of

pytestmark = pytest.mark.unit


def module_with(marks: object) -> ModuleType:
    module = ModuleType("sample")
    module.pytestmark = marks  # type: ignore[attr-defined]
    return module


def test_a_single_mark_and_a_list_of_marks_both_count() -> None:
    assert categories_of(module_with(pytest.mark.unit)) == {"unit"}
    assert categories_of(module_with([pytest.mark.server, pytest.mark.timeout(5)])) == {"server"}


def test_a_module_without_a_category_has_none() -> None:
    assert categories_of(ModuleType("sample")) == set()
    assert categories_of(module_with([pytest.mark.timeout(5)])) == set()
