import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT

pytestmark = pytest.mark.unit


def make(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *words], cwd=ROOT, env=clean | env, capture_output=True, text=True, check=False)


def lay_out(folder: Path) -> None:
    """As much of a checkout as packaging/venv.sh looks at, without an environment yet."""
    for name in ("packaging/venv.sh", "pyproject.toml", "requirements/run.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())


def venv_script(python: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(folder / "packaging" / "venv.sh"), "run"]
    return subprocess.run(
        command, env={**os.environ, "PYTHON": python}, capture_output=True, text=True, check=False, timeout=60
    )


def stand_in(folder: Path, body: str) -> str:
    script = folder / "python"
    script.write_text(f"#!/usr/bin/env bash\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)


def test_make_alone_explains_every_target() -> None:
    page = make().stdout
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test", "check", "bench", "bench-large", "lock", "protos", "fmt", "clean"} <= targets
    assert targets == set(re.findall(r"^ +make ([a-z-]+) ", page, re.MULTILINE))


def test_a_python_too_old_is_refused_in_one_line(tmp_path: Path) -> None:
    lay_out(tmp_path)
    old = stand_in(tmp_path, 'case "$2" in *version_info\\ *3*) exit 1 ;; *) echo 3.9 ;; esac')
    done = venv_script(old, tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "3.9" in done.stderr and "3.11" in done.stderr and "PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_without_venv_names_the_package_to_install(tmp_path: Path) -> None:
    lay_out(tmp_path)
    bare = stand_in(tmp_path, f'case "$2" in *ensurepip*) exit 1 ;; *) exec {sys.executable} "$@" ;; esac')
    done = venv_script(bare, tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "apt install python3-venv" in done.stderr


def test_a_missing_python_is_named(tmp_path: Path) -> None:
    lay_out(tmp_path)
    done = venv_script("python3.99", tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "python3.99" in done.stderr


def test_an_environment_made_from_this_lock_is_left_alone_and_one_from_another_is_not(tmp_path: Path) -> None:
    lay_out(tmp_path)
    parts = [(tmp_path / name).read_bytes() for name in ("requirements/run.txt", "pyproject.toml")]
    key = hashlib.sha256(b"".join(parts) + f"{tmp_path.resolve()}\n".encode()).hexdigest()[:16]
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".stamp-run").write_text(f"{key}\n")
    current = venv_script("", tmp_path)
    assert (current.returncode, current.stdout, current.stderr) == (0, "", "")
    with (tmp_path / "requirements" / "run.txt").open("a") as lock:
        lock.write("another==1\n")
    stale = venv_script("python3.99", tmp_path)
    assert stale.returncode == 1


def test_a_machine_without_a_compiler_is_told_what_to_install(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / "requirements" / "dev.txt").write_text("llama-cpp-python==1 \\\n    --hash=sha256:00\n")
    programs, tools = tmp_path / ".venv" / "bin", tmp_path / "tools"
    programs.mkdir(parents=True)
    tools.mkdir()
    shutil.copy(stand_in(programs, "exit 0"), programs / "pip")
    (tmp_path / ".venv" / ".home").write_text(f"{tmp_path.resolve()}\n")
    for name in ("bash", "awk", "cat", "cut", "dirname", "grep", "sed", "sha256sum", "tail"):
        (tools / name).symlink_to(str(shutil.which(name)))
    command = ["bash", str(tmp_path / "packaging" / "venv.sh"), "dev"]
    env = {"PATH": str(tools), "PYTHON": ""}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "llama-cpp-python" in done.stderr and "apt install g++" in done.stderr
