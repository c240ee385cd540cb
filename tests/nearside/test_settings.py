from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from nearside.errors import SettingsError
from nearside.settings import LocatedPath, Section, load_settings, render_settings

pytestmark = pytest.mark.unit


class Door(Section):
    host: str = Field("127.0.0.1", description="Where to listen.")
    port: int = Field(8443, ge=1)
    cert: LocatedPath = Path("x.crt")
    names: tuple[str, ...] = ()


class Program(Section):
    name: str = Field("edge", description="Two\nlines.")
    data: LocatedPath = Path("data")
    ratio: float = 0.5
    loud: bool = False
    secret: str | None = None
    options: Mapping[str, Any] = Field(default_factory=dict)
    door: Door = Field(Door(), description="The door.")
    doors: Mapping[str, Door] = Field(default_factory=dict)


def load(folder: Path, text: str, **environ: str) -> Program:
    path = folder / "p.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(Program, path, "PROG", environ)


def complaint(folder: Path, text: str, **environ: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load(folder, text, **environ)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_what_is_written_by_init_reads_back_as_the_defaults(tmp_path: Path) -> None:
    text = render_settings(Program(), title="A title.")
    assert text.startswith("# A title.\n")
    for comment in ("# Two\n# lines.\nname =", "# The door.\n[door]\n# Where to listen.\nhost ="):
        assert comment in text
    assert load(tmp_path, text) == load(tmp_path, "")


@given(st.text(), st.text(), st.dictionaries(st.text(min_size=1), st.integers() | st.text() | st.booleans()))
def test_any_value_survives_rendering(
    tmp_path_factory: pytest.TempPathFactory, name: str, secret: str, options: dict[str, Any]
) -> None:
    name, secret = (text.encode("utf-8", "replace").decode() for text in (name, secret))
    program = Program(name=name, secret=secret, door=Door(names=(name, secret)), options=options)
    again = load(tmp_path_factory.mktemp("s"), render_settings(program, title=""))
    assert (again.name, again.secret, again.door.names) == (name, secret, (name, secret))
    assert again.options == program.options


def test_a_relative_path_starts_at_the_file_and_an_absolute_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert load(tmp_path, "").data == tmp_path / "data"
    assert load(tmp_path, 'data = "../x"').data == tmp_path / "../x"
    assert load(tmp_path, 'data = "/var/x"').data == Path("/var/x")
    for text in ("", "[door]\nport = 1", "[door]\ncert = 'x.crt'"):
        assert load(tmp_path, text).door.cert == tmp_path / "x.crt"


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    program = load(
        tmp_path,
        "name = 'a'\n[door]\nport = 1",
        PROG__DOOR__PORT="2",
        PROG__NAME="b",
        PROG__LOUD="true",
        PROG__DOOR__NAMES='["x", "y"]',
        PROG__DATA="elsewhere",
        OTHER__NAME="c",
    )
    assert (program.door.port, program.name, program.loud, program.door.names) == (2, "b", True, ("x", "y"))
    assert program.data == tmp_path / "elsewhere"


def test_an_unknown_key_names_the_nearest_known_one(tmp_path: Path) -> None:
    assert "unknown key door.prot" in (text := complaint(tmp_path, "[door]\nprot = 1"))
    assert "did you mean door.port?" in text and "p.toml" in text
    assert "did you mean doors.a.port?" in complaint(tmp_path, "[doors.a]\nprot = 1")
    assert "remove it" in complaint(tmp_path, "zzzzzz = 1")


def test_a_wrong_value_names_its_key_and_whether_it_stands_in_the_file_or_the_environment(tmp_path: Path) -> None:
    text = complaint(tmp_path, "[door]\nport = 'x'")
    assert "door.port" in text and "p.toml" in text and "'x'" not in text
    text = complaint(tmp_path, "", PROG__DOOR__PORT="0")
    assert "PROG__DOOR__PORT in the environment" in text and "p.toml" not in text
    text = complaint(tmp_path, "", PROG__DOOR__PROT="0")
    assert "PROG__DOOR__PROT in the environment" in text and "did you mean door.port?" in text


def test_a_variable_that_points_into_a_plain_value_is_an_error(tmp_path: Path) -> None:
    assert "PROG__NAME__X" in complaint(tmp_path, "name = 'a'", PROG__NAME__X="1")


def test_a_file_that_is_missing_or_no_toml_is_an_error_that_names_it(tmp_path: Path) -> None:
    assert "line 2" in complaint(tmp_path, "name = 'a'\nport = = 1")
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe4'")
    for name in ("none.toml", "latin.toml", ""):
        with pytest.raises(SettingsError, match=str(tmp_path / name)):
            load_settings(Program, tmp_path / name, "PROG", {})


def test_settings_do_not_change_after_loading(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(tmp_path, "").name = "other"  # type: ignore[misc]
