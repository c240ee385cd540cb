import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT

pytestmark = pytest.mark.unit

FOLDERS = ("nearside", "edge_node", "cloud_core", "demo", "tests", "benchmarks", "packaging")
FILE_LINES = 400
FUNCTION_LINES = 40

# path or path:function => why it may be longer
EXCEPTIONS: dict[str, str] = {
    "edge_node/storage/schema.py:m001_initial": "the first schema is one list of tables, never to be taken apart",
    "nearside/http_server.py:serving": "half of it is uvicorn's settings, one a line",
}


def our_files() -> Iterator[Path]:
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "v1" not in file.parts:  # generated
                yield file


def too_long(name: str, text: str) -> Iterator[str]:
    if text.count("\n") > FILE_LINES:
        yield name
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES:
                yield f"{name}:{node.name}"


@pytest.fixture(scope="module")
def found() -> set[str]:
    return {
        entry
        for file in our_files()
        for entry in too_long(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8"))
    }


def test_files_and_functions_stay_small(found: set[str]) -> None:
    assert found - EXCEPTIONS.keys() == set()


def test_no_exception_outlives_its_reason(found: set[str]) -> None:
    assert EXCEPTIONS.keys() - found == set()


def test_a_long_function_and_a_long_file_are_noticed() -> None:
    body = "\n".join("    pass" for _ in range(FUNCTION_LINES))
    assert list(too_long("a.py", f"def f():\n{body}\n")) == ["a.py:f"]
    assert list(too_long("a.py", "\n" * (FILE_LINES + 1))) == ["a.py"]
    assert list(too_long("a.py", "def f():\n    pass\n")) == []
