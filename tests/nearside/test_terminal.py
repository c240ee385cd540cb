import json
import os
from pathlib import Path

import pytest
import typer

from nearside import terminal
from nearside.errors import NearsideError, SettingsError, ToolError
from nearside.terminal import ConfigFile

pytestmark = pytest.mark.unit


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    app = terminal.make_app("prog", "A program.", "1.2.3")

    @app.command("fail")
    def fail(kind: str) -> None:
        raise {
            "ours": ToolError("it broke", where="x.toml", hint="mend\nit"),
            "file": PermissionError(13, "Permission denied", "/x/y"),
            "exit": typer.Exit(3),
            "abort": typer.Abort(),
        }[kind]

    @app.command("rows")
    def rows(as_json: bool = False, empty: bool = False) -> None:
        found = [] if empty else [{"id": "退货", "n": 2, "hidden": None}]
        terminal.show_rows(found, {"id": "Id", "n": "Count"}, as_json=as_json, empty="nothing")

    with pytest.raises(SystemExit) as ended:
        terminal.run(app, "prog", list(arguments))
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


def test_an_error_of_ours_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(capsys, "fail", "ours") == (1, "", "prog: error: it broke — x.toml — mend it\n")


def test_a_file_that_cannot_be_used_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    line = "prog: error: Permission denied — /x/y — run this as the user who owns it, or as root\n"
    assert outcome(capsys, "fail", "file") == (1, "", line)


def test_wrong_use_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["bogus"], ["fail"], ["rows", "--bogus"]):
        code, out, err = outcome(capsys, *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("prog: error: ") and "--help" in err


def test_without_a_command_the_help_is_shown_as_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome(capsys)
    assert (code, out) == (2, "")
    assert "Usage: prog" in err


def test_help_and_version_are_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(capsys, "--version") == (0, "prog 1.2.3\n", "")
    assert outcome(capsys, "--help")[0] == 0
    assert outcome(capsys, "rows", "-h")[0] == 0


def test_a_command_chooses_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(capsys, "fail", "exit")[0] == 3
    assert outcome(capsys, "fail", "abort") == (1, "", "prog: error: stopped\n")


def test_a_chinese_terminal_is_answered_in_chinese(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert outcome(capsys, "fail", "ours")[2].startswith("prog: 错误: ")


def test_rows_are_a_table_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    _, table, _ = outcome(capsys, "rows")
    assert "Count" in table and "退货" in table and "hidden" not in table
    assert json.loads(outcome(capsys, "rows", "--as-json")[1]) == [{"id": "退货", "n": 2, "hidden": None}]
    assert outcome(capsys, "rows", "--empty")[1] == "nothing\n"
    assert json.loads(outcome(capsys, "rows", "--empty", "--as-json")[1]) == []


def test_what_nobody_foresaw_is_not_hidden() -> None:
    app = terminal.make_app("prog", "A program.", "1.2.3")

    @app.command("bug")
    def bug() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        terminal.run(app, "prog", ["bug"])


def test_a_settings_file_is_the_one_given_then_the_one_here_then_the_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ConfigFile("prog", "no-such.toml", "PROG_CONFIG")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="prog init DIR"):
        file.find(None)
    monkeypatch.setenv("PROG_CONFIG", "/elsewhere/no-such.toml")
    assert file.find(None) == Path("/elsewhere/no-such.toml")
    (tmp_path / "no-such.toml").touch()
    assert file.find(None) == Path("no-such.toml")
    assert file.find(Path("x.toml")) == Path("x.toml")


@pytest.mark.parametrize("given", ["NONE", "DEBUG"])
def test_grpc_is_silent_unless_somebody_wants_to_hear_it(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("GRPC_VERBOSITY", given)
    if given == "NONE":
        monkeypatch.delenv("GRPC_VERBOSITY")
    with pytest.raises(SystemExit):
        terminal.run(terminal.make_app("prog", "A program.", "1.2.3"), "prog", ["--version"])
    assert os.environ["GRPC_VERBOSITY"] == given


def test_an_error_never_spans_lines(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.complain("prog", str(NearsideError("a\nb")))
    assert capsys.readouterr().err == "prog: error: a b\n"
