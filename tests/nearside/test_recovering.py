import io
import re
from pathlib import Path

import pytest
import typer

from nearside import first_steps, recovering
from nearside.errors import NearsideError
from nearside.findings import of_recovery_key
from nearside.sealing import RecoveryKey, RecoveryPublic

pytestmark = pytest.mark.unit


def key_in(text: str) -> RecoveryKey:
    found = re.search(r"([0-9A-Z]{4}-){13}[0-9A-Z]{4}", text)
    assert found
    return RecoveryKey.parse(found[0])


def public_of(folder: Path) -> RecoveryPublic:
    return RecoveryPublic.read(folder / "recovery.pub", program="edge-node")


def test_the_first_steps_show_a_recovery_key_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first_steps.make_place(tmp_path / "node.key", tmp_path / "data")
    shown = capsys.readouterr().out
    assert key_in(shown).public == public_of(tmp_path) and public_of(tmp_path).id in shown
    first_steps.make_place(tmp_path / "node.key", tmp_path / "data")
    assert capsys.readouterr().out == ""
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or key_in(shown).raw not in bytes.fromhex(path.read_text().split()[-1])


def test_a_place_from_before_gets_its_recovery_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [warning] = of_recovery_key(tmp_path / "node.key", "edge-node")
    assert warning.severity == "warning" and "edge-node keys recovery" in warning.text
    recovering.renew(tmp_path / "node.key", "edge-node", replace=False)
    assert key_in(capsys.readouterr().out).public == public_of(tmp_path)
    assert not list(of_recovery_key(tmp_path / "node.key", "edge-node"))


def test_a_recovery_key_is_replaced_only_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recovering.renew(tmp_path / "node.key", "edge-node", replace=False)
    first = public_of(tmp_path)
    with pytest.raises(NearsideError, match=f"{first.id} was made and shown already"):
        recovering.renew(tmp_path / "node.key", "edge-node", replace=False)
    assert public_of(tmp_path) == first
    capsys.readouterr()
    recovering.renew(tmp_path / "node.key", "edge-node", replace=True)
    assert key_in(capsys.readouterr().out).public == public_of(tmp_path) != first


def test_a_key_that_could_not_be_kept_is_said_to_count_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "recovery.pub").mkdir()
    with pytest.raises(NearsideError, match="counts for nothing"):
        recovering.renew(tmp_path / "node.key", "edge-node", replace=True)


def test_a_key_that_could_not_be_shown_seals_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(typer, "echo", closed)
    with pytest.raises(BrokenPipeError):
        recovering.renew(tmp_path / "node.key", "edge-node", replace=False)
    assert not list(tmp_path.iterdir())


def test_what_was_written_down_can_be_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recovering.renew(tmp_path / "node.key", "edge-node", replace=False)
    (tmp_path / "paper").write_text(key_in(capsys.readouterr().out).text)
    recovering.verify(tmp_path / "node.key", "edge-node", tmp_path / "paper")
    assert "opens the backups" in capsys.readouterr().out
    (tmp_path / "paper").write_text(RecoveryKey.make().text)
    with pytest.raises(NearsideError, match="backups are made for"):
        recovering.verify(tmp_path / "node.key", "edge-node", tmp_path / "paper")


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "no recovery key came"), (b"\xff\xfe", "not UTF-8"), (b"abc", "a typo"), (None, "No such file")],
)
def test_a_file_without_the_key_says_why(tmp_path: Path, content: bytes | None, what: str) -> None:
    if content is not None:
        (tmp_path / "paper").write_bytes(content)
    with pytest.raises(NearsideError, match=what):
        recovering.read_key(tmp_path / "paper")


@pytest.mark.parametrize("file", [None, Path("-")])
def test_standard_input_brings_the_key(file: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    key = RecoveryKey.make()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key.text}\n"))
    assert recovering.read_key(file) == key


def test_after_three_typos_at_a_terminal_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def mistype(prompt: str) -> str:
        asked.append(prompt)
        return "typo"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", mistype)
    with pytest.raises(NearsideError, match="typo"):
        recovering.read_key(None)
    assert len(asked) == recovering.TRIES
