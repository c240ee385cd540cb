import re
from pathlib import Path

import pytest

from tests.servers import ROOT

pytestmark = pytest.mark.unit

LOCKS = [ROOT / "requirements" / "run.txt", ROOT / "requirements" / "dev.txt"]
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")


def pins_of(text: str) -> dict[str, str]:
    return {match[1]: match[2] for line in text.splitlines() if (match := PIN.match(line))}


def unhashed(text: str) -> list[str]:
    """Packages of a lock file with no hash below them, and lines that are neither pin nor hash."""
    joined = text.replace("\\\n", " ")
    return [
        line for line in joined.splitlines() if line.strip() and not (PIN.match(line) and " --hash=sha256:" in line)
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_package_of_a_lock_has_an_exact_version_and_hashes(lock: Path) -> None:
    text = lock.read_text()
    assert len(pins_of(text)) > 50
    assert unhashed(text) == []


def test_a_package_without_a_hash_is_noticed() -> None:
    assert unhashed("a==1 \\\n    --hash=sha256:00\nb==2\n") == ["b==2"]
    assert unhashed("-e .\n") == ["-e ."]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_place_to_download_from(lock: Path) -> None:
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links|--trusted-host", lock.read_text())


def test_the_lock_for_development_holds_the_one_for_running() -> None:
    run, dev = (pins_of(lock.read_text()) for lock in LOCKS)
    assert run.items() <= dev.items()


def test_what_the_project_depends_on_is_locked() -> None:
    wanted = re.findall(r'^  "([A-Za-z0-9-]+)(?:[><=].*)?",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    locked = {name.lower().replace("_", "-") for name in pins_of(LOCKS[1].read_text())}
    assert {name for name in wanted if name not in locked} == set()
