"""`edge-node model …` as an operator calls it."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_node.local_model import installing
from edge_node.local_model.child import BAD_FILE
from edge_node.local_model.files import Models
from edge_node.local_model.process import command
from nearside.errors import ModelError
from tests import tiny_gguf
from tests.edge_node.cli.commands import cli, failing, fine, make_edge

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write(tmp_path_factory.mktemp("models") / "tiny.gguf", "You may return it.")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    fine("init", tmp_path / "edge")
    return tmp_path / "edge" / "edge.toml"


def refusal(config: Path, file: Path, *options: str) -> str:
    """The last line of standard error: before it stand the steps."""
    done = cli("model", "add", file, *options, "-c", config)
    assert done.returncode == 1 and done.stdout == ""
    line = done.stderr.splitlines()[-1]
    assert line.startswith("edge-node: error: ") and "Traceback" not in done.stderr
    assert not list((config.parent / "data" / "models").glob("*"))
    return line


def listed(config: Path) -> dict[str, bool]:
    return {row["name"]: row["active"] for row in json.loads(fine("model", "list", "--json", "-c", config))}


def test_a_model_is_added_listed_and_removed(config: Path, tiny: Path) -> None:
    done = cli("model", "add", tiny, "-c", config)
    assert done.returncode == 0
    digest = hashlib.sha256(tiny.read_bytes()).hexdigest()
    for said in (digest, "architecture llama", "licence apache-2.0", "context 4096", f"{tiny.stat().st_size:,} bytes"):
        assert said in done.stdout
    assert "copying 100 %" in done.stderr
    file = config.parent / "data" / "models" / "tiny.gguf"
    assert file.read_bytes() == tiny.read_bytes() and file.stat().st_mode & 0o777 == 0o600
    assert "tiny" in fine("model", "list", "-c", config)
    assert fine("model", "remove", "tiny", "-c", config) == "removed tiny\n"
    assert not list(file.parent.iterdir())
    assert "model add FILE" in fine("model", "list", "-c", config)


def test_the_last_one_added_is_active_unless_edge_toml_names_another(config: Path, tiny: Path) -> None:
    for name in ("one", "two"):
        assert cli("model", "add", tiny, "--name", name, "-c", config).returncode == 0
    assert listed(config) == {"two": True, "one": False}
    assert cli("model", "add", tiny, "--name", "one", "-c", config).returncode == 0
    assert listed(config) == {"one": True, "two": False}
    config.write_text(config.read_text().replace('file = ""', 'file = "two"'))
    assert listed(config) == {"one": False, "two": True}
    assert "edge.toml names two" in cli("model", "add", tiny, "--name", "three", "-c", config).stdout
    config.write_text(config.read_text().replace('file = "two"', 'file = "gone"'))
    with pytest.raises(ModelError, match=r"no model 'gone' is installed — local_model.file"):
        Models(config.parent / "data", "gone").active()


def test_a_bad_file_is_refused_in_one_line_and_nothing_is_left_of_it(config: Path, tiny: Path, tmp_path: Path) -> None:
    raw = tiny.read_bytes()
    bad = tmp_path / "bad.gguf"
    for content, words in (
        (raw[:-5000], "cut off"),
        (b"", "not a GGUF file"),
        (os.urandom(50_000), "not a GGUF file"),
        (b"GGUF" + b"\xff" * 50_000, "version"),
        (raw.replace(b"llama", b"xlama"), "unknown model architecture"),
        (raw.replace(b"token_embd", b"taken_embd"), "llama.cpp does not load it"),
    ):
        bad.write_bytes(content)
        assert words in refusal(config, bad)
    assert "no such file" in refusal(config, tmp_path / "absent.gguf")
    assert "a folder" in refusal(config, tmp_path)
    assert "--name" in refusal(config, tiny, "--name", "../up")
    assert "no model '../edge'" in failing("model", "remove", "../edge", "-c", config)


def test_a_model_too_large_for_memory_or_disk_is_not_copied(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    models = Models(tmp_path)
    monkeypatch.setattr(installing, "available_memory", lambda: 100 << 20)
    with pytest.raises(ModelError, match="100 MiB of memory are free, the model needs 301 MiB"):
        installing.add(models, tiny, None, 1, lambda what, done, of: None)
    monkeypatch.setattr(installing, "SPARE_BYTES", 1 << 60)
    with pytest.raises(ModelError, match="make room"):
        installing.add(models, tiny, None, 1, lambda what, done, of: None)
    assert not list(models.folder.iterdir())


def test_what_a_killed_command_left_behind_goes_with_the_next(tiny: Path, tmp_path: Path) -> None:
    models = Models(tmp_path)
    models.folder.mkdir()
    for name, age_s in ((".old.part", 2 * installing.FORGOTTEN_S), (".new.part", 0)):
        part = models.folder / name
        part.touch()
        os.utime(part, (part.stat().st_atime - age_s, part.stat().st_mtime - age_s))
    installing.add(models, tiny, None, 1, lambda what, done, of: None)
    assert {path.name for path in models.folder.iterdir()} == {".new.part", "tiny.gguf", "tiny.json"}


def test_without_the_library_the_command_says_what_to_install(config: Path, tiny: Path) -> None:
    hidden = (
        "import importlib.util as u, sys\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'llama_cpp' else find(name, package)\n"
        "from edge_node.cli import main\n"
        f"sys.argv = ['edge-node', 'model', 'add', {str(tiny)!r}, '-c', {str(config)!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "edge-node: error: llama.cpp is not installed here — pip install 'nearside[llama]'\n"


def test_files_of_somebody_else_in_the_folder_are_passed_over(tmp_path: Path, tiny: Path) -> None:
    models = Models(tmp_path)
    installing.add(models, tiny, None, 1, lambda what, done, of: None)
    for name, text in (("a.json", "{}"), ("b.json", "no JSON"), ("c.json", '{"name": "../../x"}'), ("d.gguf", "GGUF")):
        (models.folder / name).write_text(text)
    (models.folder / "e.json").write_text((models.folder / "tiny.json").read_text())
    assert [about.name for about in models.all()] == ["tiny"]


def test_check_warns_where_a_company_wants_a_model_and_there_is_none(tmp_path: Path, tiny: Path) -> None:
    config = make_edge(tmp_path)
    tenant = tmp_path / "shop" / "tenant.toml"
    assert "local_model" not in cli("check", "-c", config).stdout
    tenant.write_text(tenant.read_text() + '[local_model]\nuse = "before"\n')
    assert "shop: its [local_model] cannot answer: no model is installed" in cli("check", "-c", config).stdout
    assert cli("model", "add", tiny, "-c", config).returncode == 0
    assert "local_model" not in cli("check", "-c", config).stdout


def test_nothing_of_the_folder_it_is_called_in_becomes_a_part_of_the_models_process(tmp_path: Path) -> None:
    for name in ("json", "edge_node"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(77)")
    words = command(tmp_path / "none.gguf", 1)
    with subprocess.Popen(words, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert "failed" in json.loads(process.stdout.readline())
        assert process.wait(30) == BAD_FILE
