"""What of a company's folder goes into its pack."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from nearside.content import FAQ_FILE, FAQ_TABLE, INTENTS_FILE, RULES_FOLDER, TOOLS_FOLDER
from nearside.moderation import MODERATION_FILE
from nearside.operator_files import Source, read_text, yaml_files
from nearside.relocation import as_toml
from nearside.tenant_toml import TENANT_FILE, read_toml

CONTENT = "content/"


def content_members(folder: Path) -> dict[str, bytes]:
    """By name in the pack; only what the edge reads, and of tenant.toml not where secrets lie. Raises ContentError."""
    found: dict[str, bytes] = {CONTENT + TENANT_FILE: _settings(folder / TENANT_FILE)}
    for name in (FAQ_FILE, FAQ_TABLE, INTENTS_FILE, MODERATION_FILE):
        if (folder / name).exists():
            found[CONTENT + name] = _text(folder / name)
    for room in (RULES_FOLDER, TOOLS_FOLDER):
        for file in yaml_files(folder / room):
            found[f"{CONTENT}{room}/{file.name}"] = _text(file)
    return found


def digest_of(members: Mapping[str, bytes]) -> str:
    """Of names and contents, in hex."""
    digest = sha256()
    for name in sorted(members):
        digest.update(f"{name}\0".encode() + sha256(members[name]).digest())
    return digest.hexdigest()


def _text(file: Source) -> bytes:
    return read_text(file).encode()


def _settings(file: Path) -> bytes:
    data = read_toml(file)
    tools = {key: value for key, value in data.get("tools", {}).items() if key != "secrets"}
    kept = {key: value for key, value in data.items() if key != "tools"}
    return as_toml({**kept, **({"tools": tools} if tools else {})}).encode()
