"""A file of a company's content that nobody reads, because it is called almost like one that is."""

import difflib
from collections.abc import Iterator
from pathlib import Path

from nearside.content import FAQ_FILE, FAQ_TABLE, INTENTS_FILE, RULES_FOLDER, TOOLS_FOLDER
from nearside.moderation import MODERATION_FILE
from nearside.tenant_toml import TENANT_FILE

KNOWN = (TENANT_FILE, FAQ_TABLE, FAQ_FILE, INTENTS_FILE, MODERATION_FILE, RULES_FOLDER, TOOLS_FOLDER)
LIKENESS = 0.8


def misnamed(folder: Path) -> Iterator[str]:
    """What, where, what to do, for each entry that looks like a known one which is missing."""
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    missing = [name for name in KNOWN if name not in present]
    for name in sorted(present.difference(KNOWN)):
        if meant := _meant(name, missing):
            yield f"nobody reads this — {folder / name} — did you mean {meant}?"
    for room in (RULES_FOLDER, TOOLS_FOLDER):
        inside = sorted(path.name for path in (folder / room).glob("*") if path.is_file())
        if inside and not any(name.endswith((".yaml", ".yml")) for name in inside):
            yield f"no file in it is read — {folder / room} — call them NAME.yaml"


def _meant(name: str, missing: list[str]) -> str:
    stems = {known.partition(".")[0]: known for known in missing}
    if (stem := name.lower().partition(".")[0]) in stems:
        return stems[stem]
    close = difflib.get_close_matches(name.lower(), missing, n=1, cutoff=LIKENESS)
    return close[0] if close else ""
