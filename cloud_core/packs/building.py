"""Builds a pack: the folder is read and checked as the edge will, a classifier trained, and all of it written."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloud_core.packs.members import content_members, digest_of
from cloud_core.packs.store import PackStore, version_of
from cloud_core.tuning import Report, train
from nearside import __version__
from nearside.content import TenantContent, load_tenant_content
from nearside.encoder import TextEncoder
from nearside.errors import SettingsError
from nearside.packs import About, Manifest, as_npy, write_pack
from nearside.probe import probe

PRECISION = 0.98
FIXED_TIME = "SOURCE_DATE_EPOCH"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Built:
    """`report` is missing where the company has neither FAQ nor intents."""

    file: Path
    manifest: Manifest
    report: Report | None


def build(
    tenant_id: str,
    folder: Path,
    store: PackStore,
    encoder: TextEncoder,
    *,
    out: Path | None = None,
    precision: float = PRECISION,
    progress: Progress | None = None,
) -> Built:
    """Written whole to `out`, or into the store. Raises ContentError, SettingsError and OSError.

    The same folder gives the same pack but for the time, which SOURCE_DATE_EPOCH fixes.
    """
    content = load_tenant_content(folder)
    files = content_members(folder)
    digest, created_at = digest_of(files), _created_at(store)
    report, trained = _trained(content, encoder, precision, progress)
    about = About(
        tenant=tenant_id,
        version=version_of(created_at, digest),
        created_at=created_at.isoformat(),
        made_by=__version__,
        encoder=encoder.fingerprint,
        content=digest,
        facts=_facts(content, report, precision),
    )
    file = out or store.file(about.version)
    manifest = write_pack(file, about, files | trained)
    if out is None:
        store.drop_older()
    return Built(file, manifest, report)


def _created_at(store: PackStore) -> datetime:
    """Raises SettingsError."""
    fixed = os.environ.get(FIXED_TIME)
    if fixed is None:
        return store.next_time(datetime.now(UTC))
    try:
        return datetime.fromtimestamp(int(fixed), UTC)
    except (ValueError, OverflowError, OSError):
        raise SettingsError("not a number of seconds since 1970", where=FIXED_TIME, hint="correct it") from None


def _trained(
    content: TenantContent, encoder: TextEncoder, precision: float, progress: Progress | None
) -> tuple[Report | None, dict[str, bytes]]:
    examples = content.examples()
    if not examples:
        return None, {}
    trained = train(examples, encoder, precision=precision, progress=progress)
    members = {f"classifier/{name}.npy": as_npy(array) for name, array in trained.arrays.items()}
    members["probe.npy"] = as_npy(probe(encoder))
    members["classifier/meta.json"] = json.dumps(trained.meta, ensure_ascii=False, sort_keys=True).encode()
    return trained.report, members


def _facts(content: TenantContent, report: Report | None, precision: float) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "faq": len(content.faq),
        "examples": len(content.examples()),
        "rules": len(content.rules.rules),
        "tools": len(content.tools),
        "wanted_precision": precision,
    }
    if report is not None:
        facts |= {"threshold": report.threshold, "precision": report.precision, "coverage": report.coverage}
    return facts
