import json
from pathlib import Path

import pytest

from tests.data_sets import annotated_texts
from tests.edge_node.cli.commands import cli, failing, fine

pytestmark = pytest.mark.server

PHONE = "call +49 151 12345678"
LINES = (
    {"text": PHONE, "spans": [{"start": 5, "end": 21, "type": "PHONE_NUMBER"}]},
    {"text": "I am Ana", "spans": [{"start": 5, "end": 8, "type": "PERSON"}]},
    {"text": "Where is my order 1042?"},
    {"text": "member LK-123456", "spans": []},
)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    return file


def test_each_type_has_its_recall_and_clean_texts_their_share_of_errors(texts: Path) -> None:
    figures = json.loads(fine("evaluate", "privacy", "--texts", texts, "--json"))
    assert figures["types"] == {"PERSON": {"recall": 0.0, "count": 1}, "PHONE_NUMBER": {"recall": 1.0, "count": 1}}
    assert figures["false_positive_rate"] == 0.0
    assert figures["us_per_text"] > 0


def test_a_table_says_which_types_are_not_looked_for(texts: Path) -> None:
    table = fine("evaluate", "privacy", "--texts", texts)
    (person,) = [line for line in table.splitlines() if "PERSON" in line]
    (phone,) = [line for line in table.splitlines() if "PHONE_NUMBER" in line]
    assert "not looked for" in person and "not looked for" not in phone
    assert "0.00% of the clean texts" in table


def test_a_companys_own_patterns_count(texts: Path, tmp_path: Path) -> None:
    written = 'name = "Shop"\n[privacy.types]\nPHONE = "allow"\n[privacy.patterns]\nMEMBER = "LK-[0-9]{6}"\n'
    (tmp_path / "tenant.toml").write_text(written, encoding="utf-8")
    figures = json.loads(fine("evaluate", "privacy", "--texts", texts, "--content", tmp_path, "--json"))
    assert figures["types"]["PHONE_NUMBER"]["recall"] == 0.0
    assert figures["false_positive_rate"] == 0.5


def test_without_a_clean_text_there_is_no_rate(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text(json.dumps(LINES[0]), encoding="utf-8")
    assert json.loads(fine("evaluate", "privacy", "--texts", file, "--json"))["false_positive_rate"] is None
    assert "no clean text" in fine("evaluate", "privacy", "--texts", file)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ('{"text": 1}', "text is wrong"),
        ('{"spans": []}', "text is wrong"),
        ("[]", "the line is wrong"),
        ('{"text": "a", "spans": [{"start": 0, "end": 2, "type": "X"}]}', "does not lie in its text"),
        ('{"text": "a", "spans": [{"start": 0, "type": "X"}]}', "spans.0.end is wrong"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text(f'{{"text": "fine"}}\n{line}\n', encoding="utf-8")
    complaint = failing("evaluate", "privacy", "--texts", file)
    assert said in complaint and f"{file}:2" in complaint


def test_a_file_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    failing("evaluate", "privacy", "--texts", tmp_path / "none.jsonl", code=2)
    assert cli("evaluate").returncode == 2


def test_the_annotated_data_goes_through_it(tmp_path: Path) -> None:
    file = tmp_path / "pii.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in annotated_texts()), encoding="utf-8")
    figures = json.loads(fine("evaluate", "privacy", "--texts", file, "--json"))
    assert figures["types"]["CREDIT_CARD"]["recall"] >= 0.99
    assert figures["types"]["PERSON"]["recall"] == 0.0
