"""A company's folder that says one thing or another, and packs of it without a classifier."""

from collections.abc import Mapping
from pathlib import Path

from cloud_core.packs.members import content_members, digest_of
from nearside.packs import About, Manifest, write_pack

FAQ = """- id: returns
  en: {{question: May I return it?, answer: "{says}"}}
"""
RULES = """rules:
  - id: hello
    when: {{keywords: [hello]}}
    reply: "{says}"
"""
NO_ENCODER = "e" * 64


def company(folder: Path, says: str, more: str = "") -> Path:
    """It answers "hello" with `says`; `more` is the rest of its tenant.toml."""
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    (folder / "tenant.toml").write_text(f'name = "The Shop"\n{more}', encoding="utf-8")
    (folder / "faq.yaml").write_text(FAQ.format(says=says), encoding="utf-8")
    (folder / "rules" / "talk.yaml").write_text(RULES.format(says=says), encoding="utf-8")
    return folder


def packed(
    folder: Path,
    file: Path,
    number: int = 1,
    *,
    tenant: str = "shop",
    encoder: str = NO_ENCODER,
    more: Mapping[str, bytes] | None = None,
) -> Manifest:
    """`number` orders the versions; `more` are other members than the folder's."""
    members = content_members(folder)
    version = f"20260101-0000{number:02}-{digest_of(members)[:8]}"
    about = About(tenant, version, "2026-01-01T00:00:00+00:00", "0.1", encoder, digest_of(members))
    return write_pack(file, about, {**members, **(more or {})})
