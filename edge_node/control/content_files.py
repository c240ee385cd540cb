"""Which files of a company's content go into a backup, and which do not."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nearside.archive import is_safe
from nearside.content import FAQ_FILE, FAQ_TABLE, INTENTS_FILE, RULES_FOLDER, TOOLS_FOLDER
from nearside.errors import ContentError
from nearside.moderation import MODERATION_FILE
from nearside.operator_files import read_text
from nearside.relocation import Key, relocated
from nearside.tenant_toml import TENANT_FILE, load_site_settings

MOST_BYTES = 1 << 30
MOST_FILES = 20_000
SECRETS = "secrets-from-elsewhere"
HISTORIES = (".git", ".hg", ".svn")
READ_AT_START = (TENANT_FILE, FAQ_FILE, FAQ_TABLE, INTENTS_FILE, MODERATION_FILE, RULES_FOLDER, TOOLS_FOLDER)


@dataclass(slots=True)
class ContentFiles:
    """`found`: path below the folder → file. `left_out`: what, and why, a line each.

    `settings`: the company's tenant.toml, where it has to be another than the file: the secrets of its tools that lie
    elsewhere come along, below `SECRETS`.
    """

    found: dict[str, Path] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    size: int = 0
    settings: str | None = None


def content_files(folder: Path) -> ContentFiles:
    """Links are followed, as the edge follows them. What the edge reads goes in before the rest."""
    files = ContentFiles()
    if not folder.is_dir():
        files.left_out.append(f"{folder}: no such folder")
        return files
    _take_secrets(files, folder)
    found = _walk(folder, {os.path.realpath(folder)}, files.left_out)
    for path in sorted(found, key=lambda path: _rank(path.relative_to(folder))):
        _take(files, path, path.relative_to(folder).as_posix())
    return files


def _rank(path: Path) -> tuple[bool, Path]:
    return path.parts[0] not in READ_AT_START, path


def _walk(folder: Path, above: set[str], left_out: list[str]) -> Iterator[Path]:
    """`above`: the folders that led here; a link back to one of them leads nowhere new."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        left_out.append(f"{folder}: it cannot be read ({error.strerror})")
        return
    for path in (folder / name for name in names):
        if path.name in HISTORIES or path.name.startswith(".."):  # `..data` of a mounted ConfigMap: linked to
            continue
        if not path.is_dir():
            yield path
        elif (real := os.path.realpath(path)) not in above:
            yield from _walk(path, above | {real}, left_out)


def _take(files: ContentFiles, path: Path, name: str) -> None:
    if not is_safe(name):
        files.left_out.append(f"{ascii(str(path))}: its name")
    elif not path.is_file() or not os.access(path, os.R_OK):
        files.left_out.append(f"{path}: {'it cannot be read' if path.exists() else 'no such file'}")
    elif len(files.found) >= MOST_FILES:
        files.left_out.append(f"{path}: more than {MOST_FILES:,} files")
    elif files.size + path.stat().st_size > MOST_BYTES:
        files.left_out.append(f"{path}: more than {MOST_BYTES >> 20:,} MiB of content")
    else:
        files.found[name] = path
        files.size += path.stat().st_size


def _take_secrets(files: ContentFiles, folder: Path) -> None:
    """Those outside of the folder; the others are found in it."""
    try:
        text = read_text(folder / TENANT_FILE)
        named = load_site_settings(folder / TENANT_FILE).tools.secrets
    except ContentError:
        return
    inside = f"{os.path.normpath(folder)}/"
    elsewhere = {name: path for name, path in named.items() if not os.path.normpath(folder / path).startswith(inside)}
    for name, path in elsewhere.items():
        _take(files, Path(os.path.normpath(folder / path)), f"{SECRETS}/{name}")
    taken: dict[Key, str] = {
        ("tools", "secrets", name): f"{SECRETS}/{name}" for name in elsewhere if f"{SECRETS}/{name}" in files.found
    }
    files.settings = relocated(text, taken) if taken else None
