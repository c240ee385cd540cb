"""`cloud-core evaluate …` as people call it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nearside.nearest import Example
from tests.cloud_core.stage import CORE
from tests.cloud_core.tuning import made_up
from tests.servers import ROOT

pytestmark = pytest.mark.server


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CORE, "evaluate", *map(str, arguments)], capture_output=True, text=True, timeout=100)


def fine(*arguments: str | Path) -> str:
    done = call(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def failing(*arguments: str | Path) -> str:
    done = call(*arguments)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("cloud-core: error: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def write(path: Path, examples: list[Example]) -> Path:
    rows = [json.dumps({"text": one.text, "intent": one.label}, ensure_ascii=False) for one in examples]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Two to train, one to ask, which has questions out of scope."""
    folder = tmp_path_factory.mktemp("files")
    seen, asked = made_up.parted(made_up.english(""))
    others = [Example("oos", one.text, "en") for one in made_up.outside()]
    return (
        write(folder / "one.jsonl", seen[::2]),
        write(folder / "two.jsonl", seen[1::2]),
        write(folder / "ask.jsonl", asked + others),
    )


def test_intents_are_trained_from_several_files_and_asked(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    one, two, ask = files
    done = call("intents", "--train", one, "--train", two, "--test", ask, "--json", "--plot", tmp_path / "pictures")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["in_scope_accuracy"] >= 0.85 and found["auroc"] >= 0.9 and found["oos_recall_at_95"] >= 0.5
    assert found["stage_share"]["one"] + found["stage_share"]["two"] == pytest.approx(1)
    assert 0 < found["ms_p50"] <= found["ms_p99"] and found["model_bytes"] > 10_000
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 3


def test_people_get_a_table_that_says_what_each_figure_means(files: tuple[Path, Path, Path]) -> None:
    one, two, ask = files
    table = fine("intents", "--train", one, "--train", two, "--test", ask)
    assert "in_scope_accuracy" in table and "before any is rejected" in table and "stage_share.one" in table


def test_an_faq_is_asked_its_own_wordings_left_out_in_turn() -> None:
    found = json.loads(fine("faq", "--content", ROOT / "demo", "--json"))
    assert found["top_1"] >= 0.9 and found["top_3"] >= found["top_1"] and found["mrr"] >= 0.93
    assert found["ms_p50"] is None and "accuracy" not in found


def test_an_faq_is_asked_other_questions(tmp_path: Path) -> None:
    ask = tmp_path / "ask.jsonl"
    rows = [
        {"text": "what would postage set me back", "id": "shipping-cost"},
        {"text": "what is the capital of France", "id": "oos"},
    ]
    ask.write_text("\n".join(map(json.dumps, rows)))
    found = json.loads(fine("faq", "--content", ROOT / "demo", "--test", ask, "--json"))
    assert found["top_1"] == 1 and found["auroc"] == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "there is nothing in it"),
        ("\n \n", "there is nothing in it"),
        ('{"text": "a", "intent": "hello"}\nhello\n', ":2"),
        ('{"text": "a", "intent": "hello"}\n\n["a", "b"]\n', ":3"),
        ('{"text": "a"}\n', '"intent" is missing'),
        ('{"text": " ", "intent": "hello"}\n', '"text" is missing'),
        ('{"text": 5, "intent": "hello"}\n', '"text" is missing'),
        ('{"text": "a", "intent": "unheard"}\n', "no example has the intent unheard"),
    ],
)
def test_a_wrong_line_is_named_with_its_file(
    files: tuple[Path, Path, Path], tmp_path: Path, content: str, says: str
) -> None:
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text(content)
    line = failing("intents", "--train", files[0], "--test", wrong)
    assert says in line and str(wrong) in line


def test_a_file_that_is_not_there_is_named(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    assert "missing.jsonl" in failing("intents", "--train", tmp_path / "missing.jsonl", "--test", files[2])


def test_a_file_where_the_pictures_should_go_is_refused_before_the_work(
    files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    for command in (("intents", "--train", files[0], "--test", files[2]), ("faq", "--content", ROOT / "demo")):
        assert f"not a folder — {tmp_path / 'file'} — " in failing(*command, "--plot", tmp_path / "file")
        assert "not a folder" in failing(*command, "--plot", tmp_path / "file" / "below")


def test_only_out_of_scope_is_nothing_to_learn_from(tmp_path: Path) -> None:
    rows = write(tmp_path / "oos.jsonl", [Example("oos", "tell me a joke", "en")])
    assert "no examples to learn from" in failing("intents", "--train", rows, "--test", rows)


def test_serving_does_not_load_what_only_training_needs() -> None:
    script = (
        "import sys, cloud_core.cli, cloud_core.app, cloud_core.tuning\n"
        "print([name for name in ('sklearn', 'scipy', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run(
        [ROOT / ".venv/bin/python", "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
